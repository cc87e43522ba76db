"""The TensorFlow backend: Keras layers, gradient tapes and XLA."""

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
