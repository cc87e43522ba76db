"""What the framework offers here: versions, devices, threads, numbers."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from ganref.spec.errors import UserError, says_memory
from ganref.spec.precision import check_dtype, storage
from ganref.spec.processor import has_bfloat16
from ganref.spec.steps import from_bytes
from ganref.spec.streams import quiet

# All are read once, at import. The log level leaves six lines of TensorFlow's start all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's convolutions: TensorFlow takes its own on processors without AVX-512's newer parts, which
# are two to three times slower there (measured).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # not all of a GPU's memory at once
if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = "tensorflow"
with quiet():
    import keras
    import tensorflow as tf
    from tensorflow.python.client import device_lib
    from tensorflow.python.framework import config as switches  # the public ones cannot go back

    _GPUS = tf.config.list_physical_devices("GPU")

if keras.backend.backend() != "tensorflow":
    raise ImportError(f"Keras runs on {keras.backend.backend()} in this process")

Tensor: TypeAlias = tf.Tensor
Gradients: TypeAlias = Sequence[Tensor]  # in the network's order
Gather: TypeAlias = Callable[[Gradients], Gradients]  # one worker's become those of all
Masks = dict[str, Tensor]  # of dropout, by the layer's name
Method = TypeVar("Method", bound=Callable[..., Any])


def version() -> str:
    """The framework's name and version."""
    return f"TensorFlow {tf.__version__} / Keras {keras.__version__}"


def devices() -> list[str]:
    """The devices that can be named here, the processor first."""
    return ["cpu", *(f"cuda:{i}" for i in range(len(_GPUS)))]


def dtypes(device: str = "cpu") -> list[str]:
    """What `dtype` may be on that device."""
    if device == "cpu":
        return ["float32", "float64", *(["bfloat16"] if has_bfloat16() else [])]
    details = tf.config.experimental.get_device_details(_GPUS[int(device.partition(":")[2] or 0)])
    # Both came with the same generation of GPUs.
    ampere = details.get("compute_capability", (0, 0)) >= (8, 0)
    return ["float32", "float64", *(["tf32", "bfloat16"] if ampere else [])]


def resolve_device(device: str) -> str:
    """The device by the framework's own name ("cuda" is the first GPU). Raises UserError for one
    that is not here."""
    device = "cuda:0" if device == "cuda" else device
    if device not in devices():
        raise UserError(f"TensorFlow has no device {device!r}; there is {', '.join(devices())}")
    with quiet():  # the first call starts the devices, and GPUs introduce themselves
        tf.config.list_logical_devices()
    return device.replace("cpu", "/CPU:0").replace("cuda", "/GPU")


def resolve_dtype(dtype: str, device: str) -> tf.DType:
    """The type of the weights. Raises UserError for a precision that the device does not have.

    What the device makes of float32 is settled where it is used: see `computing`."""
    check_dtype(dtype, dtypes(device), "TensorFlow", device)
    return tf.as_dtype(storage(dtype))


def set_threads(threads: int) -> None:
    """How many cores the framework may use.

    TensorFlow settles that with its first operation."""
    config = tf.config.threading
    cores = len(os.sched_getaffinity(0))  # what TensorFlow takes if nobody says anything
    if threads == (config.get_intra_op_parallelism_threads() or cores):
        return
    try:
        config.set_intra_op_parallelism_threads(threads)
        config.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        warnings.warn(
            "TensorFlow has started already and keeps its number of threads", stacklevel=2
        )


@contextlib.contextmanager
def computing(dtype: str, device: str) -> Iterator[None]:
    """While it lasts, what is made on that device is made in that precision, and in the same way
    every time; then the process's switches are as they were."""
    if device == "cpu":
        yield
        return
    rounding, repeating = (
        switches.tensor_float_32_execution_enabled(),
        switches.is_op_determinism_enabled(),
    )
    # TensorFlow lets newer GPUs drop 13 bits of every factor unless it is told not to.
    switches.enable_tensor_float_32_execution(dtype == "tf32")
    switches.enable_op_determinism()
    try:
        yield
    finally:
        switches.enable_tensor_float_32_execution(rounding)
        if not repeating:
            switches.disable_op_determinism()


