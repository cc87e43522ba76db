"""The PyTorch backend."""

import gc

_collecting = gc.isenabled()
# What PyTorch imports stays: looking through it for garbage again and again takes a third of the
# time that importing it takes.
gc.disable()
try:
    from .framework import devices, dtypes, set_threads, version
    from .gan import GAN, create
finally:
    if _collecting:
        gc.enable()

__all__ = ["GAN", "create", "devices", "dtypes", "set_threads", "version"]
