"""python -m benchmarks.gpu: all figures of a GPU with one command, the most valuable first.

Results are written after each measurement. The same command with the same --out goes on with what
is not there yet; what no longer fits into --minutes is left for it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from ganref import cli
from ganref.backend import is_installed
from ganref.output.files import written
from ganref.parity.workers import WorkerFailed
from ganref.spec import UserError

from .. import command, report
from . import plan, summary
from .measuring import Bench

FILE = "gpu.json"
SPARE = 15.0  # seconds that are kept for verdicts, the table and the pictures


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("benchmarks.gpu", __doc__)
    minutes = cli.positive(float)
    p.add_argument("--minutes", type=minutes, help="for all of it (default 8, small: 1)")
    p.add_argument("--device", default="cuda", help="cuda (default), cuda:i, or cpu for a dry run")
    p.add_argument("--small", action="store_true",
                   help="narrow networks and short turns, as on cpu: a dry run")  # fmt: skip
    return p


def main(argv: list[str] | None = None) -> int:
    """Measure what is not there yet, print, draw, write; exit code 1 if anything failed."""
    began, args = time.perf_counter(), parser().parse_args(argv)
    threads = cli.prepare_threads(args.threads)
    device = "cuda:0" if args.device == "cuda" else args.device
    sizes = plan.SMALL if args.small or device == "cpu" else plan.FULL
    end = began + 60 * (args.minutes or sizes.minutes) - SPARE
    command.prepare(args.out)
    about = report.environment(threads, device)
    result = _earlier(args.out / FILE, about, sizes.width)
    with tempfile.TemporaryDirectory(prefix="ganref-gpu-") as folder:
        own = result["verdicts"]
        bench = Bench(device, threads, args.seed, sizes, Path(folder), own)
        here = command.with_device(_chosen(args.backends, sizes), device)
        todo = plan.measurements(sizes, here)
        left = _measure(todo, bench, result, end, lambda: _write(args, about, result))
    _say(result, left)
    pictures = summary.draw(args.out, result["measurements"], about, sizes.repeats)
    print(written(args.out / FILE, *pictures))
    return int(any(_wrong(own) for own in result["measurements"].values()))


def _measure(
    todo: list[plan.Measurement], bench: Bench, result: dict[str, Any], end: float, write: Any
) -> list[str]:
    """Make the measurements that fit before `end`; a line for each that does not."""
    found, took, left = result["measurements"], result["took"], []
    for number, what in enumerate(todo, 1):
        if what.name in found and "why" not in found[what.name]:
            command.say(f"[{number}/{len(todo)}] {what.name}: there already")
            continue
        needs, remains = _guess(what, took), end - time.perf_counter()
        if needs > remains:
            left.append(f"{what.name}: takes some {needs:.0f} s")
            continue
        command.say(f"[{number}/{len(todo)}] {what.name} ({max(0, remains):.0f} s left)")
        bench.timeout, bench.examining = max(60.0, 2 * remains), 0.0
        start = time.perf_counter()
        try:
            found[what.name] = bench.measure(what)
        except WorkerFailed as failure:
            found[what.name] = {"why": str(failure)}
            command.say(f"{what.name}: {failure}")
        seconds = time.perf_counter() - start - bench.examining  # which later ones are spared
        took.setdefault(_kind(what), []).append(seconds)
        summary.add_shares(found)
        write()
    return left


def _kind(what: plan.Measurement) -> str:
    return f"{type(what).__name__} {what.backend}"


def _guess(what: plan.Measurement, took: dict[str, list[float]]) -> float:
    """How long a measurement may take: what others of its kind took in this run."""
    return statistics.median(took.get(_kind(what), [what.seconds]))


def _chosen(asked: str | None, sizes: plan.Sizes) -> list[str]:
    """The backends that are asked for, or those of the plan that are installed."""
    return command.chosen_backends(asked or ",".join(filter(is_installed, sizes.backends)))


def _earlier(path: Path, about: dict[str, Any], width: int) -> dict[str, Any]:
    """What an earlier run has left. Raises UserError if it was on another device, or of others."""
    mine: dict[str, Any] = {"measurements": {}, "verdicts": {}, "took": {}, "width": width}
    mine["gpus"] = about["gpus"] or [about["processor"]]
    try:
        there = json.loads(path.read_text())
        earlier = {key: there[key] for key in mine}
    except FileNotFoundError:
        return mine
    except (OSError, ValueError, KeyError):
        raise UserError(f"{path} is no result of benchmarks.gpu; choose another --out") from None
    if (earlier["gpus"], earlier["width"]) != (mine["gpus"], width):
        raise UserError(f"{path} has results of {earlier['gpus'][0]}; choose another --out")
    return earlier | {"took": {}}


def _write(args: argparse.Namespace, about: dict[str, Any], result: dict[str, Any]) -> None:
    for row in summary.rows(result["measurements"]):
        about["versions"][row["backend"]] = row["version"]
    command.write(args.out / FILE, args, about, **result)


def _say(result: dict[str, Any], left: list[str]) -> None:
    found = result["measurements"]
    for line in (*summary.tests(found), *summary.peaks(found)):
        print(line)
    print(summary.table(found))
    print("goals, for an H100:")
    for line in summary.goals(found):
        print(f"  {line}")
    if left:
        print("no longer fits; the same command goes on with it:")
        for line in left:
            print(f"  {line}")


def _wrong(own: dict[str, Any]) -> bool:
    return "why" in own or not own.get("right", True)


if __name__ == "__main__":
    cli.run_main(main, "benchmarks.gpu")
