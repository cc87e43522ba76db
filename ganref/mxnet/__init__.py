"""The MXNet backend: gluon, in NumPy semantics."""

from .framework import computing, devices, dtypes, matmul, peak_memory, set_threads, version
from .gan import GAN, create

__all__ = [
    "GAN",
    "computing",
    "create",
    "devices",
    "dtypes",
    "matmul",
    "peak_memory",
    "set_threads",
    "version",
]
