"""python -m ganref.lab vanishing|collapse|oscillation|losses: what goes wrong in GANs, measured."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from . import cli
from .backend import BACKENDS, check_backend, load_backend
from .labs import Setup, collapse, losses, oscillation, vanishing
from .output import strict_json
from .output.canvas import plain
from .output.files import optional, results_in, write_atomically, written

LABS: dict[str, ModuleType] = {
    "vanishing": vanishing,
    "collapse": collapse,
    "oscillation": oscillation,
    "losses": losses,
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.lab", description=__doc__)
    p.add_argument("lab", choices=tuple(LABS), help="the experiment")
    p.add_argument("--backend", default="numpy", help=f"one of {', '.join(BACKENDS)}")
    p.add_argument("--seed", type=cli.SEED, default=0, help="of every draw (default 0)")
    p.add_argument("--quick", action="store_true", help="for a lesson; says what it gives up")
    p.add_argument("--out", type=cli.path, help="for the JSON and the picture (default lab/<name>)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:i (default auto)")
    p.add_argument("--dtype", default="float32", help="float32 (default) or float64")
    p.add_argument("--compile", default="auto", choices=("auto", "on", "off"))
    p.add_argument("--threads", type=cli.THREADS, help="cores to use (default all)")
    cli.progress_options(p)
    return p


def main(argv: list[str] | None = None) -> int:
    """Run an experiment; print what was found, write it, draw it. Raises UserError."""
    args = parser().parse_args(argv)
    check_backend(args.backend)
    threads = cli.prepare_threads(args.threads)
    cli.keep_compiled(args.backend)
    out = args.out or Path("lab") / args.lab
    load_backend(args.backend).set_threads(threads)
    device = cli.pick_device(args.backend, args.device)
    with results_in(out):
        _measure(args, device, threads, out)
    return 0


def finding(lab: str, figures: dict[str, Any], quick: bool) -> str:
    """What a lab's figures say, and of --quick what it gave up."""
    said = LABS[lab].finding(figures)
    return f"{said} {LABS[lab].GIVEN_UP}" if quick else said


def _measure(args: argparse.Namespace, device: str, threads: int, out: Path) -> None:
    bar = cli.shows_bar(vars(args))
    setup = Setup(args.backend, args.seed, device, args.dtype, args.compile, bar)
    lab, started = LABS[args.lab], time.perf_counter()
    figures = lab.run(setup, **lab.QUICK if args.quick else {})
    about = {
        "lab": args.lab,
        "backend": args.backend,
        "device": device,
        "dtype": args.dtype,
        "seed": args.seed,
        "threads": threads,
        "versions": cli.versions(args.backend),
        "seconds": time.perf_counter() - started,
        "quick": args.quick,
        "finding": finding(args.lab, figures, args.quick),
    }
    report, picture = out / f"{args.lab}.json", out / f"{args.lab}.png"
    print(about["finding"])
    write_atomically(report, strict_json.dumps(about | {"figures": figures}, indent=1).encode())
    with optional(picture.name), plain():
        picture.unlink(missing_ok=True)
        lab.draw(picture, figures)
    print(written(report, picture))


if __name__ == "__main__":
    cli.run_main(main, "ganref.lab")
