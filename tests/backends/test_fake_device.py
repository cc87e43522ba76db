"""What a GPU needs, under a fake layer of devices: choice, switches, room, fallbacks, words."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cases import draws, narrow
from fakes import FREE, framework_of, two_gpus
from told import TOLD

import ganref
from ganref import cli
from ganref.cli.start import GPU_FLOPS
from ganref.spec import UserError

needs_torch = pytest.mark.skipif("torch" not in TOLD, reason="PyTorch's alone")
needs_tf = pytest.mark.skipif("tf" not in TOLD, reason="TensorFlow's alone")
needs_jax = pytest.mark.skipif("jax" not in TOLD, reason="JAX's alone")


def _gan(backend: str, recipe: ganref.Recipe, **how: Any) -> Any:
    return ganref.load_backend(backend).create(recipe, ganref.initial_weights(recipe), **how)


# Choice.


def test_devices_are_named_by_their_index(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = two_gpus(monkeypatch, framework)
    assert here.devices() == ["cpu", "cuda:0", "cuda:1"]
    for name in ("cuda:2", "gpu"):
        with pytest.raises(UserError, match="there (are|is) cpu, cuda:0, cuda:1"):
            here.resolve_device(name)


@pytest.mark.parametrize("capability, mixed", [((7, 5), []), ((9, 0), ["tf32", "bfloat16"])])
def test_precisions_are_those_of_the_generation(
    framework: str, capability: tuple[int, int], mixed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = two_gpus(monkeypatch, framework, capability)
    mixed = [] if framework == "mxnet" else mixed
    assert here.dtypes("cuda:1") == ["float32", "float64", *mixed]


def test_auto_takes_what_is_sooner_done(
    framework: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    two_gpus(monkeypatch, framework)
    toy, images = ganref.recipe("gaussian"), ganref.recipe("dcgan")
    with caplog.at_level(logging.WARNING, "ganref"):
        assert cli.pick_device(framework, "auto", images) == "cuda:0" and not caplog.text
        assert cli.pick_device(framework, "auto", toy) == "cpu"
    assert "gaussian, 3,392 FLOPs, is sooner done on the processor; --device cuda" in caplog.text
    assert cli.pick_device(framework, "cuda", toy) == "cuda:0"
    assert cli.pick_device(framework, "cuda:1", toy) == "cuda:1"
    small = toy.flops_per_example * toy.batch_size
    assert small < GPU_FLOPS < images.flops_per_example


def test_auto_says_nothing_where_there_is_no_gpu(caplog: pytest.LogCaptureFixture) -> None:
    assert cli.pick_device("numpy", "auto", ganref.recipe("dcgan")) == "cpu"
    assert not caplog.text


# The process's switches.


def _switches(framework: str, here: Any) -> tuple[Any, ...]:
    """(what rounds float32, what makes a GPU repeat itself), as they stand now."""
    if framework == "torch":
        backends = here.torch.backends
        rounding = backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision
        return rounding, backends.cudnn.deterministic
    if framework == "tf":
        switches = here.switches
        rounds = switches.tensor_float_32_execution_enabled()
        return rounds, switches.is_op_determinism_enabled()
    return here.jax.config.jax_default_matmul_precision, None


SWITCHES = {  # what they are while float32 and tf32 are computed
    "torch": {"float32": (("ieee", "ieee"), True), "tf32": (("tf32", "tf32"), True)},
    "tf": {"float32": (False, True), "tf32": (True, True)},
    "jax": {"float32": ("highest", None), "tf32": ("tensorfloat32", None)},
}


@pytest.mark.parametrize("name", [name for name in TOLD if name in SWITCHES])
def test_switches_hold_while_it_computes_and_are_then_as_they_were(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = two_gpus(monkeypatch, name)
    before = _switches(name, here)
    for dtype, expected in SWITCHES[name].items():
        here.resolve_dtype(dtype, "cuda:0")  # asking leaves nothing behind
        assert _switches(name, here) == before
        with here.computing(dtype, "cuda:0"):
            assert _switches(name, here) == expected
            with here.computing("float32", "cuda:0"):
                assert _switches(name, here) == SWITCHES[name]["float32"]
            assert _switches(name, here) == expected
        with pytest.raises(ZeroDivisionError), here.computing(dtype, "cuda:0"):
            raise ZeroDivisionError
        assert _switches(name, here) == before


@pytest.mark.parametrize("name", [name for name in TOLD if name in SWITCHES])
def test_every_method_of_a_gan_runs_under_its_switches(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, gan = framework_of(name), _gan(name, narrow("gaussian"))
    seen: dict[str, Any] = {}

    @contextlib.contextmanager
    def computing(dtype: str, device: str) -> Any:
        seen[method] = dtype, device
        yield

    monkeypatch.setattr(here, "computing", computing)
    (X, Z), _ = draws(gan.recipe, 1)
    gan.device, gan.dtype = "cuda:1", "tf32"  # what the switches are asked for
    calls = {
        "train_trace": (X, Z), "hold": (X[0],), "update_D": (X[0], Z[0]), "update_G": (Z[0],),
        "gradients": (X[0], Z[0]), "generate": (Z[0],), "discriminate": (X[0],),
        "load_state": (gan.state(),),
    }  # fmt: skip
    for method, args in calls.items():
        getattr(gan, method)(*args)
    assert seen == dict.fromkeys(calls, ("tf32", "cuda:1"))


@needs_torch
def test_before_its_words_pytorch_has_other_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch 2.6 to 2.8, which `torch>=2.6` admits."""
    here = framework_of("torch")

    class Switches(SimpleNamespace):  # as modules are, it is itself
        __hash__ = object.__hash__

    matmul = Switches(allow_tf32=False)
    cudnn = Switches(allow_tf32=True, deterministic=False)
    backends = SimpleNamespace(cuda=SimpleNamespace(matmul=matmul), cudnn=cudnn)
    monkeypatch.setattr(here, "torch", SimpleNamespace(backends=backends))
    for dtype, expected in (("float32", False), ("tf32", True)):
        with here.computing(dtype, "cuda:0"):
            assert matmul.allow_tf32 is cudnn.allow_tf32 is expected and cudnn.deterministic
        assert (matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic) == (False, True, False)


