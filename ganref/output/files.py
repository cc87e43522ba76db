"""Files that are whole or not there, and a disk's refusals as one line for the person."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ..spec.errors import UserError


def write_atomically(path: Path, data: bytes) -> None:
    """Write, fsync, rename, fsync the directory. Raises UserError if the disk refuses."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with disk_errors(path):
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            directory = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    except UserError:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a UserError that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = "; free some space, then --resume the run" if full else ""
        raise UserError(f"cannot write {path}: {error.strerror or error}{cure}") from error
