"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from ganref.spec.errors import UserError, says_assembler, says_memory
from ganref.spec.precision import check_dtype, storage
from ganref.spec.processor import has_bfloat16
from ganref.spec.steps import from_bytes

# All are read once: not all of a GPU's memory at once, and no remarks below a warning.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Whoever asks for a device starts XLA, and with it this many threads.
os.environ.setdefault("NPROC", os.environ.get("OMP_NUM_THREADS", str(os.cpu_count() or 1)))
# Without it a GPU adds in any order. Who has set it keeps it; XLA ends a process over a flag that
# it does not know, so it is set beside a build for GPUs alone.
_flags, _flag = os.environ.get("XLA_FLAGS", ""), "--xla_gpu_deterministic_ops"
if _flag not in _flags and any(find_spec(f"jax_cuda{n}_plugin") for n in (12, 13)):
    os.environ["XLA_FLAGS"] = f"{_flags} {_flag}=true".strip()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

try:  # a switch of the whole process, or of the thread for as long as a context lasts
    enable_x64 = jax.enable_x64  # type: ignore[attr-defined]
except AttributeError:  # before 0.8
    from jax.experimental import enable_x64

Tensor: TypeAlias = jax.Array
Gradients: TypeAlias = Sequence[Tensor]  # in the network's order
Gather: TypeAlias = Callable[[Gradients], Gradients]  # one worker's become those of all
Masks = dict[str, Tensor]  # of dropout, by the layer's name
Method = TypeVar("Method", bound=Callable[..., Any])
NO_ASSEMBLER = (
    "XLA cannot assemble its code for this GPU (no ptxas, or one that is too old); install"
    " jax[cuda12], which brings it, or use --device cpu"
)


def version() -> str:
    """The framework's name and version."""
    return f"JAX {jax.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    return ["cpu", *(f"cuda:{i}" for i in range(len(_gpus())))]


def dtypes(device: str = "cpu") -> list[str]:
    """What `dtype` may be on that device."""
    if device == "cpu":
        return ["float32", "float64", *(["bfloat16"] if has_bfloat16() else [])]
    # Both came with the same generation of GPUs.
    ampere = float(resolve_device(device).compute_capability) >= 8.0
    return ["float32", "float64", *(["tf32", "bfloat16"] if ampere else [])]


def resolve_device(device: str) -> Any:
    """The device by the framework's own name ("cuda" is the first GPU). Raises UserError for one
    that is not here."""
    device = "cuda:0" if device == "cuda" else device
    if device not in devices():
        raise UserError(f"JAX has no device {device!r} here; there are {', '.join(devices())}")
    kind, _, index = device.partition(":")
    return jax.local_devices(backend=kind)[int(index or 0)]


def resolve_dtype(dtype: str, device: str) -> np.dtype:
    """The type of the weights. Raises UserError for a precision that the device does not have.

    What the device makes of float32 is settled where it is used: see `computing`."""
    check_dtype(dtype, dtypes(device), "JAX", device)
    return np.dtype(storage(dtype))


def set_threads(threads: int) -> None:
    """How many cores the framework may use.

    XLA settles that when it starts, from a variable of the environment."""
    from jax._src.xla_bridge import backends_are_initialized  # nobody else knows

    if not backends_are_initialized():
        os.environ["NPROC"] = str(threads)
    elif threads != int(os.environ["NPROC"]):
        warnings.warn("JAX has started already and keeps its number of threads", stacklevel=2)


@contextlib.contextmanager
def computing(dtype: str, device: str) -> Iterator[None]:
    """While it lasts, what is made on that device is made in that precision, and in the same way
    every time; then the process's switches are as they were."""
    # Where GPUs would round the factors of float32 it means all of its 24 bits.
    with jax.default_matmul_precision("tensorfloat32" if dtype == "tf32" else "highest"):
        yield


