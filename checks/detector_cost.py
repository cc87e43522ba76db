"""python -m checks.detector_cost: what the detectors cost, as a share of the training step.

In the real loop, run directory and all, of each backend: every round has a turn with the detectors
and one without for each of them. The time inside the detectors is taken by a clock, since a
hundredth of a step is less than two turns differ; the turns without show whether they cost
anything elsewhere. Exit code 1 if a median is above 1%.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks import command, report
from benchmarks.speed.rounds import SETTLE
from benchmarks.workers import Worker
from ganref import cli
from ganref.parity.workers import WorkerFailed

TARGET = 0.01


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("checks.detector_cost", __doc__, "detectors")
    number = cli.positive(int)
    p.add_argument("--recipes", default="gaussian,mlp", help="comma-separated (gaussian,mlp)")
    p.add_argument("--steps", type=number, help="of a turn, rounded up to whole epochs (default:"
                   " 2500 of the toy, 500 of others: two looks at samples)")  # fmt: skip
    p.add_argument("--repeats", type=number, default=7, help="turns of each kind (default 7)")
    p.add_argument("--compile", choices=("auto", "on", "off"), default="on")
    return p


def rounds(row: dict[str, Any], worker: Worker, args: argparse.Namespace) -> None:
    """A round of one backend: with its detectors and without, in turn first."""
    kinds = [("with", True), ("without", False)]
    for kind, watched in kinds if len(row["with"]) % 2 else kinds[::-1]:
        time.sleep(SETTLE)
        row[kind].append(worker.ask("turn", steps=row["steps"], watched=watched))


def summarise(row: dict[str, Any]) -> None:
    """Add what follows from the turns: seconds per step, the detectors' part, and its share."""
    pairs = list(zip(row["with"], row["without"], strict=True))
    row["step_s"] = report.spread([t["training_s"] / t["steps"] for t in row["with"]])
    row["detecting_s"] = report.spread([t["detecting_s"] / t["steps"] for t in row["with"]])
    row["share"] = report.spread([t["detecting_s"] / t["training_s"] for t in row["with"]])
    row["ratio"] = report.spread(
        [(a["training_s"] + a["detecting_s"]) / b["training_s"] for a, b in pairs]
    )


def measure(name: str, backends: list[str], args: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one recipe. A backend that fails says why in its row."""
    threads = command.chosen_threads(args.threads)
    rows = [{"recipe": name, "backend": b, "with": [], "without": []} for b in backends]
    workers: dict[str, Worker] = {}
    try:
        for row in rows:
            try:
                command.say(f"{name} on {row['backend']}: start-up, warm-up")
                worker = Worker(row["backend"], args.compile, threads, module="checks.timed_loop")
                workers[row["backend"]] = worker
                row["version"] = worker.hello["version"]
                epoch = worker.ask("build", name=name)["steps_per_epoch"]
                # Whole epochs: the rest of one would be a call of another length, compiled anew.
                steps = args.steps or (2500 if name == "gaussian" else 500)
                row["steps"] = -(-steps // epoch) * epoch
                worker.ask("turn", steps=2 * epoch, watched=True)
            except WorkerFailed as failure:
                row["why"] = str(failure)
        for turn in range(args.repeats):
            for row in rows[turn % len(rows) :] + rows[: turn % len(rows)]:
                if "why" in row:
                    continue
                try:
                    rounds(row, workers[row["backend"]], args)
                except WorkerFailed as failure:
                    row["why"] = str(failure)
            command.say(f"{name}: round {turn + 1} of {args.repeats}")
    finally:
        for worker in workers.values():
            worker.close()
    for row in rows:
        if "why" not in row:
            summarise(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """All rows for a terminal."""
    lines = [f"{'recipe':<12}{'backend':<9}{'step':>10}{'detectors':>11}{'share':>9}  "
             f"{'min..max':<17}with / without"]  # fmt: skip
    for row in rows:
        head = f"{row['recipe']:<12}{row['backend']:<9}"
        if "share" not in row:
            lines.append(f"{head}{'-':>10}{'-':>11}{'-':>9}  {row['why']}")
            continue
        share, ratio = row["share"], row["ratio"]
        spread = f"{share['min']:.2%} .. {share['max']:.2%}"
        lines.append(
            f"{head}{report.seconds(row['step_s']['median']):>10}"
            f"{report.seconds(row['detecting_s']['median']):>11}{share['median']:>9.2%}  "
            f"{spread:<17}"
            f"{ratio['median']:.3f} ({ratio['min']:.3f} .. {ratio['max']:.3f})"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; exit code 1 if the detectors cost too much, or a backend failed."""
    args = parser().parse_args(argv)
    names = command.chosen_recipes(args.recipes)
    backends = command.chosen_backends(args.backends)
    command.prepare(args.out)
    about = command.environment(args)
    rows = [row for name in names for row in measure(name, backends, args)]
    about["versions"] |= {row["backend"]: row["version"] for row in rows if "version" in row}
    command.write(args.out / "detectors.json", args, about, target=TARGET, rows=rows)
    print(table(rows))
    print(f"written: {args.out / 'detectors.json'}")
    dear = [row for row in rows if "share" not in row or row["share"]["median"] > TARGET]
    return 1 if dear else 0


if __name__ == "__main__":
    cli.run_main(main, "checks.detector_cost")
