"""What the framework offers here: versions, devices, threads, numbers.

MXNet 1.9.1, its last release, is of 2022. This is the one place that imports it, with the help that
it needs today.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy

from ganref.spec.errors import UserError
from ganref.spec.precision import check_dtype


def _import() -> Any:
    """MXNet itself. Raises ImportError where it cannot work."""
    if int(numpy.__version__.split(".")[0]) >= 2:
        raise ImportError(f"MXNet 1.9.1 needs NumPy < 2, not {numpy.__version__}")
    if sys.version_info >= (3, 12):
        importlib.import_module("setuptools")  # it brings distutils back
    # Read once by OpenMP, which MXNet otherwise leaves with one thread, for everybody.
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    # An alias that NumPy 1.24 took away; MXNet reads it again whenever it indexes by a mask.
    if "bool" not in vars(numpy):
        numpy.bool = bool  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own old Python
        return importlib.import_module("mxnet")


mx = _import()
autograd, gluon, np, npx = mx.autograd, mx.gluon, mx.np, mx.npx
# Scalars, and arrays that follow NumPy's rules: the semantics of d2l's tab.
npx.set_np()


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
    """The device to use ("cuda" is the first one). Raises UserError for one that is not here."""
    name = "cuda:0" if device == "cuda" else device
    if name not in devices():
        raise UserError(f"MXNet has no device {device!r} here; there are {', '.join(devices())}")
    return mx.cpu() if name == "cpu" else mx.gpu(int(name.removeprefix("cuda:")))


def resolve_dtype(dtype: str, device: str) -> str:
    """The type of the weights. Raises UserError for a precision that the device does not have."""
    check_dtype(dtype, dtypes(device), "MXNet", device)
    return dtype


def set_threads(threads: int) -> int:
    """How many cores the framework may use. Returns how many it could use before."""
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
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except mx.base.MXNetError as error:
        if "memory" in str(error).lower():
            raise MemoryError(f"a batch of {batch_size} on {device}") from error
        raise


def free_memory(device: Any) -> int:
    """Bytes that are free on a GPU."""
    return int(mx.context.gpu_memory_info(device.device_id)[0])


def detach(array: Any) -> Any:
    """The same memory without its history. The method alone gives an array of the old semantics."""
    return array.detach().as_np_ndarray()


def _num_gpus() -> int:
    try:
        return int(mx.context.num_gpus())
    except mx.base.MXNetError:  # a build for CUDA on a machine without a driver
        return 0
