"""The MXNet backend: gluon, in NumPy semantics."""

from .framework import DTYPES, devices, set_threads, version
from .gan import GAN, create

__all__ = ["DTYPES", "GAN", "create", "devices", "set_threads", "version"]
