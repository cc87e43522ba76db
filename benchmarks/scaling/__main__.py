"""python -m benchmarks.scaling: what more workers of a run gain, here and elsewhere.

Each has the same number of threads. Strong scaling shares one batch out, weak scaling gives every
worker a batch; both are held against one worker that is alone with what is a worker's own. From
their sums the way between workers is fitted, and steps are predicted by `model`: at the points that
were measured, which says what the prediction is worth, and for GPUs that nobody has here.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import statistics
import time
from pathlib import Path
from typing import Any

from ganref import cli
from ganref.backend import BACKENDS
from ganref.output.files import write_atomically, written
from ganref.parity.team import Team
from ganref.parity.workers import Worker, WorkerFailed
from ganref.spec import Recipe, UserError, recipe
from ganref.spec.groups import couples_examples, share
from ganref.spec.recipes import num_parameters

from .. import command, report
from ..speed.rounds import SETTLE
from . import page
from .model import fitted

MEMBER = "benchmarks.scaling.member"
SIZES = 1, 2**14, 2**18, 2**20  # numbers in the vectors whose sums are timed alone
Row = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("benchmarks.scaling", __doc__, "scaling")
    number = cli.positive(int)
    p.add_argument("--recipe", default="dcgan32", help="default dcgan32")
    p.add_argument("--batch-size", type=number, help="of strong scaling (default the recipe's)")
    p.add_argument("--workers", type=cli.counts, default=(1, 2), help="default 1,2")
    p.add_argument("--repeats", type=number, default=3, help="turns of each (default 3)")
    p.add_argument("--seconds", type=cli.positive(float), default=2.0,
                   help="length of a turn, one call at least (default 2)")  # fmt: skip
    p.add_argument("--page", type=cli.path, help="a Markdown file to write, docs/scaling.md say")
    return p


def shapes(base: Recipe, workers: int) -> dict[str, Recipe]:
    """The recipe as so many workers train it: one batch for all, and one for each. Raises
    UserError."""
    groups = workers if couples_examples(base) else 1
    cut = base.replace(norm=dataclasses.replace(base.norm, groups=groups))
    found = {"strong": cut, "weak": cut.replace(batch_size=workers * base.batch_size)}
    for whole in found.values():
        share(whole, workers)
    return found


def measure(backend: str, kind: str, whole: Recipe, workers: int, how: argparse.Namespace) -> Row:
    """One row: a recipe by so many workers, and by one that has what is a worker's own."""
    own = share(whole, workers)
    row: Row = {"backend": backend, "scaling": kind, "workers": workers,
                "batch_size": whole.batch_size, "own_batch": own.batch_size,
                "parameters": num_parameters(whole),
                "updates": (whole.D_updates, whole.G_updates), "sums": []}  # fmt: skip
    command.say(f"{backend}, {kind}, {workers} workers, batch {whole.batch_size}")
    threads = how.threads or 1
    with contextlib.closing(Worker(MEMBER, backend, str(threads))) as one:
        row["version"] = one.ask("begin", own, _steps(own), how.seed)
        row["alone_s"] = _turns(one.ask, how)
        if workers == 1:
            return row | {"step_s": row["alone_s"]}
    with contextlib.closing(Team(backend, workers, threads * workers, MEMBER)) as team:

        def ask(do: str, *args: Any) -> Any:
            team.send(do, *args)
            return team.receive_all()[0]

        ask("begin", whole, _steps(own), how.seed)
        row["step_s"] = _turns(ask, how)
        calls = max(1, round(how.seconds / row["step_s"]["median"] / _steps(own)))
        before = _on_loopback()
        found = ask("counted", calls)
        steps = found["steps"]
        row |= {"collectives": found["sums_s"] / found["seconds"],
                "bytes_per_step": found["bytes"] / steps, "sums_per_step": found["sums"] / steps,
                "loopback_per_step": (_on_loopback() - before) / steps}  # fmt: skip
        for numbers in SIZES:
            took = statistics.median(ask("collective", numbers, 9))
            row["sums"].append({"bytes": 4 * numbers, "workers": workers, "seconds": took})
    return row


def _steps(own: Recipe) -> int:
    """Steps of a call: many where they are short, as the training loop hands them over."""
    return 125 if own.stack == "toy" else 4


def _turns(ask: Any, how: argparse.Namespace) -> dict[str, float]:
    """Seconds per step over the turns."""
    once = ask("turn", 1)
    calls, times = max(1, round(how.seconds / once["seconds"])), []
    for _ in range(how.repeats):
        time.sleep(SETTLE)
        found = ask("turn", calls)
        times.append(found["seconds"] / found["steps"])
    return report.spread(times)


def _on_loopback() -> int:
    """The bytes that this machine has sent to itself, for anybody; 0 where that is not said."""
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return 0
    return next((int(x.split()[9]) for x in lines if x.strip().startswith("lo:")), 0)


def judge(rows: list[Row]) -> None:
    """Add to the rows of several workers their efficiency, what the model says, and how far it is
    from what was measured; each backend's link is fitted to its sums alone."""
    rates = {
        row["backend"]: row["batch_size"] / row["step_s"]["median"]
        for row in rows
        if row["workers"] == 1
    }
    for row in rows:
        rate, one = row["batch_size"] / row["step_s"]["median"], rates.get(row["backend"])
        row["efficiency"] = rate / one / row["workers"] if one else None
    for name in dict.fromkeys(row["backend"] for row in rows):
        own = [row for row in rows if row["backend"] == name]
        points = [(p["bytes"], p["workers"], p["seconds"]) for row in own for p in row["sums"]]
        if not points:
            continue
        link = fitted(points)
        for row in own:
            if not row["sums"]:
                continue
            predicted = link.step_s(row["alone_s"]["median"], page.vectors(row), row["workers"])
            row |= {"link": dataclasses.asdict(link), "predicted_s": predicted,
                    "off": predicted / row["step_s"]["median"] - 1}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; exit code 1 if a backend's workers failed."""
    args = parser().parse_args(argv)
    base = recipe(args.recipe)
    base = base.replace(batch_size=args.batch_size or base.batch_size)
    names = [n for n in command.chosen_backends(args.backends) if BACKENDS[n].engine]
    if not names:
        raise UserError("numpy trains in one process; there are no workers to time")
    todo = [(count, shapes(base, count)) for count in args.workers]
    command.prepare(args.out)
    about = report.environment(args.threads or 1, "cpu")
    for warning in report.warnings(about):
        command.say(warning)
    rows, died = [], {}
    for name in names:
        for count, wholes in todo:
            for kind in ("strong",) if count == 1 else ("strong", "weak"):
                try:
                    rows.append(measure(name, kind, wholes[kind], count, args))
                except WorkerFailed as failure:
                    died[f"{name}, {kind}, {count} workers"] = str(failure)
                judge(rows)  # what there is, should the rest be broken off
                command.write(
                    args.out / "scaling.json", args, about, recipe=base.name, rows=rows, died=died
                )
    for line in page.table(rows):
        print(line)
    for name, words in died.items():
        print(f"{name}: {words}")
    made = [args.out / "scaling.json"]
    if args.page and not died:
        write_atomically(args.page, page.markdown(base, rows, about, args).encode())
        made.append(args.page)
    print(written(*made))
    return int(bool(died))


if __name__ == "__main__":
    cli.run_main(main, "benchmarks.scaling")
