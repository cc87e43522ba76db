"""What a page computes is its recipe: both losses of every step and all weights at the end are held
against NumPy, in float64, from the same weights and draws.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from cases import draws
from subjects import PAGES, driver, loaded, recipe_of, small, source
from told import TOLD

import ganref
from benchmarks.pages.drivers import DRIVERS, Weights
from benchmarks.pages.training import PageGAN
from ganref.spec import Network
from ganref.spec.layers import BatchNorm, Reshape

# How long a run is followed, and how far apart losses and weights may then be.
STEPS = {"gaussian": (125, 1e-12, 1e-12)}
IMAGES = (20, 1e-9, 1e-9)


def _run(name: str, page: ModuleType, steps: int) -> tuple[np.ndarray, Weights]:
    recipe = small(name)
    gan = PageGAN(page, driver(name), recipe, ganref.initial_weights(recipe))
    (X, Z), more = draws(recipe, steps)
    return np.stack(gan.train_steps(X, Z, **more), 1), gan.weights()


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("mlp")])
def test_a_page_has_the_precision_that_it_is_given(name: str) -> None:
    """Whatever was made before it: frameworks remember what was their default once."""
    recipe = small(name)
    weights = ganref.initial_weights(recipe)
    for dtype in ("float32", "float64", "float32"):
        driven = DRIVERS[name.rpartition("_")[2]](dtype)
        gan = PageGAN(loaded(name, source(name)), driven, recipe, weights)
        assert {tensor.dtype.name for tensor in gan.weights().values()} == {dtype}


@cache
def _expected(name: str, steps: int) -> tuple[np.ndarray, dict[str, Any]]:
    """By NumPy: that the frameworks' backends are the same is for tests/backends/test_parity.py."""
    recipe, weights = small(name), ganref.initial_weights(small(name))
    gan = ganref.load_backend("numpy").create(recipe, weights, dtype="float64")
    (X, Z), more = draws(recipe, steps)
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


def _apart(name: str, found: tuple[np.ndarray, Weights]) -> tuple[float, float]:
    """The largest relative differences of the losses and of the tensors."""
    losses, state = _expected(name, len(found[0]))
    restless = set().union(*map(_restless, small(name).networks))
    worst = 0.0
    for key, array in found[1].items():
        if key not in restless:
            difference = np.abs(array - state[key]).max() / np.abs(state[key]).max()
            worst = max(worst, float(np.nan_to_num(difference, nan=np.inf)))
    far = np.abs(found[0] / losses - 1).max()
    return float(np.nan_to_num(far, nan=np.inf)), worst


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_its_recipe(name: str) -> None:
    recipe, _ = recipe_of(name)
    steps, losses, weights = STEPS.get(recipe.name, IMAGES)
    found = _run(name, loaded(name), steps)
    apart = _apart(name, found)
    print(f"{name}: losses {apart[0]:.1e}, weights {apart[1]:.1e}")
    assert apart[0] <= losses and apart[1] <= weights, apart


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
    "jax": [
        ("gaussian", "+ 1e-8)", "+ 1e-7)"),
        ("gaussian", "jnp.sqrt(v / b) + 1e-8", "jnp.sqrt(v / b + 1e-8)"),
        ("gaussian", "D(net_D, G(net_G, Z))", "D(net_D, jax.lax.stop_gradient(G(net_G, Z)))"),
        ("mlp", "return loss_D, *adam(net_D, grads, trainer_D)", "return loss_D, net_D, trainer_D"),
        ("mlp", "0.7, x.shape) / 0.7", "0.7, x.shape)"),
        ("dcgan32", "[(1, 2)] * 2", "[(2, 1)] * 2"),
        # Nothing but running statistics can tell these.
        ("dcgan_nyu", "var * N / (N - 1)", "var"),
        ("dcgan_nyu", "(new_D, net_G)\n", "(net_D, net_G)\n"),
        ("dcgan", "0.5 * m + 0.5 * g", "0.9 * m + 0.1 * g"),
        ("ebgan", "jax.nn.relu(1 - loss(fake_Y, fake_X))", "jax.nn.relu(loss(fake_Y, fake_X) - 1)"),
    ],
}
BROKEN = [(f"{page}_{fw}", *words) for fw in TOLD for page, *words in BREAKS.get(fw, ())]


@pytest.mark.parametrize("name, right, wrong", BROKEN)
def test_a_mistake_is_seen(name: str, right: str, wrong: str) -> None:
    text = source(name)
    assert right in text
    page = loaded(name, text.replace(right, wrong))
    _, losses, weights = STEPS.get(recipe_of(name)[0].name, IMAGES)
    apart = _apart(name, _run(name, page, 4))
    assert apart[0] > losses or apart[1] > weights, f"{apart} apart"
