"""Zip archives of unknown origin: nothing is unpacked that its file could not hold."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from ..spec.errors import UserError

# Weights hardly shrink, but zeros do: what a file may claim to hold, in its own size and beyond.
TIMES, BEYOND = 30, 64 << 20
BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError, OSError, KeyError, IndexError, TypeError, struct.error,
)  # fmt: skip


class Archive:
    """The members of a zip, in memory. Raises UserError if it is none, is locked, or claims to be
    more than `TIMES` its size."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except BROKEN as error:
            raise UserError(f"is not a whole zip archive ({error!s:.80})") from None
        claimed = sum(member.file_size for member in members)
        if claimed > TIMES * len(data) + BEYOND:
            raise UserError(
                f"claims to unpack {len(data):,} bytes to {claimed:,}; no weights shrink like that"
            )
        self.members = {member.filename: member for member in members}

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises UserError if they are not there, or are damaged."""
        if name not in self.members:
            raise UserError(f"holds no {name!r:.80}")
        try:
            return self._zip.read(self.members[name])
        except BROKEN as error:
            raise UserError(f"{name!r:.80} in it is damaged ({error!s:.80})") from None