@contextlib.contextmanager
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or says_memory(error):
            raise MemoryError(f"a batch of {batch_size} on {device}") from error
        raise


@contextlib.contextmanager
def wide(device: Any) -> Iterator[None]:
    """A context on a device in which 64 bits are 64 bits, where JAX would make them 32: nothing
    else in the process changes."""
    with enable_x64(True), jax.default_device(device):
        yield


def placed(method: Method) -> Method:
    """Run a method's operations on its GAN's device."""

    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with wide(self._device), computing(self.dtype, self.device):
            try:
                return method(self, *args, **kwargs)
            except jax.errors.JaxRuntimeError as error:
                if self.device != "cpu" and says_assembler(error):
                    raise UserError(NO_ASSEMBLER) from error
                raise

    return cast(Method, run)


def to_tensor(array: np.ndarray, dtype: np.dtype, device: Any, axes: int) -> Tensor:
    """An array on the device; the last `axes` are an example's, three of them an image's."""
    if axes == 3:  # images are rows, columns, channels from here on
        array = np.moveaxis(array, -3, -1)
    # A copy: JAX would go on with the caller's memory, which may be filled anew.
    return jax.device_put(np.array(array, dtype, order="C"), device)


def to_mask(mask: np.ndarray, dtype: np.dtype, device: Any) -> Tensor:
    """A mask of dropout on the device, or shares as numbers of that type."""
    return jax.device_put(mask.astype(bool if mask.dtype == bool else dtype), device)


def to_array(tensor: Tensor) -> np.ndarray:
    """A copy in NumPy; images as channels, rows, columns."""
    array = np.asarray(tensor)
    return np.array(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array, order="C")


def keep(data: np.ndarray, device: Any) -> Tensor | None:
    """A data set (N, *data) on the device, as it is; None where there is no room."""
    memory = device.memory_stats()
    if memory and memory["bytes_limit"] - memory["bytes_in_use"] < 4 * data.nbytes:
        return None  # training wants room too
    try:
        return to_tensor(data, data.dtype, device, data.ndim - 1)
    except jax.errors.JaxRuntimeError as error:
        if says_memory(error):
            return None
        raise


def gather(kept: Tensor, rows: np.ndarray, dtype: np.dtype) -> Tensor:
    """Examples (k, B, *data) of a kept data set, bytes in [-1, 1]."""
    x = jnp.take(kept, rows, axis=0).astype(dtype)
    # By a tensor: XLA would multiply by 1/255 instead, which rounds differently.
    return from_bytes(x, jnp.full((), 255, dtype)) if kept.dtype == np.uint8 else x


def detach(tensor: Tensor) -> Tensor:
    """The same numbers without their history."""
    return lax.stop_gradient(tensor)


def stack(rows: Sequence[Any], like: Tensor) -> Tensor:
    """The rows (k, 5) of k steps, in the type of `like`."""
    return jnp.stack([jnp.stack(row) for row in rows])


def matmul(
    a: np.ndarray, b: np.ndarray, dtype: str = "float32", device: str = "cpu"
) -> Callable[[], Any]:
    """A function that makes the product of two square matrices in that precision, to its end."""
    own, place = resolve_dtype(dtype, device), resolve_device(device)
    with wide(place), computing(dtype, device):
        kind = jnp.bfloat16 if dtype == "bfloat16" else own
        x, y = (jnp.asarray(m, kind) for m in (a, b))
        compiled = jax.jit(jnp.matmul).lower(x, y).compile()
    return lambda: compiled(x, y).block_until_ready()


def peak_memory(device: str) -> int | None:
    """The most bytes that were in use on a GPU; None where nobody counts."""
    memory = resolve_device(device).memory_stats()
    return int(memory["peak_bytes_in_use"]) if memory else None


def _gpus() -> list[Any]:
    try:
        return jax.local_devices(backend="cuda")
    except RuntimeError:  # JAX was installed without, or there is none
        return []
