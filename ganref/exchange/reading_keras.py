"""Keras' `.keras`, `.weights.h5` and `.h5`: their arrays alone. The configuration, which could be
made to run code, is not looked at.

HDF5 is read by its own library, which trusts what a file says. So it is read in a process of its
own with a bound on memory and time: `python -m ganref.exchange.reading_keras FILE`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..spec.errors import UserError
from .archive import Archive
from .arrays import Found, Raw, settle
from .reading_tensors import safe_raws

WEIGHTS = "model.weights.h5"
MEMORY, SECONDS = 2 << 30, 120
SKIPPED = ("optimizer", "optimizer_weights", "_layer_checkpoint_dependencies/optimizer")
ARRAYS, NAMES = 20_000, 4_000_000  # of arrays, and of letters in their names


def read_archive(archive: Archive) -> Found:
    """The weights in a `.keras`. Raises UserError."""
    return read_h5(archive.read(WEIGHTS), "a .keras archive")


def read_h5(data: bytes, kind: str = "an HDF5 file of Keras") -> Found:
    """Raises UserError if it is no whole file, or has links to others."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        path = Path(folder) / "weights.h5"
        path.write_bytes(data)
        raws = apart(path)
    names = {name.removeprefix("model_weights/"): raw for name, raw in raws.items()}
    return settle(kind, ("tf",), {"": names})


def apart(path: Path) -> dict[str, Raw]:
    """The arrays of an HDF5 file, read in another process. Raises UserError for what becomes of
    that one."""
    command = [sys.executable, "-m", "ganref.exchange.reading_keras", str(path)]
    above = str(Path(__file__).parents[2])
    known = os.environ | {"PYTHONPATH": os.pathsep.join([above, *sys.path]), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, env=known)
    except subprocess.TimeoutExpired:
        raise UserError(f"takes HDF5 more than {SECONDS} seconds to read; it is damaged") from None
    return verdict(done.returncode, done.stdout, done.stderr)


def verdict(code: int, out: bytes, err: bytes) -> dict[str, Raw]:
    """What the other process has found. Raises UserError if it was refused, or ended by HDF5."""
    words = err.decode(errors="replace").strip().splitlines()
    if code == 2 and words:
        raise UserError(words[-1][:300])
    if code != 0:
        raise UserError(f"is so damaged that HDF5 ends over it (exit code {code})")
    return safe_raws(out)


def answer(path: str) -> bytes:
    """The arrays of an HDF5 file, as safetensors. Raises UserError."""
    try:
        import h5py
    except ImportError:
        raise UserError("takes h5py to read; install it: `pip install h5py`") from None
    from safetensors.numpy import save

    size = os.path.getsize(path)
    try:
        with h5py.File(path, "r", rdcc_nbytes=0) as file:
            found, taken = {}, 0
            for name, dataset in _datasets(h5py, file):
                taken += _checked(name, dataset, size)
                if taken > 30 * size + (64 << 20):
                    raise UserError("claims arrays that are many times its size")
                array = np.asarray(dataset[()])
                found[name] = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    except UserError:
        raise
    except Exception as error:  # whatever HDF5 says of a damaged file, it is no fault of ours
        raise UserError(f"is no whole HDF5 file ({' '.join(str(error).split())[:80]})") from None
    return save({n: np.asarray(a, order="C") for n, a in found.items()})


def _datasets(h5py: Any, file: Any) -> Iterator[tuple[str, Any]]:
    """The datasets by their path, but for an optimiser's; links to other files are not followed."""
    todo, letters = [("", file)], 0
    seen: set[int] = set()
    while todo:
        path, group = todo.pop()
        for name in group:
            own = f"{path}/{name}" if path else name
            letters += len(own)
            if letters > NAMES or len(seen) > ARRAYS:
                raise UserError("holds more groups and arrays than any network has")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UserError(f"links {own!r:.60} to another place, which ganref does not follow")
            if own in SKIPPED:
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise UserError(f"holds {own!r:.60} twice")
            seen.add(address)
            if isinstance(item, h5py.Group):
                todo.append((own, item))
            elif isinstance(item, h5py.Dataset):
                yield own, item


def _checked(name: str, dataset: Any, size: int) -> int:
    """The bytes of a dataset. Raises UserError for what is kept elsewhere, is no plain numbers, or
    claims more than the file could hold."""
    if dataset.external or dataset.is_virtual:
        raise UserError(f"keeps {name!r:.60} in another file; ganref does not follow that")
    if dataset.dtype.kind not in "fiub" or dataset.dtype.itemsize > 8 or dataset.dtype.subdtype:
        raise UserError(f"array {name!r:.60} is {dataset.dtype!s:.40}, and no weights")
    if dataset.nbytes > 30 * size + (64 << 20):
        raise UserError(f"array {name!r:.60} claims {dataset.nbytes:,} bytes in a file of {size:,}")
    return int(dataset.nbytes)


def main(path: str) -> int:
    """Answer for one file on stdout, or say in one line on stderr why not."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        out = answer(path)
    except (UserError, MemoryError) as error:
        print(str(error) or "claims more memory than there is", file=sys.stderr)
        return 2
    sys.stdout.buffer.write(out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
