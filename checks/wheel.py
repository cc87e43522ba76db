"""python -m checks.wheel WHEEL: a built wheel has all of the package, and nothing else.

Every file of `ganref/` in this tree has to be in it, data and `py.typed` too; beside its own
metadata nothing else may be: no tests, benchmarks or checks. Exit code 1, with a line for each
file, if that is not so.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def wrong(names: Iterable[str], root: Path = ROOT) -> list[str]:
    """A line for each file that a wheel with these names lacks, or has beside the package."""
    inside = {name for name in names if ".dist-info/" not in name}
    files = (path for path in (root / "ganref").rglob("*") if path.is_file())
    sources = {str(path.relative_to(root)) for path in files if path.suffix != ".pyc"}
    missing = [f"missing: {name}" for name in sorted(sources - inside)]
    return missing + [f"not of the package: {name}" for name in sorted(inside - sources)]


def main(argv: list[str]) -> int:
    """Check one wheel."""
    names = zipfile.ZipFile(argv[0]).namelist()
    lines = wrong(names)
    print("\n".join(lines) or f"{Path(argv[0]).name}: {len(names)} files, as they should be")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
