"""python -m ganref.lab vanishing|collapse|oscillation: what goes wrong in a GAN, measured."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import ModuleType

from . import cli
from .backend import BACKENDS, check_backend, load_backend
from .labs import Setup, collapse, oscillation, vanishing
from .output import strict_json
from .output.canvas import plain
from .output.files import disk_errors, write_atomically

LABS: dict[str, ModuleType] = {
    "vanishing": vanishing,
    "collapse": collapse,
    "oscillation": oscillation,
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.lab", description=__doc__)
    p.add_argument("lab", choices=tuple(LABS), help="the experiment")
    p.add_argument("--backend", default="numpy", help=f"one of {', '.join(BACKENDS)}")
    p.add_argument("--seed", type=cli.SEED, default=0, help="of every draw (default 0)")
    p.add_argument("--out", type=Path, help="for the JSON and the picture (default lab/<name>)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:i (default auto)")
    p.add_argument("--dtype", default="float32", help="float32 (default) or float64")
    p.add_argument("--compile", default="auto", choices=("auto", "on", "off"))
    p.add_argument("--threads", type=cli.THREADS, help="cores to use (default all)")
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    return p


def main(argv: list[str] | None = None) -> int:
    """Run an experiment; print what was found, write it, draw it. Raises UserError."""
    args = parser().parse_args(argv)
    check_backend(args.backend)
    threads = cli.prepare_threads(args.threads)
    out = args.out or Path("lab") / args.lab
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    load_backend(args.backend).set_threads(threads)
    device = cli.pick_device(args.backend, args.device)
    setup = Setup(args.backend, args.seed, device, args.dtype, args.compile, not args.quiet)
    lab, started = LABS[args.lab], time.perf_counter()
    figures = lab.run(setup)
    about = {
        "lab": args.lab,
        "backend": args.backend,
        "device": device,
        "dtype": args.dtype,
        "seed": args.seed,
        "threads": threads,
        "versions": cli.versions(args.backend),
        "seconds": time.perf_counter() - started,
        "finding": lab.finding(figures),
    }
    report, picture = out / f"{args.lab}.json", out / f"{args.lab}.png"
    write_atomically(report, strict_json.dumps(about | {"figures": figures}, indent=1).encode())
    with plain():
        lab.draw(picture, figures)
    print(about["finding"])
    print(f"written: {report}, {picture}")
    return 0


if __name__ == "__main__":
    cli.run_main(main, "ganref.lab")
