"""The files of a folder or of a zip: which may be images, and which are left out and why."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from ..spec.errors import UserError
from .decode import is_named_image, opened

# What is left out, in the words of the note (after a count), and in those for one alone.
NO_IMAGE = "files that are no images"
HIDDEN = "hidden"
IRREGULAR = "that are no regular files"
CLOSED = "folders that cannot be opened"
AGAIN = "linked folders that were there already"
UNREADABLE = "unreadable"
ENCRYPTED = "encrypted"
HUGE = "of more than 256 MiB unpacked"
ONE = {
    NO_IMAGE: "file that is no image",
    IRREGULAR: "that is no regular file",
    CLOSED: "folder that cannot be opened",
    AGAIN: "linked folder that was there already",
}

# A member of an archive larger than this is no picture to train on.
MEMBER_LIMIT = 256 << 20
# Bytes that an array which is packed may have; what is not packed may have any number.
LIMIT = 4 << 30
# What Deflate can make of a byte, at most (RFC 1951: 258 bytes from 2 bits).
RATIO = 1032
_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini"}
# Splits of a data set are no classes of it.
_SPLITS = {"train", "test", "val", "valid", "validation", "dev", "eval", "training", "testing"}


@dataclass(frozen=True)
class Source:
    """The files of a folder or of a zip that may be images, by name, in the order of the names;
    `left_out` names the others by reason; `key` names the contents."""

    path: Path
    names: tuple[str, ...]
    key: object
    left_out: dict[str, list[str]] = field(default_factory=dict)
    archive: zipfile.ZipFile | None = None

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """One file, open. Raises what `decode.opened` does for what is no image in an archive, and
        whatever zipfile raises for a damaged one."""
        if self.archive is None:
            with (self.path / name).open("rb") as file:
                yield file
            return
        # Whatever is no image is not unpacked.
        with self.archive.open(name) as member:
            opened(member, name)
        yield io.BytesIO(self.archive.read(name))

    def close(self) -> None:
        """Let go of the archive."""
        if self.archive is not None:
            self.archive.close()


def list_files(path: Path) -> Source:
    """What lies in a folder or zip. Raises UserError for a file that is no zip, or one that cannot
    be meant well."""
    return _folder(path) if path.is_dir() else _zip(path)


def is_hidden(name: str) -> bool:
    """Whether a file is another program's note: in a part of its name that begins with a dot
    (`._x.png`, `.ipynb_checkpoints/`), in `__MACOSX/`, `Thumbs.db`, `desktop.ini`."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part.lower() in _SYSTEM for part in parts)


def classes_of(names: list[str]) -> tuple[list[int], tuple[str, ...]] | None:
    """(the class of each file, the classes' names) where each file lies in the folder of its class
    and there are two classes or more (torchvision's ImageFolder); folders around all of them do
    not count, nor do `train`, `test` and the like."""
    parts = [PurePosixPath(name).parent.parts for name in names]
    if not parts:
        return None
    around = os.path.commonprefix(parts)
    if any(len(part) == len(around) for part in parts):
        return None
    own = [part[len(around)] for part in parts]
    classes = sorted(set(own))
    if {name.lower() for name in classes} <= _SPLITS:
        return None
    number = {name: i for i, name in enumerate(classes)}
    return [number[name] for name in own], tuple(classes)


def _folder(path: Path) -> Source:
    names: list[str] = []
    key: list[tuple[str, int, int]] = []
    left_out: dict[str, list[str]] = {}

    def leave(reason: str, name: str) -> None:
        left_out.setdefault(reason, []).append(name)

    for name, entry in _walk(path, leave):
        try:
            about = entry.stat()
        except OSError:
            leave(HIDDEN if is_hidden(name) else UNREADABLE, name)
            continue
        if is_hidden(name):
            leave(HIDDEN, name)
        elif not stat.S_ISREG(about.st_mode):
            leave(IRREGULAR, name)
        elif not about.st_size:
            # Not opened: what the system shows as an empty file may make one wait for ever.
            leave(UNREADABLE if is_named_image(name) else NO_IMAGE, name)
        else:
            names.append(name)
            key.append((name, about.st_size, about.st_mtime_ns))
    return Source(path, tuple(sorted(names)), (str(path.resolve()), sorted(key)), left_out)


def _walk(path: Path, leave: Callable[[str, str], None]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file below a folder and its name from there, links followed, each folder once: one's
    own place comes before links to it, so that no link decides what a file is called."""
    seen: set[tuple[int, int]] = set()
    todo: list[tuple[str, bool]] = [("", False)]
    links: list[str] = []
    while todo or links:
        inside, linked = todo.pop() if todo else (links.pop(0), True)
        try:
            about = os.stat(path / inside)
            if (about.st_dev, about.st_ino) in seen:
                leave(AGAIN, inside)
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(path / inside) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            leave(HIDDEN if is_hidden(inside) else CLOSED, inside)
            continue
        for entry in found:
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False
            if not is_folder:
                yield name, entry
            elif entry.is_symlink() or linked:
                links.append(name)
            else:
                todo.append((name, False))


def _zip(path: Path) -> Source:
    archive = None
    try:
        archive = zipfile.ZipFile(path)
        return _members(path, archive)
    # Its readers raise many things on bytes that are no archive.
    except Exception as error:
        if archive is not None:
            archive.close()
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is no zip that can be read, nor a folder of images") from error


def _members(path: Path, archive: zipfile.ZipFile) -> Source:
    members = [info for info in archive.infolist() if not info.filename.endswith("/")]
    size = path.stat().st_size
    unpacked = sum(info.file_size for info in members)
    if unpacked > RATIO * size:
        raise UserError(
            f"{path} claims to hold {unpacked:,} bytes, more than an archive of {size:,} can; do"
            " not trust it"
        )
    names: set[str] = set()
    left_out: dict[str, list[str]] = {}
    for info in members:
        name = info.filename
        windows = PureWindowsPath(name)
        if windows.drive or windows.root or ".." in windows.parts or PurePosixPath(name).root:
            raise UserError(
                f"{path} has a member that would land outside its folder ({name}); do not trust it"
            )
        if is_hidden(name):
            left_out.setdefault(HIDDEN, []).append(name)
        elif info.flag_bits & 1:
            left_out.setdefault(ENCRYPTED, []).append(name)
        elif info.file_size > MEMBER_LIMIT:
            left_out.setdefault(HUGE, []).append(name)
        else:
            names.add(name)
    stat_ = path.stat()
    key = (str(path.resolve()), stat_.st_size, stat_.st_mtime_ns)
    return Source(path, tuple(sorted(names)), key, left_out, archive)
