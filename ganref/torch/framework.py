"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import torch

from ganref.spec.errors import UserError

DTYPES = ("float32", "float64")


def version() -> str:
    """The framework's name and version."""
    return f"PyTorch {torch.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{i}" for i in range(count))]


def resolve_device(device: str) -> str:
    """The device to use ("cuda" is the first one). Raises UserError for one that is not here."""
    name = "cuda:0" if device == "cuda" else device
    if name not in devices():
        raise UserError(f"PyTorch has no device {device!r} here; there are {', '.join(devices())}")
    if name != "cpu":
        # cuDNN rounds to TF32 and picks its algorithms by itself unless it is told not to.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return name


def resolve_dtype(dtype: str) -> torch.dtype:
    """The framework's type of that name. Raises UserError for one it does not have."""
    if dtype not in DTYPES:
        raise UserError(f"PyTorch has no dtype {dtype!r} here; there are {', '.join(DTYPES)}")
    return getattr(torch, dtype)


def set_threads(threads: int) -> None:
    """How many cores the framework may use."""
    torch.set_num_threads(threads)
