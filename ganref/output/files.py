"""Files that are whole or not there, and a disk's refusals as one line for the person."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ..spec.errors import UserError

LOG = logging.getLogger("ganref")


class DiskRefused(UserError):
    """What was to be written is not; `full` says that the disk, or a quota, has no room left."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        super().__init__(f"cannot write {path}: {error.strerror or error}")


def write_atomically(path: Path, data: bytes) -> None:
    """Write, fsync, rename, fsync the directory. Raises DiskRefused."""
    write_together({path: data})


def write_together(files: dict[Path, bytes]) -> None:
    """Write files of one folder whole or not at all: none is in its place before all could be
    written. Raises DiskRefused."""
    temporary = {path: path.with_name(f".{path.name}.tmp") for path in files}
    try:
        for path, data in files.items():
            with disk_errors(path):
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                with open(temporary[path], "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
        for path in files:
            with disk_errors(path):
                os.replace(temporary[path], path)
        for folder in {path.parent for path in files}:
            with disk_errors(folder):
                directory = os.open(folder, os.O_RDONLY)
                try:
                    os.fsync(directory)
                finally:
                    os.close(directory)
    except BaseException:
        for path in temporary.values():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def results_in(folder: Path) -> Iterator[None]:
    """A folder for results, made, and seen to be one that can be written, before time goes into
    what is to lie there; what was made goes again if nothing comes to lie in it. Raises
    UserError."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        try:
            with disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except DiskRefused as refused:
            raise UserError(f"{refused}; choose another --out") from refused
        yield
    finally:
        with contextlib.suppress(OSError):  # it holds something, or never came to be
            for path in made:
                path.rmdir()


@contextlib.contextmanager
def optional(what: str, say: Callable[[str], object] = LOG.warning) -> Iterator[None]:
    """Something good to have that must not take with it what has been computed: its failure is a
    warning."""
    try:
        yield
    except Exception as error:  # matplotlib, Pillow, disks, boards: they fail in many ways
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        say(f"{what} failed ({reason})")


def read_file(path: Path) -> bytes:
    """The bytes of a file. Raises OSError, also for a pipe or a device, which would never end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    return path.read_bytes()


def written(*paths: Path) -> str:
    """The last line of a command: which of these files it leaves."""
    return "written: " + ", ".join(str(path) for path in paths if path.exists())


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a DiskRefused of that path."""
    try:
        yield
    except OSError as error:
        raise DiskRefused(path, error) from error
