"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from ganref.spec.errors import UserError
from ganref.spec.precision import check_dtype, processor_has_bfloat16, storage
from ganref.spec.steps import from_bytes

Tensor: TypeAlias = torch.Tensor
Gradients: TypeAlias = Sequence[Tensor]  # in the network's order
Gather: TypeAlias = Callable[[Gradients], Gradients]  # one worker's become those of all
Masks = dict[str, Tensor]  # of dropout, by the layer's name
Method = TypeVar("Method", bound=Callable[..., Any])


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
    """The device by the framework's own name ("cuda" is the first GPU). Raises UserError for one
    that is not here."""
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


def placed(method: Method) -> Method:
    """Run a method's operations on its GAN's device."""
    return method  # a tensor says itself where it lies


def to_tensor(array: np.ndarray, dtype: torch.dtype, device: str, axes: int) -> Tensor:
    """An array on the device; the last `axes` are an example's, three of them an image's."""
    tensor = torch.tensor(array, dtype=dtype)
    if device == "cpu":
        return tensor
    # From pinned memory a copy goes on beside the computation.
    return tensor.pin_memory().to(device, non_blocking=True)


def to_mask(mask: np.ndarray, dtype: torch.dtype, device: str) -> Tensor:
    """A mask of dropout on the device, or shares as numbers of that type."""
    return to_tensor(mask, torch.bool if mask.dtype == bool else dtype, device, 0)


def to_array(tensor: Tensor) -> np.ndarray:
    """A copy in NumPy; images as channels, rows, columns."""
    return np.array(tensor.detach().cpu().numpy(), order="C")


def keep(data: np.ndarray, device: str) -> Tensor | None:
    """A data set (N, *data) on the device, as it is; None where there is no room."""
    if device != "cpu" and torch.cuda.mem_get_info(device)[0] < 4 * data.nbytes:
        return None  # training wants room too
    return torch.tensor(data, device=device)


def gather(kept: Tensor, rows: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Examples (k, B, *data) of a kept data set, bytes in [-1, 1]."""
    examples = kept[torch.tensor(rows, device=kept.device)]
    x = examples.to(dtype)
    if examples.dtype != torch.uint8:
        return x
    # By a tensor: GPUs would multiply by 1/255 instead, which rounds differently.
    return from_bytes(x, torch.full((), 255.0, dtype=x.dtype, device=x.device))


def detach(tensor: Tensor) -> Tensor:
    """The same numbers without their history."""
    return tensor.detach()


def stack(rows: Sequence[Any], like: Tensor) -> Tensor:
    """The rows (k, 5) of k steps, in the type of `like`."""
    return torch.stack([number for row in rows for number in row]).reshape(-1, 5)


def matmul(
    a: np.ndarray, b: np.ndarray, dtype: str = "float32", device: str = "cpu"
) -> Callable[[], Any]:
    """A function that makes the product of two square matrices in that precision, to its end."""
    own = resolve_dtype(dtype, device)  # it settles what float32 is rounded to
    kind = torch.bfloat16 if dtype == "bfloat16" else own
    x, y = (torch.from_numpy(m).to(device, kind) for m in (a, b))
    out = torch.empty_like(x)

    def product() -> None:
        torch.mm(x, y, out=out)
        if device != "cpu":
            torch.cuda.synchronize(device)

    return product


def peak_memory(device: str) -> int | None:
    """The most bytes that were in use on a GPU; None where nobody counts."""
    return None if device == "cpu" else int(torch.cuda.max_memory_allocated(device))
