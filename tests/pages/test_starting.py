"""What a page begins with, and that a copy of it alone trains and draws."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from subjects import PAGES, driver, loaded, recipe_of, small, source


@pytest.mark.parametrize("name", PAGES)
def test_a_page_begins_with_the_recipe_s_numbers(name: str) -> None:
    recipe, page = recipe_of(name)[0], loaded(name)
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
    recipe, page = small(name), loaded(name)
    how = {} if recipe.name == "gaussian" else {"n": recipe.width}
    inits = zip(recipe.networks, (recipe.init_G, recipe.init_D), strict=True)
    for (network, init), make in zip(inits, (page.generator, page.discriminator), strict=True):
        held = driver(name).values(page.initialise(make(**how)), network)
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


@pytest.fixture(scope="module", params=sorted({name.rpartition("_")[2] for name in PAGES}))
def copies(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, Path]]:
    """What each page of a framework says as a person would start it, with less to do, and where it
    draws. One process for all of them: half of a page's time would be its imports."""
    folder = tmp_path_factory.mktemp("copies")
    names = [name for name in PAGES if name.endswith(f"_{request.param}")]
    for name in names:
        text = re.sub(r"num_epochs=\d+", "num_epochs=1", source(name))
        (folder / f"my_{name}.py").write_text(re.sub(r"\bn=\d+", "n=4", text))
    start = (
        "import runpy, sys\n"
        "for name in sys.argv[1:]:\n"
        "    print(f'# {name}')\n"
        "    runpy.run_path(f'my_{name}.py', run_name='__main__')\n"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", start, *names],
        cwd=folder, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.split("# ")[1:]
    return {name: (words, folder / f"{name}.png") for name, words in zip(names, said, strict=True)}


def test_copies_alone_train_and_draw(copies: dict[str, tuple[str, Path]]) -> None:
    for name, (said, picture) in copies.items():
        assert said.startswith(f"{name}\n")
        assert re.search(r"^epoch 1: loss_D \d+\.\d+, loss_G \d+\.\d+$", said, re.MULTILINE)
        assert picture.read_bytes().startswith(b"\x89PNG")
