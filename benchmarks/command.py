"""What every benchmark and check has: the options that all share, a place for results, one file."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from ganref import cli
from ganref.backend import BACKENDS, check_backend, is_installed
from ganref.output import strict_json
from ganref.output.files import disk_errors, write_atomically
from ganref.parity import gpus
from ganref.parity.workers import WorkerFailed
from ganref.spec import UserError, recipe

from . import report
from .workers import Worker


def parser(prog: str, doc: str | None, out: str | None = None) -> argparse.ArgumentParser:
    """A command line with --backends, --threads, --seed and --out (`out`, or to be named)."""
    p = cli.Parser(prog=prog, description=(doc or "").partition("\n\n")[0])
    p.add_argument("--backends", help="comma-separated (default: all that are installed)")
    p.add_argument("--threads", type=cli.THREADS, help="the same for all (default all cores)")
    p.add_argument("--seed", type=cli.SEED, default=0)
    where = {"default": Path(out), "help": f"default {out}"} if out else {"required": True}
    p.add_argument("--out", type=cli.path, **where)  # type: ignore[arg-type]
    return p


def chosen_backends(asked: str | None) -> list[str]:
    """The backends that `--backends` names, or all that are installed. Raises UserError."""
    if not asked:
        return [name for name in BACKENDS if is_installed(name)]
    names = asked.split(",")
    for name in names:
        check_backend(name)
    return list(dict.fromkeys(names))


def with_device(names: list[str], device: str) -> dict[str, list[str]]:
    """Those of the backends whose framework has the device, and its precisions there; a line says
    which are left out, and why. Raises UserError if there is none."""
    here, machine = {}, gpus.found() if device != "cpu" else []
    for name in names:
        try:
            with contextlib.closing(Worker(name, "off", 1)) as worker:
                has = worker.hello["devices"]
        except WorkerFailed as failure:
            say(f"{name} is left out: {failure}")
            continue
        if device in has:
            here[name] = has[device]
            continue
        remark = gpus.too_new(name, machine)
        about = f"; {remark}" if remark else ""
        say(f"{name} is left out: it has no {device} here, but {', '.join(has)}{about}")
    if not here:
        raise UserError(f"no backend here has a device {device!r}; --device cpu, say")
    return here


def chosen_recipes(asked: str) -> list[str]:
    """The recipes that `--recipes` names. Raises UserError."""
    names = asked.split(",")
    for name in names:
        recipe(name)
    return list(dict.fromkeys(names))


def chosen_threads(asked: int | None) -> int:
    """What `--threads` says, or as many as there are cores."""
    return asked or len(os.sched_getaffinity(0))


def prepare(out: Path) -> None:
    """Make the folder for results. Raises UserError if the disk refuses."""
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, by option, as JSON has it."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}


def write(path: Path, args: argparse.Namespace, about: dict[str, Any], **results: Any) -> None:
    """The results as JSON, with what they were measured on and asked with; null for what is not
    finite. Raises UserError if the disk refuses."""
    about["load_after"] = os.getloadavg()
    content = {"environment": about, "settings": settings(args), **results}
    write_atomically(path, strict_json.dumps(content, indent=1).encode())


def environment(args: argparse.Namespace, device: str = "cpu") -> dict[str, Any]:
    """The machine and what runs on it."""
    return report.environment(chosen_threads(args.threads), device)


def say(text: str) -> None:
    """A line of progress, on stderr."""
    print(text, file=sys.stderr, flush=True)
