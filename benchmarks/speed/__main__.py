"""python -m benchmarks.speed: how fast every backend trains, fast paths against pages."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from ganref import cli
from ganref.spec import Recipe, UserError, recipe
from ganref.spec.precision import DTYPES

from .. import command, report
from ..pages import training
from . import charts, duration, gate, rounds
from .measure import COMPILE, PAGES

MODES = (*PAGES, *COMPILE)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("benchmarks.speed", __doc__, "speed")
    number = cli.positive(int)
    p.add_argument("--recipes", default="gaussian", help="comma-separated (default gaussian)")
    p.add_argument(
        "--modes",
        help=f"of {', '.join(MODES)} (default page,fast; fast alone where there is no page)",
    )
    p.add_argument("--batch-sizes", help="comma-separated (default the recipe's)")
    p.add_argument("--widths", help="comma-separated (default the recipe's)")
    p.add_argument("--device", default="cpu", help="cpu, cuda or cuda:i (default cpu)")
    p.add_argument("--dtype", default="float32", choices=DTYPES)
    p.add_argument("--repeats", type=number, default=5, help="turns of each variant (default 5)")
    p.add_argument("--seconds", type=cli.positive(float), default=1.0,
                   help="length of a turn, one call at least (default 1)")  # fmt: skip
    p.add_argument("--input", action="store_true", help="also how long the loop waits for draws")
    return p


def shapes(args: argparse.Namespace) -> list[Recipe]:
    """The recipes at every batch size and width asked for. Raises UserError."""
    out: dict[Recipe, None] = {}
    for name in args.recipes.split(","):
        base = recipe(name)
        for batch in _numbers(args.batch_sizes, "--batch-sizes") or [base.batch_size]:
            for width in _numbers(args.widths, "--widths") or [base.width]:
                # The toy has no width: the same networks would be timed again.
                wide = {} if base.stack == "toy" else {"width": width}
                out[base.replace(batch_size=batch, **wide)] = None
    return list(out)


def variants(args: argparse.Namespace, shape: Recipe) -> list[tuple[str, str]]:
    """(backend, mode) of all that are to be timed. Raises UserError."""
    modes = args.modes.split(",") if args.modes else ["page", "fast"]
    for mode in modes:
        if mode not in MODES:
            raise UserError(f"unknown mode {mode!r}; there are {', '.join(MODES)}")
    names = command.chosen_backends(args.backends)
    if not args.backends and shape.convolves:  # NumPy's are there to be read
        names.remove("numpy")
    out = [(name, mode) for name in names for mode in modes if name != "numpy"]
    if "numpy" in names:  # which compiles nothing: the last mode is as good as another
        pages = [mode for mode in modes if mode in PAGES]
        others = [mode for mode in modes if mode in COMPILE]
        out = [("numpy", mode) for mode in (*pages[-1:], *others[-1:])] + out
    lacking = [name for name in names if not training.exists(shape, name)]
    if args.modes:  # what was asked for by name is a row that says why it is not there
        lacking = [name for name in lacking if name == "numpy" and not args.backends]
    kept = [(name, mode) for name, mode in out if mode not in PAGES or name not in lacking]
    if kept != out:
        command.say(f"{shape.name} has no page in {', '.join(lacking)}")
    return kept


def _numbers(text: str | None, option: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise UserError(f"{option} takes numbers, such as 16,64; not {text}") from None
    return numbers


def main(argv: list[str] | None = None) -> int:
    """Measure, print, draw, write; exit code 1 if anything asked for could not be timed."""
    args = parser().parse_args(argv)
    threads = cli.prepare_threads(args.threads)
    device = "cuda:0" if args.device == "cuda" else args.device
    how = rounds.Settings(
        device, args.dtype, threads, args.repeats, args.seconds, args.seed, args.input
    )
    if device != "cpu" and not args.backends:
        here = command.with_device(command.chosen_backends(None), device)
        args.backends = ",".join(here)
    todo = [(shape, variants(args, shape)) for shape in shapes(args)]
    command.prepare(args.out)
    result: dict[str, Any] = {
        "environment": report.environment(threads, device),
        "settings": command.settings(args),
        "matmul_flops_per_s": {},
        "rows": [],
    }
    for warning in report.warnings(result["environment"]):
        command.say(warning)
    said = duration.in_words(duration.estimate(todo, how))
    command.say(f"{sum(len(asked) for _, asked in todo)} variants, about {said}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ganref-bench-") as folder:
        judge = gate.Gate(Path(folder), threads, args.seed)
        for shape, asked in todo:
            rows = rounds.measure(shape, asked, how, judge, result["matmul_flops_per_s"])
            report.add_ratios(rows)
            result["rows"] += rows
            _write(result, args)
    charts.bars(args.out / "speed.png", result)
    curves = charts.curves(args.out / "curves.png", result)
    print(report.table(result["rows"]))
    print(report.rates_line(result["matmul_flops_per_s"]))
    written = ["speed.json", "speed.png", *(["curves.png"] if curves else [])]
    print("written: " + ", ".join(str(args.out / name) for name in written))
    command.say(f"took {duration.in_words(time.monotonic() - start)}")
    return 1 if any("why" in row for row in result["rows"]) else 0


def _write(result: dict[str, Any], args: argparse.Namespace) -> None:
    """Everything so far, against the best matrix product so far in each row's precision."""
    for row in result["rows"]:
        if row["rounds"]:
            report.summarise(row, report.best_rate(result["matmul_flops_per_s"], row["dtype"]))
        if "version" in row:
            result["environment"]["versions"][row["backend"]] = row["version"]
    parts = {name: part for name, part in result.items() if name not in ("environment", "settings")}
    command.write(args.out / "speed.json", args, result["environment"], **parts)


if __name__ == "__main__":
    cli.run_main(main, "benchmarks.speed")
