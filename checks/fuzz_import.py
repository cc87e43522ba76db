"""python -m checks.fuzz_import: the importers' part of `checks.fuzz`, 20,000 changed files each."""

from __future__ import annotations

from pathlib import Path

from ganref import cli

from .fuzz.__main__ import main as fuzz
from .fuzz.imports import IMPORTS


def main(argv: list[str] | None = None) -> int:
    """Run, report, keep. Raises UserError."""
    p = cli.Parser(prog="checks.fuzz_import", description=__doc__)
    p.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(IMPORTS)} (all)")
    p.add_argument("--cases", type=cli.positive(int), default=20_000, help="of each (20,000)")
    p.add_argument("--jobs", type=cli.THREADS, default=1, help="processes (1)")
    p.add_argument("--out", type=cli.path, default=Path("fuzz"), help="for fuzz.json (fuzz)")
    args = p.parse_args(argv)
    how = ["--count", str(args.cases), "--jobs", str(args.jobs), "--out", str(args.out)]
    return fuzz([*(args.kinds or IMPORTS), *how])


if __name__ == "__main__":
    cli.run_main(main, "checks.fuzz_import")
