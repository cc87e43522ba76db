"""python -m ganref.compare: the same training on every backend, or by more workers, step by step,
side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import cli
from .backend import BACKENDS, is_installed
from .output import curves, strict_json
from .output.files import optional, results_in, write_atomically, written
from .parity.lockstep import compare
from .parity.tolerances import KINDS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.compare", description=__doc__, argument_default=argparse.SUPPRESS)
    p.add_argument("--backends", help="comma-separated, the reference first (default: all here)")
    p.add_argument("--steps", type=cli.positive(int), help="default 20")
    p.add_argument("--dtype", choices=("float32", "float64"), help="default float64")
    p.add_argument("--teacher-forced", action="store_true",
                   help="start every step from the reference's state")  # fmt: skip
    p.add_argument("--device", help="default cpu")
    p.add_argument("--compile", choices=("auto", "on", "off"), help="default auto")
    p.add_argument("--workers", type=cli.counts,
                   help="comma-separated: each backend by so many, against itself")  # fmt: skip
    p.add_argument("--threads", type=cli.THREADS)
    p.add_argument(
        "--out", type=cli.path, help="for compare.json and compare.png (default compare)"
    )
    cli.progress_options(p)
    cli.recipe_options(p)
    cli.reading_options(p)
    return p


def table(report: dict[str, Any]) -> str:
    """The report for a terminal: the worst difference of each pair and kind, and the verdict."""
    labels = [" - ".join(pair["pair"]) for pair in report["pairs"]]
    wide = max([16, *(len(label) + 1 for label in labels)])
    how = "each step from the reference's state" if report["teacher_forced"] else "free-running"
    lines = [
        f"{report['recipe']} ({report['tab']}), {report['steps']} steps, {report['dtype']}, {how}: "
        "largest relative differences",
        f"{'':<{wide}}" + "".join(f"{kind:>12}" for kind in KINDS),
    ]
    for label, pair in zip(labels, report["pairs"], strict=True):
        if not pair["worst"]["losses"]:
            lines.append(f"{label:<{wide}}  not compared")
            continue
        worst = [max(pair["worst"][kind], default=float("nan")) for kind in KINDS]
        verdict = "outside" if pair["first_outside"] else "ok"
        lines.append(f"{label:<{wide}}" + "".join(f"{w:>12.1e}" for w in worst) + f"  {verdict}")
    if beside := [name for name, where in report["devices"].items() if where == "cpu"]:
        others = next(where for where in report["devices"].values() if where != "cpu")
        lines.append(f"without {others}, on the processor beside the others: {', '.join(beside)}")
    last = [
        next((t for t in reversed(report["tolerances"][k]) if t is not None), None) for k in KINDS
    ]
    shown = "".join(f"{'-' if t is None else format(t, '.0e'):>12}" for t in last)
    lines.append(f"{'tolerance':<{wide}}{shown}")
    judged = sum(t is not None for t in report["tolerances"]["losses"])
    if judged < report["steps"] and not report["died"]:
        lines.append(
            f"only the first {judged} steps were judged: rounding, amplified, decides after that"
        )
    lines += [
        f"{label}: {out['tensor']} ({out['kind']}) leaves the tolerance "
        f"at step {out['step']}: {out['difference']:.1e} > {out['tolerance']:.0e}"
        for label, pair in zip(labels, report["pairs"], strict=True)
        if (out := pair["first_outside"])
    ]
    lines += [f"{name} died: {words}" for name, words in report["died"].items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Compare, print, draw, write; exit code 1 if anything is outside its tolerance."""
    args = vars(parser().parse_args(argv))
    recipe = cli.build_recipe(args)
    cli.check_memory(recipe, args.get("dtype", "float64"))
    workers = args.get("workers", ())
    able = (name for name, entry in BACKENDS.items() if entry.engine or not workers)
    default = ",".join(filter(is_installed, able))
    out, name = args.get("out", Path("compare")), args.get("data", recipe.data)
    with results_in(out):
        report = compare(
            recipe,
            args.get("backends", default).split(","),
            args.get("steps", 20),
            args.get("dtype", "float64"),
            data_name=name,
            reading=cli.reading(args, name),
            conditional=args.get("conditional", ""),
            seed=args.get("seed", 0),
            teacher_forced="teacher_forced" in args,
            device=args.get("device", "cpu"),
            compile=args.get("compile", "auto"),
            threads=cli.prepare_threads(args.get("threads")),
            workers=workers,
            progress=cli.shows_bar(args),
        )
        print(table(report))
        text, picture = out / "compare.json", out / "compare.png"
        write_atomically(text, strict_json.dumps(report, indent=1).encode())
        with optional(picture.name):
            picture.unlink(missing_ok=True)
            curves.comparison(picture, report)
        print(written(text, picture))
    return 0 if report["agrees"] else 1


if __name__ == "__main__":
    cli.run_main(main, "ganref.compare")