@needs_tf
def test_tensorflow_repeats_itself_with_what_a_gan_is_made_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None of the operations of the recipes is one that refuses when it has to be deterministic."""
    here = framework_of("tf")
    for name in ("dcgan", "mlp"):
        recipe = narrow(name)
        (X, Z), more = draws(recipe, 1)
        plain, strict = (_gan("tf", recipe, compile="off") for _ in range(2))
        with here.computing("float32", "cuda:0"):
            found = strict.train_steps(X, Z, **more)
        assert np.allclose(found, plain.train_steps(X, Z, **more), rtol=1e-5)


@needs_jax
@pytest.mark.parametrize(
    "flags, gpu, expected",
    [
        ("", True, "--xla_gpu_deterministic_ops=true"),
        ("--a=1", True, "--a=1 --xla_gpu_deterministic_ops=true"),
        ("--xla_gpu_deterministic_ops=false", True, "--xla_gpu_deterministic_ops=false"),
        ("", False, ""),
    ],
)
def test_xla_is_told_to_repeat_itself_before_it_starts(
    flags: str, gpu: bool, expected: str
) -> None:
    program = f"""
import importlib.util, os
real = importlib.util.find_spec
importlib.util.find_spec = lambda n, *a: {gpu} if n == "jax_cuda12_plugin" else real(n, *a)
os.environ["XLA_FLAGS"] = {flags!r}
import sys
sys.modules["jax"] = None  # what comes before it is what is asked about
try:
    import ganref.jax.framework
