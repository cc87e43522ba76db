"""python -m checks.fuzz: changed files, command lines and failing machines, and what comes of each.

The right outcomes are two: the same numbers, or one line of refusal with every byte as it was.
Case n of a kind is the same in every campaign. Results are kept in `fuzz.json` as they come; the
same command goes on from there, or stops at once if all has been done. Exit code 1 if any outcome
was wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

from ganref import cli
from ganref.output.files import write_atomically
from ganref.spec import UserError

from .campaign import KINDS, campaign, cases
from .outcome import Tally


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="checks.fuzz", description=__doc__)
    p.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    p.add_argument("--count", type=cli.positive(int), help="of each kind (default: the campaign's)")
    p.add_argument("--case", type=cli.between(int, 0, 10**9), help="this one alone, with its words")
    p.add_argument("--jobs", type=cli.THREADS, help="processes (default: as many as cores)")
    p.add_argument(
        "--out", type=cli.path, default=Path("fuzz"), help="for fuzz.json (default fuzz)"
    )
    return p


def line(kind: str, done: int, tally: Tally) -> str:
    """A kind's counts for a terminal."""
    counts = ", ".join(f"{name} {count:,}" for name, count in tally.counts.items())
    seconds, case = tally.slowest
    slow = f"slowest {seconds:.2f} s (case {case:.0f})"
    return f"{kind:<12} {done:>7,}: {counts}; {slow}, peak {tally.peak_mib:,.0f} MiB"


def one_kind(kind: str, args: argparse.Namespace, path: Path) -> Tally:
    """What is left to do of a kind, and the whole that is kept in that file."""
    count = args.count or KINDS[kind][1]
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    entry = kept.get(kind, {"done": 0, "seconds": 0.0, "tally": {}})
    total, start = Tally(**entry["tally"]), time.perf_counter()

    def keep(done: int, tally: Tally) -> None:
        total.merge(tally)
        spent = entry["seconds"] + time.perf_counter() - start
        kept[kind] = {"done": done, "seconds": spent, "tally": dataclasses.asdict(total)}
        write_atomically(path, json.dumps(kept, indent=1).encode())

    campaign(kind, entry["done"], count, args.jobs or len(os.sched_getaffinity(0)), keep)
    print(line(kind, max(count, entry["done"]), total), flush=True)
    for case, what, why in total.wrong:
        print(f"  {case}: {what}: {why}")
    return total


def main(argv: list[str] | None = None) -> int:
    """Run, report, keep. Raises UserError."""
    args = parser().parse_args(argv)
    chosen = args.kinds or list(KINDS)
    if unknown := set(chosen) - set(KINDS):
        raise UserError(f"unknown kind {min(unknown)!r}; there are {', '.join(KINDS)}")
    if args.case is not None:
        found = [cases(kind, args.case, args.case + 1) for kind in chosen]
        print(*(tally for tally in found), sep="\n")
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        found = [one_kind(kind, args, args.out / "fuzz.json") for kind in chosen]
    return 0 if all(tally.right for tally in found) else 1


if __name__ == "__main__":
    cli.run_main(main, "checks.fuzz")
