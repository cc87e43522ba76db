"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

# Read when cuBLAS starts: products repeat themselves only with a workspace that is given.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch  # noqa: E402

from ganref.spec.errors import UserError, says_memory  # noqa: E402
from ganref.spec.precision import check_dtype, storage  # noqa: E402
from ganref.spec.processor import has_bfloat16  # noqa: E402
from ganref.spec.steps import from_bytes  # noqa: E402

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
        return ["float32", "float64", *(["bfloat16"] if has_bfloat16() else [])]
    # Both came with the same generation of GPUs.
    ampere = torch.cuda.get_device_capability(device) >= (8, 0)
    return ["float32", "float64", *(["tf32", "bfloat16"] if ampere else [])]


def resolve_device(device: str) -> str:
    """The device by the framework's own name ("cuda" is the first GPU). Raises UserError for one
    that is not here."""
    name = "cuda:0" if device == "cuda" else device
    if name not in devices():
        raise UserError(f"PyTorch has no device {device!r} here; there are {', '.join(devices())}")
    return name


def resolve_dtype(dtype: str, device: str) -> torch.dtype:
    """The type of the weights. Raises UserError for a precision that the device does not have.

    What the device makes of float32 is settled where it is used: see `computing`."""
    check_dtype(dtype, dtypes(device), "PyTorch", device)
    return getattr(torch, storage(dtype))


def set_threads(threads: int) -> None:
    """How many cores the framework may use."""
    torch.set_num_threads(threads)


@contextlib.contextmanager
def computing(dtype: str, device: str) -> Iterator[None]:
    """While it lasts, what is made on that device is made in that precision, and in the same way
    every time; then the process's switches are as they were."""
    if device == "cpu":
        yield
        return
    wanted = {(torch.backends.cudnn, "deterministic"): True}
    # cuDNN rounds convolutions to TF32 unless it is told not to.
    wanted |= {switch: words[dtype == "tf32"] for switch, words in _roundings().items()}
    before = {switch: getattr(*switch) for switch in wanted}
    try:
        for (owner, name), value in wanted.items():
            setattr(owner, name, value)
        yield
    finally:
        for (owner, name), value in before.items():
            setattr(owner, name, value)


def _roundings() -> dict[tuple[Any, str], tuple[Any, Any]]:
    """What rounds float32 on a GPU, products and convolutions: a switch's two positions. They are
    words since PyTorch 2.9, which refuses to have both kinds in one process."""
    products, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    convolutions = getattr(cudnn, "conv", None)
    if hasattr(convolutions, "fp32_precision"):
        words = "ieee", "tf32"
        return {(products, "fp32_precision"): words, (convolutions, "fp32_precision"): words}
    return {(products, "allow_tf32"): (False, True), (cudnn, "allow_tf32"): (False, True)}


@contextlib.contextmanager
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # cuBLAS and cuDNN have words of their own
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or says_memory(error):
            raise MemoryError(f"a batch of {batch_size} on {device}") from error
        raise


def placed(method: Method) -> Method:
    """Run a method's operations on its GAN's device."""

    # A tensor says itself where it lies.
    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with computing(self.dtype, self.device):
            return method(self, *args, **kwargs)

    return cast(Method, run)


def to_tensor(array: np.ndarray, dtype: torch.dtype, device: str, axes: int) -> Tensor:
    """An array on the device; the last `axes` are an example's, three of them an image's."""
    if device == "cpu":
        return torch.tensor(array, dtype=dtype)
    # From pinned memory a copy goes on while the next array is made ready. It is filled directly:
    # pinning what there is would copy it once more.
    pinned = torch.empty(array.shape, dtype=dtype, pin_memory=True)
    pinned.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    return pinned.to(device, non_blocking=True)


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
    try:
        return torch.tensor(data, device=device)
    except torch.OutOfMemoryError:  # others were quicker
        return None


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
    own, place = resolve_dtype(dtype, device), resolve_device(device)
    kind = torch.bfloat16 if dtype == "bfloat16" else own
    x, y = (torch.from_numpy(m).to(place, kind) for m in (a, b))
    out = torch.empty_like(x)

    def product() -> None:
        with computing(dtype, place):
            torch.mm(x, y, out=out)
        if place != "cpu":
            torch.cuda.synchronize(place)

    return product


def peak_memory(device: str) -> int | None:
    """The most bytes that were in use on a GPU; None where nobody counts."""
    place = resolve_device(device)
    return None if place == "cpu" else int(torch.cuda.max_memory_allocated(place))
