"""Folders and zips of images, and how any image becomes one of a recipe's shape.

An image is turned upright (EXIF), its palette resolved, its transparency laid on white and 16 bits
reduced to 8. Another size is scaled until the shorter side fits and cropped in the middle
(bilinear with antialiasing); another number of channels is Pillow's conversion: luminance
(ITU-R 601) to grey, grey repeated to colour.
"""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from ..backend import need
from ..spec.errors import UserError
from ..spec.layers import Shape
from .bars import progress_bar
from .store import keep

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm")
# No other decoder is let near a file, whatever its name says: some run programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")
# A member of an archive larger than this is no picture to train on.
_MEMBER_LIMIT = 1 << 30


@dataclass(frozen=True)
class Source:
    """The image files of a folder or of a zip, by name, in the order of the names."""

    path: Path
    names: tuple[str, ...]
    key: object
    archive: zipfile.ZipFile | None = None

    def read(self, name: str) -> bytes:
        """One file's bytes."""
        if self.archive is None:
            return (self.path / name).read_bytes()
        if self.archive.getinfo(name).file_size > _MEMBER_LIMIT:
            raise OSError("too large")
        return self.archive.read(name)


def load_images(
    path: Path, shape: Shape, strict: bool, mixed: bool, progress: bool, key: object = None
) -> tuple[np.ndarray, list[str]]:
    """The images of a folder or zip as uint8 (N, *shape), and the names of the unreadable ones.

    `key` names the contents where they are known (a checksum), else paths, sizes and times do.
    Raises UserError if there are none, for an unreadable one if `strict`, and, unless `mixed`, for
    the first whose size or channels are not those of the first image.
    """
    check_channels(shape)
    source = _folder(path) if path.is_dir() else _zip(path)
    if not source.names:
        raise UserError(f"{path} holds no images; {', '.join(s[1:] for s in SUFFIXES)} are read")

    def rows() -> tuple[Iterator[np.ndarray], list[str]]:
        skipped: list[str] = []
        return _rows(source, shape, strict, mixed, progress, skipped), skipped

    try:
        array, skipped = keep((key or source.key, strict, mixed), len(source.names), shape, rows)
    finally:
        if source.archive is not None:
            source.archive.close()
    if not len(array):
        raise UserError(f"none of the {len(skipped)} images in {path} can be read")
    return array, skipped


def check_channels(shape: Shape) -> None:
    """Refuse a recipe that has neither grey nor colour images. Raises UserError."""
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UserError(f"images have shape (1 or 3, height, width), not {shape}")


def fit(image: Image, shape: Shape) -> np.ndarray:
    """An image of mode L or RGB as uint8 of that shape (C, H, W), C being 1 or 3."""
    from PIL import Image, ImageOps

    channels, height, width = shape
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), method=Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def fit_all(images: np.ndarray, shape: Shape, key: object) -> np.ndarray:
    """Images (N, 1 or 3, H, W) of uint8 as (N, *shape); `key` names them in the cache.

    Raises UserError for a shape that is no image's, and for images without pixels.
    """
    check_channels(shape)
    if 0 in images.shape[1:]:
        raise UserError(f"images of shape {images.shape[1:]} have no pixels")
    if images.shape[1:] == shape:
        return images
    if images.shape[1] == 1 and shape[0] == 3:
        # Not repeated in memory: every channel is the same bytes.
        return np.broadcast_to(fit_all(images, (1, *shape[1:]), key), (len(images), *shape))
    pillow = need("PIL.Image", "Pillow", "resizing images", "data")
    pixels = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)

    def rows() -> tuple[Iterator[np.ndarray], list[str]]:
        return (fit(pillow.fromarray(np.ascontiguousarray(x)), shape) for x in pixels), []

    return keep(key, len(images), shape, rows)[0]


def _folder(path: Path) -> Source:
    names, key = [], []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            file = Path(folder, name)
            if _is_image(name):
                stat = file.lstat()
                names.append(file.relative_to(path).as_posix())
                key.append((names[-1], stat.st_size, stat.st_mtime_ns))
    return Source(path, tuple(sorted(names)), (str(path.resolve()), sorted(key)))


def _zip(path: Path) -> Source:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path} is no zip that can be read, nor a folder of images") from error
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    for name in names:
        windows = PureWindowsPath(name)
        if windows.drive or windows.root or ".." in windows.parts or PurePosixPath(name).root:
            raise UserError(
                f"{path} has a member that would land outside its folder ({name}); do not trust it"
            )
    stat = path.stat()
    images = tuple(sorted({name for name in names if _is_image(name)}))
    return Source(path, images, (str(path.resolve()), stat.st_size, stat.st_mtime_ns), archive)


def _is_image(name: str) -> bool:
    # Hidden files are other programs' notes: macOS puts ._x.png beside x.png into its archives.
    base = PurePosixPath(name).name
    return not base.startswith(".") and base.lower().endswith(SUFFIXES)


def _rows(
    source: Source, shape: Shape, strict: bool, mixed: bool, progress: bool, skipped: list[str]
) -> Iterator[np.ndarray]:
    need("PIL.Image", "Pillow", "reading images", "data")
    first: tuple[str, str] | None = None
    bar = progress_bar(progress, len(source.names), source.path.name, "image")
    try:
        for name in source.names:
            bar.update(1)
            try:
                image = _decode(source.read(name), name)
            except UserError:
                raise
            # Pillow's decoders raise almost anything on bytes that are no image.
            except Exception as error:
                if strict:
                    raise UserError(
                        f"{name} in {source.path} is no image that can be read; remove it, or"
                        " leave out --strict to skip it"
                    ) from error
                skipped.append(name)
                continue
            kind = f"{image.width}×{image.height} {'grey' if image.mode == 'L' else 'colour'}"
            first = first or (name, kind)
            if kind != first[1] and not mixed:
                raise UserError(
                    f"{name} is {kind} but {first[0]} is {first[1]}; --mixed resizes and converts"
                    " each image"
                )
            yield fit(image, shape)
    finally:
        bar.close()


def _decode(data: bytes, name: str) -> Image:
    """An upright image of mode L or RGB. Raises UserError for a decompression bomb, and whatever
    Pillow raises for bytes that are no image."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
            image.load()
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise UserError(
                f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels; scale it down or"
                " remove it"
            ) from error
        return _plain(ImageOps.exif_transpose(image))


def _plain(image: Image) -> Image:
    from PIL import Image

    if image.mode.startswith("I"):
        # 16 bits: Pillow's own conversion would cut off at 255.
        return Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA")
    if "A" in image.getbands() or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("L" if grey else "RGB")


def describe_skipped(skipped: Sequence[str], limit: int = 10) -> str:
    """One line that names what was skipped, or nothing."""
    if not skipped:
        return ""
    more = f" and {len(skipped) - limit} more" if len(skipped) > limit else ""
    return f"skipped {len(skipped)} unreadable images: {', '.join(skipped[:limit])}{more}"
