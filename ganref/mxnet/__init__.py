"""The MXNet backend: gluon, in NumPy semantics."""

from .framework import computing, devices, dtypes, matmul, peak_memory, set_threads, version
from .gan import GAN, create
from .peers import join

__all__ = [
    "GAN",
    "computing",
    "create",
    "devices",
    "dtypes",
    "join",
    "matmul",
    "peak_memory",
    "set_threads",
    "version",
]