except ImportError:
    print(os.environ["XLA_FLAGS"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr


# Room, and what is counted.


def test_data_are_held_where_there_is_room(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = two_gpus(monkeypatch, framework)
    data = np.zeros((FREE[1] // 4 + 8, 1))
    if framework == "mxnet":
        place = SimpleNamespace(device_type="gpu", device_id=1)
    else:
        place = here.resolve_device("cuda:1")
    assert here.keep(data, place) is None
    assert here.keep(data, here.resolve_device("cpu")) is not None


@pytest.mark.parametrize("name", [n for n in TOLD if n in ("torch", "tf", "jax")])
def test_data_that_do_not_fit_after_all_are_not_held(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = two_gpus(monkeypatch, name)
    error = {
        "torch": lambda: here.torch.OutOfMemoryError("CUDA out of memory"),
        "tf": lambda: here.tf.errors.ResourceExhaustedError(None, None, "OOM"),
        "jax": lambda: here.jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"),
    }[name]()

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    owner, what = {
        "torch": lambda: (here.torch, "tensor"), "tf": lambda: (here.tf, "constant"),
        "jax": lambda: (here, "to_tensor"),
    }[name]()  # fmt: skip
    monkeypatch.setattr(owner, what, fail)
    assert here.keep(np.zeros((8, 1)), here.resolve_device("cuda:0")) is None


@needs_torch
def test_pytorch_waits_for_and_counts_the_device_that_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, asked = two_gpus(monkeypatch, "torch"), []
    real = here.torch.Tensor.to

    def to(tensor: Any, place: Any, kind: Any = None, **how: Any) -> Any:
        asked.append(("to", place))
        return real(tensor, kind or tensor.dtype)

    monkeypatch.setattr(here.torch.Tensor, "to", to)
    monkeypatch.setattr(here.torch.cuda, "synchronize", lambda d: asked.append(("wait", d)))
    monkeypatch.setattr(
        here.torch.cuda, "max_memory_allocated", lambda d: asked.append(("peak", d)) or 5
    )
    a = np.ones((4, 4), np.float32)
    here.matmul(a, a, "bfloat16", "cuda:1")()
    assert asked == [("to", "cuda:1"), ("to", "cuda:1"), ("wait", "cuda:1")]
    assert here.peak_memory("cuda") == here.peak_memory("cuda:1") == 5
    assert asked[3:] == [("peak", "cuda:0"), ("peak", "cuda:1")]


@needs_tf
def test_tensorflow_counts_the_device_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    here, asked = two_gpus(monkeypatch, "tf"), []
    count = lambda place: asked.append(place) or {"peak": 7}  # noqa: E731
    monkeypatch.setattr(here.tf.config.experimental, "get_memory_info", count)
    assert here.peak_memory("cuda") == here.peak_memory("cuda:1") == 7
    assert asked == ["GPU:0", "GPU:1"]


@needs_jax
def test_jax_counts_the_device_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    here = two_gpus(monkeypatch, "jax")
    assert [here.peak_memory(f"cuda:{i}") for i in FREE] == list(FREE.values())


@needs_torch
def test_what_goes_to_a_gpu_goes_from_pinned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    here, pinned, sent = framework_of("torch"), [], []
    empty, to = here.torch.empty, here.torch.Tensor.to

    def fake_empty(shape: Any, dtype: Any = None, pin_memory: bool = False) -> Any:
        pinned.append(empty(shape, dtype=dtype))
        assert pin_memory
        return pinned[-1]

    def fake_to(tensor: Any, device: str, non_blocking: bool = False) -> Any:
        sent.append((tensor.data_ptr(), device, non_blocking))
        return to(tensor, "cpu")

    monkeypatch.setattr(here.torch, "empty", fake_empty)
    monkeypatch.setattr(here.torch.Tensor, "to", fake_to)
    array = np.arange(12.0).reshape(3, 4)[:, ::2]
    found = here.to_tensor(array, here.torch.float32, "cuda:1", 1)
    assert np.array_equal(found.numpy(), array)
    assert sent == [(pinned[0].data_ptr(), "cuda:1", True)]


# Fallbacks.


@needs_torch
@pytest.mark.parametrize("name", ["gaussian", "dcgan", "ema"])
def test_a_capture_that_fails_loses_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganref.torch.fast import cuda_graph

    def fail(step: Any, device: Any) -> Any:
        for _ in range(cuda_graph.WARM_UPS):
            step()
        raise RuntimeError("CUDA error: operation not permitted when\nstream is capturing")

    monkeypatch.setattr(cuda_graph, "capture", fail)
    recipe = narrow("dcgan32").replace(ema=0.9, fresh_Z=True) if name == "ema" else narrow(name)
    (X, Z), more = draws(recipe, 3)
    eager, graphed = (_gan("torch", recipe, dtype="float64", compile="off") for _ in range(2))
    nets = graphed.net_D, graphed.net_G, graphed.trainer_D, graphed.trainer_G
    graphed._steps = cuda_graph.GraphedSteps(recipe, *nets, graphed._steps)
    assert graphed.compiled == "yes"
    with pytest.warns(UserWarning, match="one by one; no CUDA graph: CUDA error"):
        found = graphed.train_trace(X, Z, **more)
    assert np.array_equal(found, eager.train_trace(X, Z, **more))
    assert graphed.compiled.startswith("no CUDA graph: CUDA error: operation not permitted when st")
    assert np.array_equal(graphed.train_trace(X, Z, **more), eager.train_trace(X, Z, **more))
    state = eager.state()
    assert all(np.array_equal(a, state[n]) for n, a in graphed.state().items())


@needs_torch
def test_a_capture_is_made_on_the_stream_of_its_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganref.torch.fast import cuda_graph

    told: list[Any] = []

    class Stream(SimpleNamespace):
        def wait_stream(self, other: Any) -> None:
            told.append((self.name, "waits for", other.name))

    own, current = Stream(name="own"), Stream(name="current")

    @contextlib.contextmanager
    def within(what: str, stream: Any) -> Any:
        told.append((what, getattr(stream, "name", stream)))
        yield

    cuda = SimpleNamespace(
        device=lambda device: within("device", device),
        Stream=lambda: own,
        CUDAGraph=lambda: SimpleNamespace(replay="replay"),
        current_stream=lambda: current,
        stream=lambda stream: within("stream", stream),
        graph=lambda graph, stream=None: within("graph", stream),
    )
    monkeypatch.setattr(cuda_graph, "torch", SimpleNamespace(cuda=cuda))
    count = iter(range(100))
    found = cuda_graph.capture(lambda: told.append("step") or next(count), "cuda:1")
    assert found == ("replay", cuda_graph.WARM_UPS)
    assert told == [
        ("device", "cuda:1"), ("own", "waits for", "current"), ("stream", "own"),
        *["step"] * cuda_graph.WARM_UPS, ("graph", "own"), "step", ("current", "waits for", "own"),
    ]  # fmt: skip


@needs_tf
def test_without_an_assembler_tensorflow_makes_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    here = framework_of("tf")
    from ganref.tf.fast import xla

    def broken(step: Any) -> Any:
        def loop(*_: Any) -> Any:
            raise here.tf.errors.InternalError(
                None, None, "libdevice not found at ./libdevice.10.bc"
            )

        return loop

    monkeypatch.setattr(xla, "compile_loop", broken)
    recipe = narrow("gaussian")
    (X, Z), more = draws(recipe, 3)
    gan, plain = (_gan("tf", recipe, dtype="float64", compile=c) for c in ("on", "off"))
    with pytest.warns(UserWarning, match="no ptxas or libdevice"):
        found = gan.train_steps(X, Z, **more)
    assert np.allclose(found, plain.train_steps(X, Z, **more), rtol=1e-12)
    assert "tensorflow[and-cuda]" in gan.compiled


@needs_jax
def test_without_an_assembler_jax_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    here, gan = framework_of("jax"), _gan("jax", narrow("gaussian"))
    (X, Z), _ = draws(gan.recipe, 1)

    def steps(*_: Any) -> Any:
        raise here.jax.errors.JaxRuntimeError("UNIMPLEMENTED: ptxas ptxas too old")

    monkeypatch.setattr(gan, "_steps", steps)
    gan.device = "cuda:0"
    with pytest.raises(UserError, match=r"no ptxas.*jax\[cuda12\]"):
        gan.train_steps(X, Z)


def test_samples_and_scores_that_do_not_fit_name_their_number(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan = _gan(backend, narrow("gaussian"))

    def run(*_: Any, **__: Any) -> Any:
        raise MemoryError("Unable to allocate 1 TiB")

    for net in (gan.net_G, gan.net_D):
        monkeypatch.setattr(type(net), "run", run)
    for ask in (gan.generate, gan.discriminate):
        with pytest.raises(MemoryError, match="a batch of 3 on cpu"):
            ask(np.zeros((3, 2)))
