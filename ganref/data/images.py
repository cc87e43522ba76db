"""Folders and zips of images as one array, and the line that says what was made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ..backend import need
from ..spec.errors import UserError
from ..spec.layers import Shape
from . import decode, listing
from .bars import progress_bar
from .fitting import PLAIN, Fitting, check_channels, describe, fit
from .listing import NO_IMAGE, ONE, UNREADABLE, Source
from .store import Report, keep

# What is left out without harm, even when told to be strict.
_HARMLESS = (NO_IMAGE, listing.HIDDEN, listing.IRREGULAR, listing.AGAIN)


@dataclass(frozen=True)
class Images:
    """Images (N, C, H, W) of uint8; the class of each (N,) and the classes' names where each lies
    in the folder of its class; and what was used, done and left out, in one line."""

    array: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]
    note: str


def load_images(
    path: Path,
    shape: Shape,
    strict: bool = False,
    mixed: bool = False,
    progress: bool = False,
    how: Fitting = PLAIN,
    key: object = None,
) -> Images:
    """The images of a folder or zip in that shape (C, H, W), in the order of their names.

    `key` names the contents where they are known (a checksum), else paths, sizes and times do.
    Raises UserError if there are none, for an unreadable one if `strict`, and, unless `mixed`, for
    the first whose size or channels are not those of the first image.
    """
    check_channels(shape)
    need("PIL.Image", "Pillow", "reading images", "data")
    source = listing.list_files(path)
    try:
        if strict:
            _refuse(source.path, source.left_out)
        if not source.names:
            left = _left_out(source.left_out)
            raise UserError(f"{path} holds no images that can be read{left and '; ' + left}")

        def rows() -> tuple[Iterator[np.ndarray], Report]:
            report = Report()
            return _rows(source, shape, strict, mixed, progress, how, report), report

        key = (key or source.key, strict, mixed, how)
        array, report = keep(key, len(source.names), shape, rows)
    finally:
        source.close()
    left_out = {**source.left_out}
    for reason, names in report.left_out.items():
        left_out[reason] = [*left_out.get(reason, []), *names]
    if not len(array):
        raise UserError(f"{path} holds no images that can be read; {_left_out(left_out)}")
    gone = {name for names in report.left_out.values() for name in names}
    used = [name for name in source.names if name not in gone]
    labels, classes = listing.classes_of(used) or (None, ())
    return Images(
        array,
        None if labels is None else np.array(labels, np.int64),
        classes,
        _note(used, shape, report.done, left_out),
    )


def _rows(
    source: Source,
    shape: Shape,
    strict: bool,
    mixed: bool,
    progress: bool,
    how: Fitting,
    report: Report,
) -> Iterator[np.ndarray]:
    first: tuple[str, str] | None = None
    bar = progress_bar(progress, len(source.names), source.path.name, "image")
    try:
        for name in source.names:
            bar.update(1)
            image = _decoded(source, name, strict, report)
            if image is None:
                continue
            grey = image.image.mode == "L"
            kind = f"{image.size[0]}×{image.size[1]} {'grey' if grey else 'colour'}"
            first = first or (name, kind)
            if kind != first[1] and not mixed:
                raise UserError(
                    f"{name} is {kind} but {first[0]} is {first[1]}; --mixed resizes and converts"
                    " each image"
                )
            try:
                row = fit(image.image, shape, how)
            except UserError as error:
                raise UserError(f"{name}: {error}") from None
            done = [*image.done, *describe(image.size, shape, how)]
            if grey != (shape[0] == 1):
                done.append("turned colour" if grey else "turned grey")
            report.done.update(done)
            yield row
    finally:
        bar.close()


def _decoded(source: Source, name: str, strict: bool, report: Report) -> decode.Decoded | None:
    """The image of that name, or nothing for one that is left out. Raises UserError for an
    unreadable one if `strict`."""
    try:
        with source.open(name) as file:
            return decode.decode(file, name)
    except decode.NoImage:
        reason = NO_IMAGE
    except decode.TooLarge as error:
        reason = str(error)
    # Decoders raise almost anything on bytes that are no image.
    except Exception:
        reason = UNREADABLE
    if strict:
        _refuse(source.path, {reason: [name]})
    report.leave(reason, name)
    return None


def _refuse(path: Path, left_out: dict[str, list[str]]) -> None:
    for reason, names in left_out.items():
        if reason not in _HARMLESS:
            raise UserError(
                f"{min(names) or 'the folder'} in {path} cannot be read ({reason}); remove it, or"
                " leave out --strict to skip it"
            )


def _note(
    used: list[str], shape: Shape, done: dict[str, int], left_out: dict[str, list[str]]
) -> str:
    folders = len({PurePosixPath(name).parent for name in used})
    places = f" in {folders:,} folders" if folders > 1 else ""
    what = ", ".join([f"{shape[2]}×{shape[1]}", *(f"{n:,} {words}" for words, n in done.items())])
    left = _left_out(left_out)
    count = "1 image" if len(used) == 1 else f"{len(used):,} images"
    return f"{count}{places}, {what}{left and '; ' + left}"


def _left_out(left_out: dict[str, list[str]]) -> str:
    """ "skipped: …" with a count, a reason and the first name for each, or nothing."""
    parts = []
    for reason, names in sorted(left_out.items()):
        words = ONE.get(reason, reason) if len(names) == 1 else reason
        first = f" (first: {min(names)})" if min(names) else ""
        parts.append(f"{len(names):,} {words}{first}")
    return f"skipped: {', '.join(parts)}" if parts else ""
