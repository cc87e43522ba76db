"""What the framework offers here: versions, devices, threads, numbers.

MXNet 1.9.1, its last release, is of 2022. This is the one place that imports it, with the help that
it needs today.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy

from ganref.spec.errors import UserError, says_memory
from ganref.spec.precision import check_dtype
from ganref.spec.processor import instructions
from ganref.spec.steps import from_bytes
from ganref.spec.streams import quiet


def _import() -> Any:
    """MXNet itself. Raises ImportError where it cannot work."""
    if int(numpy.__version__.split(".")[0]) >= 2:
        raise ImportError(f"MXNet 1.9.1 needs NumPy < 2, not {numpy.__version__}")
    if sys.version_info >= (3, 12):
        importlib.import_module("setuptools")  # it brings distutils back
    # Read once by OpenMP, which MXNet otherwise leaves with one thread, for everybody.
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    # An alias that NumPy 1.24 took away; MXNet reads it again whenever it indexes by a mask.
    vars(numpy).setdefault("bool", bool)
    with warnings.catch_warnings(), _variables():
        warnings.simplefilter("ignore")  # about its own old Python
        return importlib.import_module("mxnet")


@contextlib.contextmanager
def _variables() -> Iterator[None]:
    """What the library reads when it is loaded; who has set a variable keeps it."""
    own = {}
    if _is_for_processors() and "DMLC_ROLE" not in os.environ:
        # Operators run in the thread that calls: a processor ends one before the next begins, and a
        # thread for them only competes with OpenMP's (10 to 35% of a step on two cores). GPUs, and
        # workers that meet, need the engine that has one.
        own["MXNET_ENGINE_TYPE"] = "NaiveEngine"
    if instructions() >= {"avx2", "fma"}:
        # Its OpenBLAS, of 2020, gives processors that came later kernels without AVX2, at half the
        # rate. NumPy's, which would read this too, is there already.
        own["OPENBLAS_CORETYPE"] = "Haswell"
    own = {name: value for name, value in own.items() if name not in os.environ}
    os.environ.update(own)
    try:
        with quiet():  # it tells which engine it starts
            yield
    finally:
        for name in own:  # not for the processes that this one may start
            del os.environ[name]


def _is_for_processors() -> bool:
    """The builds for GPUs are other distributions, mxnet-cu112 and the like."""
    try:
        return bool(importlib.metadata.version("mxnet"))
    except importlib.metadata.PackageNotFoundError:
        return False


mx = _import()
autograd, gluon, np, npx = mx.autograd, mx.gluon, mx.np, mx.npx
# Scalars, and arrays that follow NumPy's rules: the semantics of d2l's tab.
npx.set_np()

Tensor: TypeAlias = Any  # MXNet has no types to offer
Gradients: TypeAlias = Sequence[Tensor]  # in the network's order; they lie with the parameters
Gather: TypeAlias = Callable[[Gradients], Gradients]  # one worker's become those of all
Masks = dict[str, Tensor]  # of dropout, by the layer's name
Method = TypeVar("Method", bound=Callable[..., Any])


def version() -> str:
    """The framework's name and version."""
    return f"MXNet {mx.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    return ["cpu", *(f"cuda:{i}" for i in range(_num_gpus()))]


def dtypes(device: str = "cpu") -> list[str]:
    """What `dtype` may be on that device."""
    return ["float32", "float64"]


def resolve_device(device: str) -> Any:
    """The device by the framework's own name ("cuda" is the first GPU). Raises UserError for one
    that is not here."""
    name = "cuda:0" if device == "cuda" else device
    if name not in devices():
        raise UserError(f"MXNet has no device {device!r} here; there are {', '.join(devices())}")
    return mx.cpu() if name == "cpu" else mx.gpu(int(name.removeprefix("cuda:")))


def resolve_dtype(dtype: str, device: str) -> str:
    """The type of the weights. Raises UserError for a precision that the device does not have."""
    check_dtype(dtype, dtypes(device), "MXNet", device)
    return dtype


