"""How any image becomes one of a recipe's shape, and how decoded images are fitted.

Another size is scaled until the shorter side fits and cropped in the middle (bilinear with
antialiasing), unless `Fitting` says otherwise; another number of channels is Pillow's conversion:
luminance (ITU-R 601) to grey, grey repeated to colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..backend import need
from ..spec.errors import UserError
from ..spec.layers import Shape
from .store import Report, keep

if TYPE_CHECKING:
    from PIL.Image import Image

# The options' words, and Pillow's names for them.
RESIZE = {
    "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS", "area": "BOX",
    "nearest": "NEAREST", "off": "",
}  # fmt: skip
CROP = ("center", "none")


@dataclass(frozen=True)
class Fitting:
    """How an image of another size is made to fit.

    `resize` names the filter (Pillow's, antialiased but for "nearest"; "area" is its box filter),
    or is "off": an image is cropped, never scaled. `crop` "center" keeps proportions and cuts off
    what is too long on both sides; "none" cuts off nothing and scales each side by itself. With
    both off, an image of another size is refused. Raises UserError for another word.
    """

    resize: str = "bilinear"
    crop: str = "center"

    def __post_init__(self) -> None:
        for name, value, words in (("resize", self.resize, RESIZE), ("crop", self.crop, CROP)):
            if value not in words:
                raise UserError(f"unknown {name} {value!r}; there are {', '.join(words)}")


PLAIN = Fitting()


def check_channels(shape: Shape) -> None:
    """Refuse a recipe that has neither grey nor colour images. Raises UserError."""
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UserError(f"images have shape (1 or 3, height, width), not {shape}")


def fit(image: Image, shape: Shape, how: Fitting = PLAIN) -> np.ndarray:
    """An image of mode L or RGB as uint8 of that shape (C, H, W), C being 1 or 3.

    Raises UserError for a size that is refused when nothing may be scaled.
    """
    channels, height, width = shape
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = _sized(image, (width, height), how)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _sized(image: Image, size: tuple[int, int], how: Fitting) -> Image:
    from PIL import Image, ImageOps

    if how.resize != "off":
        method = Image.Resampling[RESIZE[how.resize]]
        if how.crop == "center":
            return ImageOps.fit(image, size, method=method)
        return image.resize(size, method)
    left, top = ((have - want) // 2 for have, want in zip(image.size, size, strict=True))
    if how.crop == "none" or left < 0 or top < 0:
        have, want = (f"{width}×{height}" for width, height in (image.size, size))
        cure = "--resize bilinear" if how.crop == "none" else "--resize bilinear enlarges it"
        raise UserError(f"an image is {have}, the recipe takes {want}, and --resize is off; {cure}")
    return image.crop((left, top, left + size[0], top + size[1]))


def describe(size: tuple[int, int], shape: Shape, how: Fitting) -> list[str]:
    """What `fit` does to an image of that size (width, height), in the words of the note."""
    wanted = shape[:0:-1]
    if size == wanted:
        return []
    done = [] if how.resize == "off" else [f"resized ({how.resize})"]
    if size[0] * wanted[1] != size[1] * wanted[0] or how.resize == "off":
        target = "squares" if wanted[0] == wanted[1] else f"{wanted[0]}×{wanted[1]}"
        done.append(f"cropped to {target}" if how.crop == "center" else f"stretched to {target}")
    return done


def fit_all(
    images: np.ndarray,
    shape: Shape,
    key: object,
    how: Fitting = PLAIN,
) -> np.ndarray:
    """Images (N, 1 or 3, H, W) of uint8 as (N, *shape); `key` names them in the cache.

    Raises UserError for a shape that is no image's, and for images without pixels.
    """
    check_channels(shape)
    if 0 in images.shape[1:]:
        raise UserError(f"images of shape {images.shape[1:]} have no pixels")
    if images.shape[1:] == shape:
        return images
    if images.shape[1] == 1 and shape[0] == 3:
        grey = fit_all(images, (1, *shape[1:]), key, how)
        # Not repeated in memory: every channel is the same bytes.
        return np.broadcast_to(grey, (len(images), *shape))
    pillow = need("PIL.Image", "Pillow", "resizing images", "data")
    pixels = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)

    def rows() -> tuple[Iterator[np.ndarray], Report]:
        return (
            fit(pillow.fromarray(np.ascontiguousarray(x)), shape, how) for x in pixels
        ), Report()

    return keep((key, how), len(images), shape, rows)[0]
