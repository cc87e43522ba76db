"""Products in the place of the framework's layers are those layers: every sum, every padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from told import TOLD

import ganref
from ganref.spec import layers as spec

pytestmark = pytest.mark.skipif("torch" not in TOLD, reason="PyTorch's products")

SAME = (1, 2)
LAYERS: list[tuple[Any, tuple[int, int, int]]] = [
    (spec.Conv(3, 4, 5, 2, SAME), (3, 8, 8)),
    (spec.Conv(1, 4, 5, 2, SAME), (1, 32, 32)),
    (spec.Conv(3, 4, 4, 2, (1, 1), bias=False), (3, 4, 8)),
    (spec.Conv(3, 4, 4, 2, (1, 1)), (3, 8, 8)),
    (spec.Conv(3, 1, 4), (3, 4, 4)),
    (spec.ConvTranspose(4, 3, 5, 2, SAME), (4, 4, 4)),
    (spec.ConvTranspose(4, 1, 5, 2, SAME), (4, 16, 16)),
    (spec.ConvTranspose(4, 3, 4, 2, (1, 1), bias=False), (4, 2, 4)),
    (spec.ConvTranspose(4, 3, 4), (4, 1, 1)),
]


@pytest.mark.parametrize("most_bytes", [1, 2**24], ids=["an example at a time", "at once"])
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_products_are_convolutions(
    layer: Any, shape: tuple[int, int, int], most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from ganref.torch import layers
    from ganref.torch.fast import products

    monkeypatch.setattr(products, "MOST_BYTES", most_bytes)
    plain = layers.LAYERS[type(layer)](layer, torch.float64)
    rng = np.random.default_rng(0)
    for tensor in plain.parameters():
        layers.write(tensor, rng.standard_normal(tensor.shape))
    x = torch.tensor(rng.standard_normal((3, *shape)), requires_grad=True)
    own = products.Shapes(layer, shape)
    assert own.by_product
    found = []
    for module in (plain, products._with_products(plain, own)):
        y = module(x, True)
        dy = torch.tensor(np.random.default_rng(1).standard_normal(y.shape))
        found.append([y, *torch.autograd.grad(y, [x, *plain.parameters()], dy)])
    for expected, made in zip(*found, strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("turned", ["neither", "a", "b", "both"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(8, 2, 3), (5, 300, 1), (64, 784, 256), (1, 7, 40)])
def test_a_product_is_the_frameworks_in_any_order_of_memory(
    shape: tuple[int, int, int], dtype: str, turned: str
) -> None:
    import torch

    from ganref.torch.fast.multiply import multiply

    rng, (m, k, n) = np.random.default_rng(0), shape
    a, b, bias = rng.standard_normal((m, k)), rng.standard_normal((n, k)), rng.standard_normal(n)
    own = [torch.tensor(array, dtype=getattr(torch, dtype)) for array in (a, b, bias)]
    for i, name in enumerate("ab"):
        if turned in (name, "both"):
            own[i] = own[i].T.contiguous().T
    # A sum of k products of numbers about 1 has k rounded ones.
    near = 4 * np.sqrt(k) * np.finfo(dtype).eps
    np.testing.assert_allclose(multiply(*own), a @ b.T + bias, rtol=near, atol=8 * near)
    np.testing.assert_allclose(multiply(*own[:2]), a @ b.T, rtol=near, atol=8 * near)


def test_dense_products_are_the_layers() -> None:
    import torch

    from ganref.torch import layers
    from ganref.torch.fast import multiply

    rng = np.random.default_rng(0)
    plain = layers.Dense(spec.Dense(7, 5), torch.float64)
    for tensor in plain.parameters():
        layers.write(tensor, rng.standard_normal(tensor.shape))
    x = torch.tensor(rng.standard_normal((3, 7)), requires_grad=True)
    found = []
    for module in (plain, multiply.remade(plain, multiply.ProductDense)):
        y = module(x, True)
        dy = torch.tensor(np.random.default_rng(1).standard_normal(y.shape))
        found.append([y, *torch.autograd.grad(y, [x, *plain.parameters()], dy)])
    for expected, made in zip(*found, strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-14, atol=1e-14)


def test_gradients_that_nobody_reads_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step asks for D's kernels' gradients on real and on fake examples, never in G's update."""
    from ganref.torch.fast import products

    calls = []
    made = products.correlate_kernel
    monkeypatch.setattr(products, "correlate_kernel", lambda *a: calls.append(0) or made(*a))
    recipe = ganref.recipe("dcgan32").replace(width=2, batch_size=2)
    gan = ganref.load_backend("torch").create(recipe, ganref.initial_weights(recipe))
    X = np.zeros((1, 2, *recipe.data_shape), "float32")
    gan.train_steps(X, np.ones((1, 2, *recipe.latent_shape), "float32"))
    of_D, of_G = (
        sum(isinstance(layer, spec.Conv) for layer in network.layers)
        for network in (recipe.discriminator, recipe.generator)
    )
    assert len(calls) == 2 * of_D + recipe.G_updates * of_G
