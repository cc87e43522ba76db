"""python -m ganref.doctor: which backends work here, on what device, and what is missing."""

from __future__ import annotations

import argparse
import os
import platform

from . import cli
from .backend import BACKENDS, is_installed
from .output import strict_json
from .parity import gpus
from .parity.trial import diagnose, probe


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.doctor", description=__doc__)
    p.add_argument("--probe", metavar="BACKEND", help="try one backend in this process, as JSON")
    return p


def main(argv: list[str] | None = None) -> int:
    """Print the findings; exit code 1 if an installed backend does not work."""
    args = parser().parse_args(argv)
    if args.probe:
        cli.prepare_threads(None)
        print(strict_json.dumps(probe(args.probe)))
        return 0
    cores = len(os.sched_getaffinity(0))
    print(f"Python {platform.python_version()} on {platform.platform()}, {cores} cores")
    for number, gpu in enumerate(gpus.found()):
        about = f"compute capability {gpu.capability}, {gpu.memory}, driver {gpu.driver}"
        print(f"GPU {number}  {gpu.name}, {about}")
    broken = False
    for name in BACKENDS:
        works, line = diagnose(name)
        broken |= not works and is_installed(name)
        print(f"{name:<6} {line}", flush=True)
    return int(broken)


if __name__ == "__main__":
    cli.run_main(main, "ganref.doctor")
