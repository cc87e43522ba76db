"""Single layers over shapes, strides, kernels, paddings and batch sizes, against NumPy in float64:
outputs, parameter gradients, input gradients (as the gradient of the generator before the layer),
and running statistics. The layer stands between a Dense generator and a Dense head."""

import math

import numpy as np
import pytest
from cases import difference, one_step
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ganref
from ganref.spec import Network, Recipe, UserError
from ganref.spec.layers import (
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Projection,
    Reshape,
    Sigmoid,
    Tanh,
)
from ganref.spec.stacks import STACKS


@st.composite
def layers(draw: st.DrawFn) -> tuple[Layer, tuple[int, int, int]]:
    """A layer and the shape of one of its inputs."""
    channels = draw(st.integers(1, 3))
    shape = channels, draw(st.integers(1, 7)), draw(st.integers(1, 7))
    kinds = Conv, ConvTranspose, BatchNorm, LeakyReLU, Tanh, Sigmoid, Dropout, Concat, Projection
    kind = draw(st.sampled_from(kinds))
    if kind in (Conv, ConvTranspose):
        kernel, before = draw(st.integers(1, 5)), draw(st.integers(0, 2))
        padding = (min(before, kernel - 1), min(before, kernel - 1) + draw(st.integers(0, 1)))
        stride, bias = draw(st.integers(1, 3)), draw(st.booleans())
        return kind(channels, draw(st.integers(1, 3)), kernel, stride, padding, bias), shape
    if kind is BatchNorm:
        eps, momentum = draw(st.sampled_from([1e-5, 1e-3])), draw(st.sampled_from([0.9, 0.99]))
        return BatchNorm(channels, eps, momentum, draw(st.booleans()), draw(st.booleans())), shape
    if kind is LeakyReLU:
        return LeakyReLU(draw(st.sampled_from([0.0, 0.2, 1.0]))), shape
    if kind is Concat:
        return Concat(draw(st.integers(2, 4))), shape
    if kind is Projection:
        how = draw(st.integers(2, 4)), draw(st.booleans()), draw(st.booleans())
        return Projection(math.prod(shape), *how), shape
    return (Dropout(0.3) if kind is Dropout else kind()), shape


def _around(layer: Layer, shape: tuple[int, int, int], batch: int) -> Recipe:
    def stack(recipe: Recipe) -> tuple[Network, Network]:
        size, n = math.prod(shape), recipe.latent_size
        if isinstance(layer, Projection):  # it ends a network and takes vectors
            head: tuple[Layer, ...] = (Flatten(), layer)
        else:
            head = (layer, Flatten(), Dense(math.prod(layer.out_shape(shape)), 1))
        return (
            Network("generator", (n,), (Dense(n, size), Reshape(shape)), "samples"),
            Network("discriminator", shape, head),
        )

    STACKS["probe"] = stack
    toy = ganref.recipe("gaussian")
    rate = layer.rate if isinstance(layer, Dropout) else 0.0
    classes = layer.classes if isinstance(layer, (Concat, Projection)) else 0
    labels = {"conditional": "concat" if classes else "", "classes": classes}
    # Small batches make Adam's first step a matter of rounding; the gradients are what counts.
    try:
        return toy.replace(
            stack="probe", data_shape=shape, latent_dim=3, batch_size=batch, dropout=rate, **labels
        )
    finally:
        del STACKS["probe"]


# Why a layer that was drawn may not fit its input, or its batch; nothing else is let pass.
CANNOT_BE = ("smaller than the kernel", "padding leaves nothing", "at least 2 values per channel")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=layers(), batch=st.integers(1, 4))
def test_single_layers(
    framework: str, case: tuple[Layer, tuple[int, int, int]], batch: int
) -> None:
    layer, shape = case
    try:
        recipe = _around(layer, shape, batch)
    except UserError as error:
        assert any(reason in str(error) for reason in CANNOT_BE), error
        return
    if isinstance(layer, BatchNorm) and layer.batch_stats and batch * shape[1] * shape[2] < 4:
        return  # two values are normalised to ±1: their gradient is all rounding, everywhere
    weights = ganref.initial_weights(recipe)
    rng = np.random.default_rng(0)
    for name, array in weights.items():
        weights[name] = rng.uniform(0.5, 1.5, array.shape) * rng.choice([-1, 1], array.shape)
        if name.endswith("running_var"):
            weights[name] = np.abs(weights[name])
    how = {"dtype": "float64", "compile": "off"}
    oracle = ganref.load_backend("numpy").create(recipe, weights, **how)
    gan = ganref.load_backend(framework).create(recipe, weights, **how)
    (X, Z), more = one_step(recipe)
    labels = [more["masks"][name][0] for name in recipe.discriminator.labelled]
    assert difference(gan.discriminate(X, *labels), oracle.discriminate(X, *labels)) < 1e-12
    expected, found = oracle.gradients(X, Z, **more), gan.gradients(X, Z, **more)
    # An input gradient of a batch normalisation may cancel to rounding: measure on the network.
    for net in ("generator", "discriminator"):
        scale = max(np.abs(a).max() for n, a in expected.items() if n.startswith(net))
        for name, array in expected.items():
            if name.startswith(net):
                assert np.abs(found[name] - array).max() <= 1e-11 * max(scale, 1e-3), name
    steps = {"Z_G": None, "masks": {n: m[None] for n, m in more["masks"].items()}}
    oracle.train_steps(X[None], Z[None], **steps)
    gan.train_steps(X[None], Z[None], **steps)
    ours, theirs = gan.state(), oracle.state()
    for name in (n for n in theirs if "running" in n):
        # D has moved between its second and third look at the batch, by Adam's first step.
        assert difference(ours[name], theirs[name]) < 1e-6, name


@pytest.mark.parametrize("batch", [1, 2])
def test_one_value_per_channel_is_refused(batch: int) -> None:
    """PyTorch raises, the others return beta; the spec says no for all."""
    if batch == 1:
        with pytest.raises(UserError, match="at least 2 values"):
            _around(BatchNorm(3), (3, 1, 1), batch)
    else:
        assert _around(BatchNorm(3), (3, 1, 1), batch).batch_size == 2
