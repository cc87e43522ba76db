"""The pages: each is the GAN that it says, line for line as long as a lecture can bear, and cells
line up between frameworks.

What a page computes is held against the backend of its framework and against NumPy: both losses of
every step and all weights at the end, in float64, from the same weights and draws.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import draws
from conftest import TOLD
from drivers import DRIVERS, Weights, meant, run

import ganref
from ganref import pages
from ganref.spec import Network, Recipe
from ganref.spec.layers import BatchNorm, Reshape

FOLDER = Path(pages.__file__).parent
ALL = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
PAGES = [name for name in ALL if name.rpartition("_")[2] in TOLD]
SET_UP = ["Data", "Generator", "Discriminator", "Initialisation"]
CELLS = [*SET_UP, "Loss", "Updates", "Training", "Picture"]
LAYERS = ["up", "down", "norm"]
CAUGHT: dict[str, Any] = {"capture_output": True, "text": True}

# How long a run is followed, and how far apart losses and weights may then be.
STEPS = {"gaussian": (125, 1e-12, 1e-12)}
IMAGES = (20, 1e-9, 1e-9)


def _of(name: str) -> tuple[Recipe, str]:
    """The recipe and the framework of a page."""
    recipe, _, framework = name.rpartition("_")
    return ganref.recipe(recipe.replace("_", "-")), framework


def _source(name: str) -> str:
    return (FOLDER / f"{name}.py").read_text()


def _small(name: str) -> Recipe:
    """What the page means, at a width and a batch that a test can bear."""
    recipe = meant(*_of(name))
    changes = {} if recipe.name == "gaussian" else {"width": 8, "batch_size": 8}
    return recipe.replace(**changes)


def _loaded(name: str) -> ModuleType:
    DRIVERS[_of(name)[1]].load()
    with mock.patch.dict(os.environ):  # some say there how MXNet is to compute
        return importlib.import_module(f"ganref.pages.{name}")


def _run(name: str, page: ModuleType) -> tuple[np.ndarray, Weights]:
    recipe, framework = _small(name), _of(name)[1]
    weights, steps = ganref.initial_weights(recipe), STEPS.get(recipe.name, IMAGES)[0]
    wide = recipe.name != "gaussian"
    return run(page, framework, recipe, weights, draws(recipe, steps), wide)


@cache
def _expected(name: str, backend: str) -> tuple[np.ndarray, dict[str, Any]]:
    recipe = _small(name)
    gan = ganref.load_backend(backend).create(
        recipe, ganref.initial_weights(recipe), dtype="float64"
    )
    (X, Z), more = draws(recipe, STEPS.get(recipe.name, IMAGES)[0])
    trace = gan.train_trace(X, Z, **more)
    return np.stack([trace.loss_D, trace.loss_G], 1), gan.state()


def _restless(network: Network) -> set[str]:
    """Biases that a batch normalisation takes out again, and the means that take them in: their
    gradients are nothing but rounding, of which Adam makes steps as long as any."""
    out = set()
    for i, layer in enumerate(network.layers):
        if isinstance(layer, BatchNorm):
            before = i - 2 if isinstance(network.layers[i - 1], Reshape) else i - 1
            if any(p.role == "bias" for p in network.layers[before].params()):
                out |= {f"{network.name}.{before}.bias", f"{network.name}.{i}.running_mean"}
    return out


def _apart(name: str, found: tuple[np.ndarray, Weights], backend: str) -> tuple[float, float]:
    """The largest relative differences of the losses and of the tensors."""
    losses, state = _expected(name, backend)
    restless = set().union(*map(_restless, _small(name).networks))
    worst = 0.0
    for key, array in found[1].items():
        if key not in restless:
            difference = np.abs(array - state[key]).max() / np.abs(state[key]).max()
            worst = max(worst, float(np.nan_to_num(difference, nan=np.inf)))
    far = np.abs(found[0] / losses - 1).max()
    return float(np.nan_to_num(far, nan=np.inf)), worst


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_its_recipe(name: str) -> None:
    recipe, framework = _of(name)
    found = _run(name, _loaded(name))
    _, losses, weights = STEPS.get(recipe.name, IMAGES)
    for backend in dict.fromkeys(("numpy", framework)):
        apart = _apart(name, found, backend)
        print(f"{name} against {backend}: losses {apart[0]:.1e}, weights {apart[1]:.1e}")
        assert apart[0] <= losses, f"losses against {backend}"
        assert apart[1] <= weights, f"weights against {backend}"


# What somebody might get wrong, by framework: recipe, the words on the page, and the wrong ones.
BREAKS = {
    "numpy": [("gaussian", "1e-8", "1e-7"), ("gaussian", "- y * not_D", "- y * D")],
    "torch": [
        ("gaussian", "(net_D.parameters(), lr_D)", "(net_D.parameters(), lr_D, eps=1e-7)"),
        ("gaussian", "net_G(Z)), 1)", "net_G(Z).detach()), 1)"),
        ("gaussian", "    trainer_D.zero_grad()\n", ""),
        (
            "mlp",
            "            Z = torch.randn(len(X), latent_dim)\n            loss_G",
            12 * " " + "loss_G",
        ),
        ("dcgan32", "net_D(X), 0.9)", "net_D(X), 1)"),
        ("dcgan32", "ZeroPad2d((0, -1, 0, -1))", "ZeroPad2d((-1, 0, -1, 0))"),
        ("dcgan_nyu", "nn.BatchNorm2d(m)", "nn.BatchNorm2d(m, momentum=0.9)"),
        ("dcgan", "lr, (0.5, 0.999))", "lr)"),
        ("ebgan", "fake_X).mean()\n    loss_G.b", "fake_X.detach()).mean()\n    loss_G.b"),
    ],
    "tf": [
        ("gaussian", "epsilon=1e-8", "epsilon=1e-7"),
        ("gaussian", "def update_step(", "def unused("),
        ("mlp", "net_D(fake_X, training=True)", "net_D(X, training=True)"),
        ("dcgan32", "loss(real_Y, 0.9)", "loss(real_Y, 1)"),
        ("dcgan_nyu", "momentum=0.9", "momentum=0.1"),
        ("dcgan", "epsilon=1e-5", "epsilon=1e-3"),
        ("ebgan", "tf.nn.relu(1 - fake_Y)", "tf.nn.relu(fake_Y - 1)"),
    ],
    "mxnet": [
        ("gaussian", "trainer_D.step(1)", "trainer_D.step(len(X))"),
        ("gaussian", "nd.sqrt(v_hat) + self.epsilon", "nd.sqrt(v_hat + self.epsilon)"),
        ("mlp", "trainer_D.step(1)", "trainer_D.step(len(X))"),
        ("dcgan32", "(None,) * 4, (None, None, -1, -1)", "(None, None, 1, 1), (None,) * 4"),
        # Nothing but G's running statistics can tell that a gradient has gone back into it.
        ("dcgan_nyu", "with autograd.train_mode():", "with autograd.record():"),
        ("dcgan", "BatchNorm(in_channels=m)", "BatchNorm(in_channels=m, epsilon=1e-3)"),
        ("ebgan", "npx.relu(1 - fake_Y)", "npx.relu(fake_Y - 1)"),
    ],
}
BROKEN = [(f"{page}_{fw}", *words) for fw in TOLD for page, *words in BREAKS.get(fw, ())]


@pytest.mark.parametrize("name, right, wrong", BROKEN)
def test_a_mistake_is_seen(name: str, right: str, wrong: str) -> None:
    source = _source(name)
    assert right in source
    _loaded(name)
    page = ModuleType(name)
    with mock.patch.dict(os.environ):
        exec(compile(source.replace(right, wrong), name, "exec"), vars(page))
    recipe, _ = _of(name)
    _, losses, weights = STEPS.get(recipe.name, IMAGES)
    apart = _apart(name, _run(name, page), "numpy")
    assert apart[0] > losses or apart[1] > weights, f"{apart} apart"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_begins_with_the_recipe_s_numbers(name: str) -> None:
    recipe, framework = _of(name)
    page = _loaded(name)
    defaults = {
        p.name: p.default
        for function in (page.load_data, page.train, page.generator, page.discriminator)
        for p in inspect.signature(function).parameters.values()
        if p.default is not p.empty
    }
    lr = {"lr": recipe.adam_D.lr} if "lr" in defaults else {}
    lr = lr or {"lr_D": recipe.adam_D.lr, "lr_G": recipe.adam_G.lr}
    wide = {} if recipe.name == "gaussian" else {"n": recipe.width}
    assert defaults == lr | wide | {
        "batch_size": recipe.batch_size,
        "num_epochs": recipe.epochs_on(recipe.data),
        "latent_dim": recipe.latent_dim,
    }


@pytest.mark.parametrize("name", PAGES)
def test_a_page_s_weights_are_drawn_as_the_recipe_says(name: str) -> None:
    """Constants are exact; what is drawn has its mean, its spread and its bounds, within chance."""
    recipe, (_, framework) = _small(name), _of(name)
    page, how = _loaded(name), {} if recipe.name == "gaussian" else {"n": recipe.width}
    inits = zip(recipe.networks, (recipe.init_G, recipe.init_D), strict=True)
    for (network, init), make in zip(inits, (page.generator, page.discriminator), strict=True):
        held = DRIVERS[framework].values(page.initialise(make(**how)), network)
        for p, found in zip(network.params, held, strict=True):
            draw, spread = getattr(init, p.role), 1 / np.sqrt(found.size)
            assert found.size == np.prod(p.shape), p.name
            if draw.kind == "constant":
                assert np.all(found == draw.mean), p.name
                continue
            std = draw.scale if draw.kind == "normal" else (3 * p.fan_in) ** -0.5
            assert abs(found.mean() - draw.mean) < 6 * std * spread, p.name
            if found.size >= 100:
                assert abs(found.std() / std - 1) < 6 * spread, p.name
                reach = np.abs(found - draw.mean).max() / std
                assert (reach > np.sqrt(3) + 1e-3) == (draw.kind == "normal"), p.name


@pytest.mark.parametrize("name", PAGES)
def test_a_copy_alone_trains_and_draws(name: str, tmp_path: Path) -> None:
    """As a person would start it, with less to do."""
    source = re.sub(r"num_epochs=\d+", "num_epochs=1", _source(name))
    copy = tmp_path / "my_gan.py"
    copy.write_text(re.sub(r"\bn=\d+", "n=4", source))
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DISPLAY")}
    done = subprocess.run([sys.executable, str(copy)], cwd=tmp_path, env=env, **CAUGHT)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^epoch 1: loss_D \d+\.\d+, loss_G \d+\.\d+$", done.stdout, re.MULTILINE)
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


# What is read: these need no framework.


def _cells(name: str) -> list[tuple[str, str]]:
    """The cells of a page, each as its kind and its text."""
    parts = re.split(r"^# %%(.*)\n", _source(name), flags=re.MULTILINE)
    assert parts[0] == "", "something stands before the first cell"
    return list(zip((kind.strip() for kind in parts[1::2]), parts[2::2], strict=True))


def _defined(code: str) -> list[str]:
    """The functions of a cell with what they take, without those that only make layers."""
    functions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    taken = {f.name: ", ".join(a.arg for a in f.args.args) for f in functions}
    return [f"{name}({args})" for name, args in taken.items() if name not in LAYERS]


@pytest.mark.parametrize("name", ALL)
def test_words_and_code_take_turns_in_the_same_order(name: str) -> None:
    cells = _cells(name)
    assert [kind for kind, _ in cells] == ["[markdown]", ""] * (1 + len(CELLS))
    words = [text.splitlines() for kind, text in cells if kind]
    assert words[0][0].startswith("# # ")
    assert [lines[0] for lines in words[1:]] == [f"# ## {cell}" for cell in CELLS]
    for lines in words:
        assert all(line.startswith("#") for line in lines if line), lines
        assert any(line.rstrip().endswith(".") for line in lines)
    assert cells[-1][1].startswith('if __name__ == "__main__":')


@pytest.mark.parametrize("name", ALL)
def test_tabs_line_up(name: str) -> None:
    """The pages of a recipe say the same around what frameworks say in ways of their own."""
    recipe, framework = _of(name)
    first = next(other for other in ALL if _of(other)[0] == recipe and "numpy" not in other)
    for (kind, text), (_, other) in list(zip(_cells(name), _cells(first), strict=True))[2:]:
        if kind:
            assert text == other
        elif framework != "numpy":
            assert _defined(text) == _defined(other)
        else:  # which has to say how to go back through a network
            assert set(_defined(other)) <= set(_defined(text))


@pytest.mark.parametrize("name", ALL)
def test_a_page_is_short_and_plain(name: str) -> None:
    lines = _source(name).splitlines()
    read = [line for line in lines if line.strip() and not line.startswith("# %%")]
    assert 60 <= len(read) <= 130
    assert max(map(len, lines)) <= 100
    tree = ast.parse(_source(name))
    imported = {
        module.split(".")[0]
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert "ganref" not in imported and "argparse" not in imported
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert classes == ([] if _of(name)[1] in ("numpy", "torch") else ["Adam"])


def test_no_page_takes_a_framework_s_name() -> None:
    """A copy of it in the current folder would be imported in the framework's place."""
    assert not {"numpy", "torch", "tensorflow", "mxnet", "keras"} & set(ALL)
    assert {_of(name)[1] for name in ALL} <= set(DRIVERS)
