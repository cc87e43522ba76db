"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from ganref.spec.errors import UserError
from ganref.spec.precision import check_dtype


def version() -> str:
    """The framework's name and version."""
    return f"NumPy {np.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    return ["cpu"]


def dtypes(device: str = "cpu") -> list[str]:
    """What `dtype` may be on that device."""
    return ["float32", "float64"]


def resolve_device(device: str) -> str:
    """The device to use. Raises UserError for one that is not here."""
    if device not in devices():
        raise UserError(f"NumPy has no device {device!r}; there is cpu")
    return device


def resolve_dtype(dtype: str, device: str) -> np.dtype:
    """The type of the weights. Raises UserError for a precision that the device does not have."""
    check_dtype(dtype, dtypes(device), "NumPy", device)
    return np.dtype(dtype)


def set_threads(threads: int) -> None:
    """How many cores the framework may use: a matter of NumPy's BLAS library."""
    try:
        import threadpoolctl
    except ImportError:  # it comes with scikit-learn; without it BLAS keeps its own count
        return
    threadpoolctl.threadpool_limits(threads, user_api="blas")


@contextlib.contextmanager
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except MemoryError as error:
        raise MemoryError(f"a batch of {batch_size} on {device}") from error
