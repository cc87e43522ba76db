"""JAX's convolutions and batch normalisation for processors are the framework's: every sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from told import TOLD

from ganref.spec import layers as spec

pytestmark = pytest.mark.skipif("jax" not in TOLD, reason="JAX's code for processors")

SAME = (1, 2)
LAYERS: list[tuple[Any, tuple[int, int, int]]] = [
    (spec.Conv(8, 4, 5, 2, SAME), (8, 8, 8)),  # by patches
    (spec.Conv(9, 4, 5, 3, (0, 1)), (9, 10, 7)),
    (spec.Conv(3, 4, 5, 2, SAME), (3, 8, 8)),  # by blocks, the kernel widened
    (spec.Conv(8, 4, 4, 2, (1, 1), bias=False), (8, 16, 8)),  # by blocks as it is
    (spec.Conv(8, 1, 4), (8, 4, 4)),  # one product
    (spec.Conv(8, 5, 3, 1, (1, 1)), (8, 5, 5)),
    (spec.ConvTranspose(4, 8, 5, 2, SAME), (4, 4, 6)),
    (spec.ConvTranspose(4, 1, 5, 2, SAME), (4, 8, 8)),
    (spec.ConvTranspose(4, 8, 4, 2, (1, 1), bias=False), (4, 4, 4)),
    (spec.ConvTranspose(4, 8, 4), (4, 1, 1)),
]


def _differences(plain: Any, quick: Any, weights: dict[str, np.ndarray], x: np.ndarray) -> float:
    """The farthest that outputs and gradients of two layers lie apart, per largest number."""
    import jax

    found = []
    for layer in (plain, quick):

        def run(own: Any, x: Any, layer: Any = layer) -> Any:
            more = (True, True) if isinstance(layer.spec, spec.BatchNorm) else (True,)
            y, new = layer(own, x, *more)
            return y, {name: value for name, value in new.items() if name.startswith("running")}

        y, back, new = jax.vjp(run, weights, x, has_aux=True)
        own, dx = back(jax.numpy.asarray(np.random.default_rng(1).standard_normal(y.shape)))
        trained = {name: g for name, g in own.items() if not name.startswith("running")}
        found.append(jax.tree.leaves((y, dx, trained, new)))
    pairs = zip(*found, strict=True)
    return max(float(abs(a - b).max() / abs(a).max()) for a, b in pairs)


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_blocks_and_patches_are_convolutions(layer: Any, shape: tuple[int, int, int]) -> None:
    import jax

    from ganref.jax import layers
    from ganref.jax.fast import blocks
    from ganref.jax.framework import wide

    rng, kind = np.random.default_rng(0), layers.LAYERS[type(layer)]
    quick = {layers.Conv: blocks.BlockConv, layers.ConvTranspose: blocks.BlockConvTranspose}[kind]
    with wide(jax.devices("cpu")[0]):
        kernel = layer.kernel, layer.kernel
        pair = layer.in_channels, layer.out_channels
        pair = pair if kind is layers.Conv else pair[::-1]
        weights = {"weight": rng.standard_normal((*kernel, *pair))}
        weights |= {"bias": rng.standard_normal(layer.out_channels)} if layer.bias else {}
        channels, *size = shape
        x = rng.standard_normal((3, *size, channels))
        own = (k(layer, "float64") for k in (kind, quick))
        assert _differences(*own, weights, x) < 1e-13


def test_sums_by_products_are_a_batch_normalisation() -> None:
    import jax

    from ganref.jax import layers
    from ganref.jax.fast.norm import ProductBatchNorm
    from ganref.jax.framework import wide

    rng, norm = np.random.default_rng(0), spec.BatchNorm(5)
    weights = {p.name: rng.random(p.shape) for p in norm.params()}
    with wide(jax.devices("cpu")[0]):
        for shape in ((6, 5), (4, 3, 2, 5)):
            own = (kind(norm, "float64") for kind in (layers.BatchNorm, ProductBatchNorm))
            assert _differences(*own, weights, rng.standard_normal(shape)) < 1e-13
