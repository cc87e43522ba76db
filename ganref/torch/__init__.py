"""The PyTorch backend."""

from .framework import devices, dtypes, set_threads, version
from .gan import GAN, create

__all__ = ["GAN", "create", "devices", "dtypes", "set_threads", "version"]
