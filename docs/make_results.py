"""Compute what docs/results holds, and write its numbers into the pages.

python -m docs.make_results              everything; minutes to an hour, by machine
python -m docs.make_results tabs pages   these parts alone
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from .making import (
    blocks,
    classes,
    equilibrium,
    equivalence,
    exports,
    imports,
    labels,
    labs,
    relu,
    samples,
    tabs,
)

PARTS: dict[str, Callable[[Path], None]] = {
    "equivalence": equivalence.make,
    "samples": samples.make,
    "tabs": tabs.make,
    "labs": labs.make,
    "equilibrium": equilibrium.make,
    "relu": relu.make,
    "classes": classes.make,
    "exports": exports.make,
    "imports": imports.make,
    "labels": labels.make,
    "pages": blocks.make,
}


def main(argv: list[str] | None = None) -> None:
    """Make the parts asked for."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default all)")
    p.add_argument("--runs", type=Path, help="where runs are left, and found again (default none)")
    args = p.parse_args(argv)
    if wrong := set(args.parts) - set(PARTS):
        p.error(f"no part {', '.join(wrong)}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as temporary:
        runs = args.runs or Path(temporary)
        for name in args.parts or PARTS:
            PARTS[name](runs)


if __name__ == "__main__":
    main()
