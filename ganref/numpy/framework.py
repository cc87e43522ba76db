"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import numpy as np

from ganref.spec.errors import UserError

DTYPES = ("float32", "float64")


def version() -> str:
    """The framework's name and version."""
    return f"NumPy {np.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    return ["cpu"]


def resolve_device(device: str) -> str:
    """The device to use. Raises UserError for one that is not here."""
    if device not in devices():
        raise UserError(f"NumPy has no device {device!r}; there is cpu")
    return device


def resolve_dtype(dtype: str) -> np.dtype:
    """The framework's type of that name. Raises UserError for one it does not have."""
    if dtype not in DTYPES:
        raise UserError(f"NumPy has no dtype {dtype!r} here; there are {', '.join(DTYPES)}")
    return np.dtype(dtype)


def set_threads(threads: int) -> None:
    """How many cores the framework may use: a matter of NumPy's BLAS library."""
    try:
        import threadpoolctl
    except ImportError:  # it comes with scikit-learn; without it BLAS keeps its own count
        return
    threadpoolctl.threadpool_limits(threads, user_api="blas")
