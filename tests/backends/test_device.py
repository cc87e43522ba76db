"""What a GPU needs, as far as it can be tested on a processor; and the rest where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import difference, draws, narrow
from told import TOLD

import ganref
from ganref import data
from ganref.draws import batches as loop_draws
from ganref.spec import UserError


def _gan(backend: str, recipe: ganref.Recipe, **how: Any) -> Any:
    return ganref.load_backend(backend).create(recipe, ganref.initial_weights(recipe), **how)


@pytest.mark.parametrize("name", ["gaussian", "dcgan32"])
def test_rows_of_held_data_are_the_data(backend: str, name: str) -> None:
    recipe = narrow(name)
    dataset = data.load(recipe.data, recipe)
    by_rows, by_value = (_gan(backend, recipe) for _ in range(2))
    assert by_rows.hold(dataset.array)
    sources = [loop_draws.Source(recipe, dataset, 0, "float32", held) for held in (True, False)]
    found = []
    for gan, source in zip((by_rows, by_value), sources, strict=True):
        batch = source.draw(range(3, 5))
        found.append(gan.train_steps(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks))
    assert sources[0].real(range(2)).shape == (2, recipe.batch_size)
    assert np.array_equal(found[0], found[1])
    state = by_value.state()
    assert all(np.array_equal(a, state[n]) for n, a in by_rows.state().items())


def test_rows_of_nothing_are_refused(backend: str) -> None:
    gan = _gan(backend, narrow("gaussian"))
    with pytest.raises(UserError, match="none is held"):
        gan.train_steps(np.zeros((1, 8), np.int64), np.zeros((1, 8, 2)))


def test_running_out_of_memory_names_the_batch(backend: str) -> None:
    framework = __import__(f"ganref.{backend}.framework", fromlist=["memory_errors"])
    words = {
        "numpy": [],
        "torch": ["CUDA error: out of memory", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
                  "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"],
        "tf": ["Failed to allocate memory for a batch", "CUDA_ERROR_OUT_OF_MEMORY: out of memory"],
        "mxnet": ["Check failed: e == CUDNN_STATUS_SUCCESS (4): CUDNN_STATUS_ALLOC_FAILED"],
        "jax": ["INTERNAL: CUDA_ERROR_OUT_OF_MEMORY", "Failed to allocate 2.0GiB on the device"],
    }[backend]  # fmt: skip
    errors: list[Exception] = {
        "numpy": lambda: [],
        "torch": lambda: [
            framework.torch.OutOfMemoryError("CUDA out of memory"),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        ],
        "tf": lambda: [framework.tf.errors.ResourceExhaustedError(None, None, "OOM")],
        "mxnet": lambda: [framework.mx.base.MXNetError("cudaMalloc: out of memory")],
        "jax": lambda: [framework.jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")],
    }[backend]()
    # Its own class of error with other words, and what NumPy says on the way to the device.
    kind = {
        "torch": lambda text: RuntimeError(text),
        "tf": lambda text: framework.tf.errors.InternalError(None, None, text),
        "mxnet": lambda text: framework.mx.base.MXNetError(text),
        "jax": lambda text: framework.jax.errors.JaxRuntimeError(text),
    }
    errors += [kind[backend](text) for text in words]
    errors.append(MemoryError("Unable to allocate 1 TiB"))
    for error in errors:
        out = pytest.raises(MemoryError, match="batch of 512 on cuda:0")
        with out, framework.memory_errors(512, "cuda:0"):
            raise error
    with pytest.raises(RuntimeError, match="something else"), framework.memory_errors(1, "cpu"):
        raise RuntimeError("something else")


@pytest.mark.skipif("torch" not in TOLD, reason="PyTorch's alone")
@pytest.mark.parametrize("name", ["gaussian", "dcgan", "mlp", "ema"])
def test_a_graph_makes_the_same_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copying, the counting and the going back; what a GPU does with a graph is not in it."""
    from ganref.torch.fast import cuda_graph

    def run_instead(step: Any, device: Any) -> Any:
        for _ in range(cuda_graph.WARM_UPS):
            step()
        result = step()
        return (lambda: result.copy_(step())), result

    monkeypatch.setattr(cuda_graph, "capture", run_instead)
    recipe = narrow("dcgan32").replace(ema=0.9, fresh_Z=True) if name == "ema" else narrow(name)
    (X, Z), more = draws(recipe, 4)
    eager, graphed = (_gan("torch", recipe, dtype="float64", compile="off") for _ in range(2))
    nets = graphed.net_D, graphed.net_G, graphed.trainer_D, graphed.trainer_G
    graphed._steps = cuda_graph.GraphedSteps(recipe, *nets, eager._steps)
    expected = eager.train_trace(X, Z, **more)
    parts = []
    for part in (slice(0, 1), slice(1, 4)):
        own: dict[str, Any] = {"masks": {n: mask[part] for n, mask in more["masks"].items()}}
        own["Z_G"] = None if more["Z_G"] is None else more["Z_G"][part]
        parts.append(graphed.train_trace(X[part], Z[part], **own))
    assert np.array_equal(np.concatenate(parts, axis=1), expected)
    state = eager.state()
    assert all(np.array_equal(a, state[n]) for n, a in graphed.state().items())


@pytest.mark.skipif("torch" not in TOLD, reason="PyTorch's alone")
def test_an_adam_whose_epsilon_changes_is_not_captured() -> None:
    from ganref.torch.fast import cuda_graph

    toy = ganref.recipe("gaussian")
    assert cuda_graph.why_launched(toy, "auto") == ""
    assert "epsilon" in cuda_graph.why_launched(ganref.with_tab(toy, "tensorflow"), "auto")


@pytest.mark.parametrize("name", ["gaussian", "dcgan", "mlp"])
def test_a_gpu_computes_the_same(framework: str, name: str) -> None:
    if len(ganref.load_backend(framework).devices()) < 2:
        pytest.skip("no GPU")
    recipe = narrow(name)
    (X, Z), more = draws(recipe, 3)
    exact = _gan("numpy", recipe, dtype="float64").train_steps(X, Z, **more)
    for compile in ("on", "off"):
        gan = _gan(framework, recipe, device="cuda", dtype="float64", compile=compile)
        assert difference(gan.train_steps(X, Z, **more), exact) < 1e-9
