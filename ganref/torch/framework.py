"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from ganref.spec.errors import UserError
from ganref.spec.precision import check_dtype, processor_has_bfloat16, storage


def version() -> str:
    """The framework's name and version."""
    return f"PyTorch {torch.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{i}" for i in range(count))]


def dtypes(device: str = "cpu") -> list[str]:
    """What `dtype` may be on that device."""
    if device == "cpu":
        return ["float32", "float64", *(["bfloat16"] if processor_has_bfloat16() else [])]
    # Both came with the same generation of GPUs.
    ampere = torch.cuda.get_device_capability(device) >= (8, 0)
    return ["float32", "float64", *(["tf32", "bfloat16"] if ampere else [])]


def resolve_device(device: str) -> str:
    """The device to use ("cuda" is the first one). Raises UserError for one that is not here."""
    name = "cuda:0" if device == "cuda" else device
    if name not in devices():
        raise UserError(f"PyTorch has no device {device!r} here; there are {', '.join(devices())}")
    if name != "cpu":
        torch.backends.cudnn.deterministic = True  # it would pick its algorithms by itself
    return name


def resolve_dtype(dtype: str, device: str) -> torch.dtype:
    """The type of the weights. Raises UserError for a precision that the device does not have.

    What the device makes of float32 from now on is settled here: cuDNN rounds convolutions to TF32
    unless it is told not to."""
    check_dtype(dtype, dtypes(device), "PyTorch", device)
    rounding = "tf32" if dtype == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = rounding
    torch.backends.cudnn.conv.fp32_precision = rounding  # type: ignore[attr-defined]
    return getattr(torch, storage(dtype))


def set_threads(threads: int) -> None:
    """How many cores the framework may use."""
    torch.set_num_threads(threads)


@contextlib.contextmanager
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except RuntimeError as error:  # on the processor it is no more than that
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError(f"a batch of {batch_size} on {device}") from error
        raise
