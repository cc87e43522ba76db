"""A file of weights, whatever it is: what its first bytes say, not what it is called."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from ..output.files import read_file
from ..spec.errors import UserError
from . import reading_keras, reading_tensors, reading_tf, reading_torch
from .archive import Archive
from .arrays import Found
from .inert_pickle import load
from .reading_onnx import read_onnx

HDF5 = b"\x89HDF\r\n\x1a\n"
KINDS = (
    "a state_dict of PyTorch (.pt, .pth), safetensors, Keras' .keras or .h5, a checkpoint of"
    " TensorFlow, Gluon's .params, .npz, ONNX"
)


def read(path: Path) -> tuple[Found, str]:
    """What the file holds, and the SHA-256 of its bytes. Raises UserError, in one line that begins
    with its name."""
    try:
        if (prefix := reading_tf.prefix_of(path)) is not None:
            index = prefix.with_name(f"{prefix.name}.index")
            return reading_tf.read_checkpoint(prefix), _digest(read_file(index))
        if path.is_dir():
            raise UserError(f"is a folder without a checkpoint; ganref reads {KINDS}")
        data = read_file(path)
        return of_bytes(data), _digest(data)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except UserError as error:
        words = str(error)
        raise UserError(words if str(path) in words else f"{path}: {words}") from None


def of_bytes(data: bytes) -> Found:
    """What a file of these bytes holds. Raises UserError."""
    if data.startswith(b"PK"):
        return _of_archive(Archive(data))
    if data.startswith(HDF5):
        return reading_keras.read_h5(data)
    if data.startswith(reading_torch.LEGACY):
        return reading_torch.read_legacy(data)
    if data.startswith(reading_tensors.GLUON):
        return reading_tensors.read_gluon(data)
    if data[8:9] == b"{":
        return reading_tensors.read_safetensors(data)
    if data[:1] == b"\x80" and data[1:2] <= b"\x05":
        load(io.BytesIO(data))  # which names what it would have run
        raise UserError(f"is a pickle, which ganref does not run; it reads {KINDS}")
    if data[:1] == b"\x08":  # the first field of a model, its version
        return read_onnx(data)
    raise UserError(f"is nothing that ganref knows; it reads {KINDS}")


def _of_archive(archive: Archive) -> Found:
    names = list(archive.members)
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return reading_torch.read_zip(archive)
    if reading_keras.WEIGHTS in names:
        return reading_keras.read_archive(archive)
    if names and all(name.endswith(".npy") for name in names):
        return reading_tensors.read_npz(archive)
    raise UserError(f"is a zip archive, but of nothing that ganref knows; it reads {KINDS}")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
