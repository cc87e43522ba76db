"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

from ganref.spec.errors import UserError
from ganref.spec.precision import check_dtype
from ganref.spec.steps import from_bytes

Tensor: TypeAlias = np.ndarray
Gradients: TypeAlias = np.ndarray  # all in one vector, as the weights are
Gather: TypeAlias = Callable[[Gradients], Gradients]  # one worker's become those of all
Masks = dict[str, Tensor]  # of dropout, by the layer's name
Method = TypeVar("Method", bound=Callable[..., Any])


def version() -> str:
    """The framework's name and version."""
    return f"NumPy {np.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    return ["cpu"]


def dtypes(device: str = "cpu") -> list[str]:
    """What `dtype` may be on that device."""
    return ["float32", "float64"]


def resolve_device(device: str) -> str:
    """The device by the framework's own name ("cuda" is the first GPU). Raises UserError for one
    that is not here."""
    if device not in devices():
        raise UserError(f"NumPy has no device {device!r}; there is cpu")
    return device


def resolve_dtype(dtype: str, device: str) -> np.dtype:
    """The type of the weights. Raises UserError for a precision that the device does not have."""
    check_dtype(dtype, dtypes(device), "NumPy", device)
    return np.dtype(dtype)


def set_threads(threads: int) -> None:
    """How many cores the framework may use."""
    try:  # a matter of NumPy's BLAS library
        import threadpoolctl
    except ImportError:  # it comes with scikit-learn; without it BLAS keeps its own count
        return
    threadpoolctl.threadpool_limits(threads, user_api="blas")


@contextlib.contextmanager
def computing(dtype: str, device: str) -> Iterator[None]:
    """While it lasts, what is made on that device is made in that precision, and in the same way
    every time; then the process's switches are as they were."""
    yield  # NumPy has no switches


@contextlib.contextmanager
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except MemoryError as error:
        raise MemoryError(f"a batch of {batch_size} on {device}") from error


def placed(method: Method) -> Method:
    """Run a method's operations on its GAN's device."""
    return method  # there is one


def to_tensor(array: np.ndarray, dtype: np.dtype, device: str, axes: int) -> Tensor:
    """An array on the device; the last `axes` are an example's, three of them an image's."""
    return np.asarray(array, dtype)


def to_mask(mask: np.ndarray, dtype: np.dtype, device: str) -> Tensor:
    """A mask of dropout on the device, or shares as numbers of that type."""
    return mask if mask.dtype == bool else mask.astype(dtype)


def to_array(tensor: Tensor) -> np.ndarray:
    """A copy in NumPy; images as channels, rows, columns."""
    return tensor.copy()


def keep(data: np.ndarray, device: str) -> Tensor | None:
    """A data set (N, *data) on the device, as it is; None where there is no room."""
    return data


def gather(kept: Tensor, rows: np.ndarray, dtype: np.dtype) -> Tensor:
    """Examples (k, B, *data) of a kept data set, bytes in [-1, 1]."""
    examples = kept[rows]
    x = examples.astype(dtype)
    return from_bytes(x) if examples.dtype == np.uint8 else x


def detach(tensor: Tensor) -> Tensor:
    """The same numbers without their history."""
    return tensor  # an array has none


def stack(rows: Sequence[Any], like: Tensor) -> Tensor:
    """The rows (k, 5) of k steps, in the type of `like`."""
    return np.array(rows, like.dtype)


def matmul(
    a: np.ndarray, b: np.ndarray, dtype: str = "float32", device: str = "cpu"
) -> Callable[[], Any]:
    """A function that makes the product of two square matrices in that precision, to its end."""
    kind = resolve_dtype(dtype, device)
    x, y = a.astype(kind), b.astype(kind)
    out = np.empty_like(x)
    return lambda: np.matmul(x, y, out=out)


def peak_memory(device: str) -> int | None:
    """The most bytes that were in use on a GPU; None where nobody counts."""
    return None
