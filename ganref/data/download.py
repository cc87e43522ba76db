"""Files from the network into the cache: verified, resumed, and placed whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backend import need
from ..spec.errors import UserError
from .bars import progress_bar
from .requesting import Setup, answer, reason

TRIES = 5
_CHUNK = 1 << 14


@dataclass(frozen=True)
class File:
    """A file of a data set: its name in the cache, `checksum` as "algorithm:hex", and where it is
    (`urls`, tried in order)."""

    name: str
    checksum: str
    urls: tuple[str, ...]


def cache_dir() -> Path:
    """Where downloads and decoded images are kept: $GANREF_DATA, else the user's cache folder."""
    told = os.environ.get("GANREF_DATA")
    if told:
        return Path(told).expanduser().absolute()
    pooch = need("pooch", "pooch", "the cache of downloads and decoded images", "data")
    return Path(pooch.os_cache("ganref"))


def fetch(file: File, folder: Path, progress: bool = True) -> Path:
    """The file in `folder` with the right checksum, downloaded if it is not there yet.

    A download that is cut off stays as `<name>.part` and is resumed, by the same address, the next
    one or the next run; nothing has the file's name before its checksum is right. Raises UserError
    if no address gives the file, saying why for each.
    """
    pooch = need("pooch", "pooch", "downloading data", "data")
    path = folder / file.name
    # Before the lock: a cache that is read-only may well be complete.
    if path.is_file() and pooch.hashes.hash_matches(str(path), file.checksum):
        return path
    reasons = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(path.with_name(f"{file.name}.lock")):
            for url in file.urls:
                failure = _retrieve(pooch, url, file, folder, progress)
                if failure is None:
                    return path
                reasons.append(f"{url}: {failure}")
    except OSError as error:
        raise UserError(
            f"cannot keep {path} ({error.strerror or error}); set GANREF_DATA"
        ) from error
    raise UserError(
        f"{file.name} could not be downloaded ({'; '.join(reasons)}); try again, or put the file"
        f" into {folder} yourself"
    )


def _retrieve(pooch: Any, url: str, file: File, folder: Path, progress: bool) -> str | None:
    """Try one address; the reason if it failed. Raises OSError if the cache cannot be written."""
    from requests import RequestException

    downloader = ResumingDownloader(folder / f"{file.name}.part", progress)
    logger = pooch.get_logger()
    level = logger.level
    # Its announcement takes four lines; the bar says as much.
    logger.setLevel("WARNING")
    try:
        for resumed in (downloader.part.exists(), False):
            try:
                pooch.retrieve(
                    url, file.checksum, fname=file.name, path=folder, downloader=downloader
                )
                return None
            except (RequestException, Setup) as error:
                return reason(error)
            except ValueError:
                # What was there may have been the beginning of something else: once more, whole.
                if not resumed:
                    return "wrong checksum"
    finally:
        logger.setLevel(level)
    return "wrong checksum"


class ResumingDownloader:
    """A downloader for pooch that keeps what it has in `part` and goes on from there."""

    def __init__(self, part: Path, progress: bool) -> None:
        self.part = part
        self.progress = progress

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Bring `url` to `output_file`, whole; the checksum is the caller's to check.

        Raises requests.RequestException after `TRIES` cut-offs, or at once if there is no answer.
        """
        from requests.exceptions import ChunkedEncodingError

        for left in reversed(range(TRIES)):
            try:
                self._get(url)
                break
            except ChunkedEncodingError:
                if not left:
                    raise
        self.part.replace(output_file)

    def _get(self, url: str) -> None:
        import requests

        start = self.part.stat().st_size if self.part.exists() else 0
        # A .gz must arrive as it is: no server may unpack it or wrap it on the way.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with answer(url, headers) as response:
            if start and response.status_code == requests.codes.requested_range_not_satisfiable:
                # There is nothing after what is here: the checksum will tell what that is worth.
                return
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                start = 0
            # Told to check the length, urllib3 throws away the last piece before a cut.
            response.raw.enforce_content_length = False
            length = response.headers.get("Content-Length", "")
            total = start + int(length) if length.isdigit() else None
            bar = progress_bar(self.progress, total, url.rsplit("/", 1)[-1], "B", start)
            try:
                with self.part.open("ab" if start else "wb") as out:
                    for chunk in response.iter_content(_CHUNK):
                        out.write(chunk)
                        bar.update(len(chunk))
            except requests.ConnectionError as error:
                raise requests.exceptions.ChunkedEncodingError(error) from error
            finally:
                bar.close()
        if total is not None and self.part.stat().st_size < total:
            raise requests.exceptions.ChunkedEncodingError(f"{url} ended early")


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    """Let one process at a time download a file, where the system can say so."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