def set_threads(threads: int) -> int:
    """How many cores the framework may use.

    Returns how many it could use before."""
    # OpenMP keeps its count per thread, and it is the engine's worker that computes: the call has
    # to be made there, as if it were an operator.
    library, cpu, before = mx.base._LIB, (ctypes.c_int * 8)(1, 0), []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
    def apply(*_: Any) -> None:
        before.append(library.omp_get_max_threads())
        library.MXSetNumOMPThreads(ctypes.c_int(threads))

    mx.nd.waitall()
    nothing = (None, None, ctypes.byref(cpu), None, 0, None, 0, None, 0, b"set_threads")
    mx.base.check_call(library.MXEnginePushSync(apply, *nothing))
    mx.nd.waitall()
    return before[0]


@contextlib.contextmanager
def computing(dtype: str, device: str) -> Iterator[None]:
    """While it lasts, what is made on that device is made in that precision, and in the same way
    every time; then the process's switches are as they were."""
    yield  # float32 is float32 here; cuDNN's choices are for the environment, read once


@contextlib.contextmanager
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except (mx.base.MXNetError, MemoryError) as error:
        if isinstance(error, MemoryError) or says_memory(error):
            raise MemoryError(f"a batch of {batch_size} on {device}") from error
        raise


def placed(method: Method) -> Method:
    """Run a method's operations on its GAN's device."""
    return method  # an array says itself where it lies


def to_tensor(array: numpy.ndarray, dtype: str, device: Any, axes: int) -> Tensor:
    """An array on the device; the last `axes` are an example's, three of them an image's."""
    return np.array(numpy.asarray(array, dtype), dtype=dtype, ctx=device)


def to_mask(mask: numpy.ndarray, dtype: str, device: Any) -> Tensor:
    """A mask of dropout on the device, or shares as numbers of that type."""
    return to_tensor(mask, dtype, device, 0)


def to_array(tensor: Tensor) -> numpy.ndarray:
    """A copy in NumPy; images as channels, rows, columns."""
    return tensor.asnumpy()


def keep(data: numpy.ndarray, device: Any) -> Tensor | None:
    """A data set (N, *data) on the device, as it is; None where there is no room."""
    if device.device_type == "gpu":
        free, _ = mx.context.gpu_memory_info(device.device_id)
        if free < 4 * data.nbytes:
            return None  # training wants room too
    return np.array(data, dtype=data.dtype, ctx=device)


def gather(kept: Tensor, rows: numpy.ndarray, dtype: str) -> Tensor:
    """Examples (k, B, *data) of a kept data set, bytes in [-1, 1]."""
    own = np.array(rows.ravel(), dtype="int64", ctx=kept.ctx)
    x = np.take(kept, own, axis=0).astype(dtype).reshape(*rows.shape, *kept.shape[1:])
    return from_bytes(x) if kept.dtype == numpy.uint8 else x


def detach(tensor: Tensor) -> Tensor:
    """The same numbers without their history."""
    # The method alone gives an array of the old rules.
    return tensor.detach().as_np_ndarray()


def stack(rows: Sequence[Any], like: Tensor) -> Tensor:
    """The rows (k, 5) of k steps, in the type of `like`."""
    return np.stack([number for row in rows for number in row]).reshape(-1, 5)


def matmul(
    a: numpy.ndarray, b: numpy.ndarray, dtype: str = "float32", device: str = "cpu"
) -> Callable[[], Any]:
    """A function that makes the product of two square matrices in that precision, to its end."""
    kind = resolve_dtype(dtype, device)
    x, y = (np.array(m, dtype=kind, ctx=resolve_device(device)) for m in (a, b))
    return lambda: np.dot(x, y).wait_to_read()


def peak_memory(device: str) -> int | None:
    """The most bytes that were in use on a GPU; None where nobody counts."""
    return None


def _num_gpus() -> int:
    try:
        return int(mx.context.num_gpus())
    except mx.base.MXNetError:  # a build for CUDA on a machine without a driver
        return 0
