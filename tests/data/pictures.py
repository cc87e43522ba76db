"""What the tests of images share: small pictures, folders and zips of them, and refusals."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganref
from ganref.data import load
from ganref.spec import UserError

MLP = ganref.recipe("mlp").replace(batch_size=1)
COLOUR = ganref.recipe("dcgan").replace(batch_size=1)
GREY = COLOUR.replace(data_shape=(1, 64, 64))


def encoded(image: Image.Image | np.ndarray, form: str = "PNG", **how: Any) -> bytes:
    """A picture's file."""
    out = io.BytesIO()
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    picture.save(out, form, **how)
    return out.getvalue()


def plain(value: int = 0, size: tuple[int, int] = (64, 64), mode: str = "RGB") -> Image.Image:
    """A picture of one colour."""
    return Image.new(mode, size, (value,) * 3 if mode == "RGB" else value)


def folder(path: Path, files: dict[str, bytes]) -> Path:
    """The files in a folder, by their names from there."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """The files in an archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def refused(match: str, path: Path | str, *args: Any, **keywords: Any) -> str:
    """The message with which `load` refuses, which must be one line."""
    with pytest.raises(UserError, match=match) as caught:
        load(str(path), *args, **keywords)
    assert str(caught.value).isprintable()
    return str(caught.value)