@contextlib.contextmanager
def memory_errors(batch_size: int, device: str) -> Iterator[None]:
    """Whatever the framework says when memory runs out, as a MemoryError that names the batch."""
    try:
        yield
    except (tf.errors.OpError, MemoryError) as error:  # XLA and cuDNN raise others of them
        exhausted = isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError))
        if exhausted or says_memory(error):
            raise MemoryError(f"a batch of {batch_size} on {device}") from error
        raise


def placed(method: Method) -> Method:
    """Run a method's operations on its GAN's device."""

    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with tf.device(self._device), computing(self.dtype, self.device):
            return method(self, *args, **kwargs)

    return cast(Method, run)


def to_tensor(array: np.ndarray, dtype: tf.DType, device: str, axes: int) -> Tensor:
    """An array on the device; the last `axes` are an example's, three of them an image's."""
    if axes == 3:  # images are rows, columns, channels from here on
        array = np.moveaxis(array, -3, -1)
    return tf.constant(np.asarray(array, dtype.as_numpy_dtype))


def to_mask(mask: np.ndarray, dtype: tf.DType, device: str) -> Tensor:
    """A mask of dropout on the device, or shares as numbers of that type."""
    return tf.constant(mask, None if mask.dtype == bool else dtype)


def to_array(tensor: Tensor) -> np.ndarray:
    """A copy in NumPy; images as channels, rows, columns."""
    return (tf.transpose(tensor, (0, 3, 1, 2)) if tensor.shape.rank == 4 else tensor).numpy()


def keep(data: np.ndarray, device: str) -> Tensor | None:
    """A data set (N, *data) on the device, as it is; None where there is no room."""
    free = _free_memory(device)
    if free is not None and free < 4 * data.nbytes:
        return None  # training wants room too
    try:
        return tf.constant(np.moveaxis(data, 1, -1) if data.ndim == 4 else data)
    except tf.errors.ResourceExhaustedError:
        return None


def gather(kept: Tensor, rows: np.ndarray, dtype: tf.DType) -> Tensor:
    """Examples (k, B, *data) of a kept data set, bytes in [-1, 1]."""
    x = tf.cast(tf.gather(kept, rows), dtype)
    return from_bytes(x) if kept.dtype == tf.uint8 else x


def detach(tensor: Tensor) -> Tensor:
    """The same numbers without their history."""
    return tensor  # a history is on a tape, not with the tensor


def stack(rows: Sequence[Any], like: Tensor) -> Tensor:
    """The rows (k, 5) of k steps, in the type of `like`."""
    return tf.stack([tf.stack(row) for row in rows])


def matmul(
    a: np.ndarray, b: np.ndarray, dtype: str = "float32", device: str = "cpu"
) -> Callable[[], Any]:
    """A function that makes the product of two square matrices in that precision, to its end."""
    own, place = resolve_dtype(dtype, device), resolve_device(device)
    with tf.device(place):
        kind = tf.bfloat16 if dtype == "bfloat16" else own
        x, y = (tf.cast(tf.constant(m), kind) for m in (a, b))

    def product() -> None:
        # Without a device a GPU that is there would take the processor's matrices.
        with tf.device(place), computing(dtype, device):
            # One number has to come to the host before the product is known to be there.
            tf.linalg.matmul(x, y)[0, 0].numpy()

    return product


def peak_memory(device: str) -> int | None:
    """The most bytes that were in use on a GPU; None where nobody counts."""
    place = resolve_device(device).removeprefix("/")
    if place.startswith("CPU"):
        return None
    return int(tf.config.experimental.get_memory_info(place)["peak"])


def _free_memory(device: str) -> int | None:
    """Bytes that a GPU has left for this process; None where TensorFlow does not tell."""
    if device.startswith("/CPU"):
        return None
    with quiet():  # they introduce themselves again
        found = {d.name.removeprefix("/device:"): d for d in device_lib.list_local_devices()}
    limit = getattr(found.get(device.removeprefix("/")), "memory_limit", 0)
    return int(limit) or None
