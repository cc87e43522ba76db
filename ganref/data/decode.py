"""One image file, decoded: upright, of mode L or RGB, and what was done to make it so.

A palette is resolved, transparency laid on white, 16 bits scaled to 8 (linearly, 65535 being 255),
and of several frames the first is taken.
"""

from __future__ import annotations

import logging
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

# Decoders that start a program (Ghostscript), open what they contain by any other decoder, or only
# know that a file is theirs.
_REFUSED = {"EPS", "WMF", "IPTC", "BUFR", "GRIB", "HDF5", "MPEG"}
# Big, little or native order; BMP's "BGR;16" is five bits and six.
_SIXTEEN = re.compile(";16[BLN]")
_ORIENTATION = 0x0112
# Where a second frame is another picture; the layers of a drawing and the previews of a photograph
# are not.
_FRAMED = {"GIF", "PNG", "WEBP", "AVIF", "TIFF", "FLI"}

SIXTEEN = "of 16 bits scaled to 8"
CLEAR = "with transparency laid on white"
FRAMES = "of several frames, the first taken"
TURNED = "turned upright"


# What Pillow has to say of a damaged file stands in the note; nobody else's handlers are touched.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class NoImage(Exception):
    """A file that no decoder knows, and whose name does not say that it is an image."""


class TooLarge(Exception):
    """An image of more pixels than Pillow's limit, which no reduced decoding brings below it."""

    def __str__(self) -> str:
        from PIL import Image

        return f"of more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels"


@dataclass(frozen=True)
class Decoded:
    """An image of mode L or RGB; `size` (width, height), upright, as the file has it (`image` may
    be smaller: a JPEG beyond the limit of pixels is decoded at a fraction); and what was `done`."""

    image: Image
    size: tuple[int, int]
    done: tuple[str, ...]


@lru_cache(maxsize=256)
def formats(suffix: str) -> tuple[str, ...]:
    """Pillow's decoders for a file with that suffix (lower case): those that know their files by
    the first bytes, and those without such a mark if it is their suffix."""
    from PIL import Image

    Image.init()
    own = Image.registered_extensions().get(suffix)
    return tuple(
        name
        for name, (_, accept) in Image.OPEN.items()
        if name not in _REFUSED and (accept is not None or name == own)
    )


def is_named_image(name: str) -> bool:
    """Whether a file's name says that it is an image, of a kind that Pillow knows."""
    from PIL import Image

    Image.init()
    return PurePosixPath(name).suffix.lower() in Image.registered_extensions()


def opened(file: IO[bytes], name: str) -> Image:
    """The image in an open file, its header read. Raises NoImage, TooLarge, and whatever Pillow
    raises for a damaged header."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(file, formats=formats(PurePosixPath(name).suffix.lower()))
    except UnidentifiedImageError:
        if is_named_image(name):
            raise
        raise NoImage from None
    except Image.DecompressionBombError as error:
        raise TooLarge from error


def decode(file: IO[bytes], name: str) -> Decoded:
    """The image in an open file. Raises NoImage, TooLarge, and whatever Pillow raises for bytes
    that are no image: almost anything."""
    from PIL import ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = opened(file, name)
        done = []
        if image.format in _FRAMED and getattr(image, "is_animated", False):
            done.append(FRAMES)
        if _SIXTEEN.search(str(getattr(image, "tile", ""))):
            done.append(SIXTEEN)
        whole = image.size
        if _too_large(image):
            image.draft(None, (image.width // 2, image.height // 2))
            if _too_large(image):
                raise TooLarge
        reduced = image.size != whole
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)
        if orientation in range(2, 9):
            done.append(TURNED)
        upright = ImageOps.exif_transpose(image)
        plain, more = _plain(upright)
        size = upright.size
        if reduced:
            size = whole[::-1] if orientation in range(5, 9) else whole
        return Decoded(plain, size, tuple(dict.fromkeys((*done, *more))))


def _too_large(image: Image) -> bool:
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    return limit is not None and image.width * image.height > limit


def _plain(image: Image) -> tuple[Image, list[str]]:
    """The image in mode L or RGB, and what was done. Raises ValueError for numbers that 8 bits
    cannot stand for."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("floating-point numbers have no range that is known")
    if image.mode.startswith("I"):
        return _from_16_bits(image)
    grey = image.mode in ("1", "L", "LA")
    done = []
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        done.append(CLEAR)
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("L" if grey else "RGB"), done


def _from_16_bits(image: Image) -> tuple[Image, list[str]]:
    from PIL import Image

    # Pillow's own conversion would cut off at 255.
    numbers = np.asarray(image)
    if numbers.size and (numbers.max() > 65535 or numbers.min() < 0):
        raise ValueError("more than 16 bits")
    pixels = (numbers // 257).astype(np.uint8)
    done = [SIXTEEN]
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        pixels[numbers == clear] = 255
        done.append(CLEAR)
    return Image.fromarray(pixels), done
