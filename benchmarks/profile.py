"""python -m benchmarks.profile: where a step's time goes, by two accounts.

All frameworks but NumPy leave convolutions, products or more to oneDNN, which lists its calls with
their seconds where ONEDNN_VERBOSE asks for it; calls that run beside one another come to more than
the step. And Linux's `perf`, where it is there, takes samples of all threads: Adam, copies, Python,
the kernel's pages, and the threads that wait for others (in OpenMP's library).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from ganref import cli, data
from ganref.output.files import written
from ganref.parity.workers import WorkerFailed
from ganref.spec import recipe

from . import command, report, samples
from .speed import jobs
from .speed.measure import COMPILE, PAGES
from .workers import Worker

SWITCHES = "ONEDNN_VERBOSE", "DNNL_VERBOSE", "MKLDNN_VERBOSE"  # of all its releases
TOP = 12  # lines of each


class Call(NamedTuple):
    """One kind of call: "convolution", "backward_weights", "brgconv:avx512_core", its shape."""

    kind: str
    pass_: str
    kernel: str
    shape: str


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("benchmarks.profile", __doc__, "profile")
    p.add_argument("--recipe", default="dcgan", help="default dcgan")
    p.add_argument("--batch-size", type=cli.positive(int), help="default the recipe's")
    p.add_argument(
        "--mode",
        default="fast",
        choices=(*PAGES, *COMPILE),
        help="of benchmarks.speed; default fast",
    )
    p.add_argument("--seconds", type=cli.positive(float), default=3.0, help="default 3")
    return p


def calls(lines: list[str]) -> tuple[dict[Call, float], dict[Call, int]]:
    """Of oneDNN's lines each kind of call's seconds, and how many there were."""
    seconds: dict[Call, float] = collections.Counter()
    counts: dict[Call, int] = collections.Counter()
    for line in lines:
        fields = line.strip().split(",")
        # dnnl_verbose,exec,cpu,KIND,KERNEL,PASS,...,SHAPE,MS; newer: ...,primitive,exec,...
        if "verbose" not in fields[0] or "exec" not in fields:
            continue
        own = fields[fields.index("exec") + 2 :]
        with contextlib.suppress(ValueError, IndexError):
            call = Call(own[0], own[2], own[1], own[-2])
            seconds[call] += float(own[-1]) * 1e-3
            counts[call] += 1
    return seconds, counts


def profile(
    backend: str, job: Path, args: argparse.Namespace, threads: int, by_samples: bool
) -> dict[str, Any]:
    """One backend's steps: {version, step_s, calls, samples}. Raises WorkerFailed."""
    with contextlib.closing(Worker(backend, args.mode, threads)) as worker:
        worker.ask("build", job=str(job))
        worker.ask("turn", seconds=0.1)
        said = len(worker.words())
        with samples.sampling(worker.pid) if by_samples else contextlib.nullcontext({}) as taken:
            turn = worker.ask("turn", seconds=args.seconds)
        seconds, counts = calls(worker.words()[said:])
    steps = turn["steps"]
    found = [
        call._asdict() | {"step_s": took / steps, "times": counts[call] / steps}
        for call, took in sorted(seconds.items(), key=lambda item: -item[1])
    ]
    version = worker.hello["version"]
    return {"backend": backend, "version": version, "step_s": turn["seconds"] / steps,
            "calls": found, "samples": taken}  # fmt: skip


def by_kind(found: dict[str, Any]) -> dict[str, float]:
    """Of one backend's profile the share of each kind of call, the largest first."""
    shares: dict[str, float] = collections.Counter()
    for call in found["calls"]:
        shares[f"{call['kind']} {call['pass_']}"] += call["step_s"] / found["step_s"]
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def lines(found: dict[str, Any]) -> list[str]:
    """One backend's profile for a terminal."""
    step, kinds = found["step_s"], by_kind(found)
    out = [f"{found['backend']} {found['version']}: {report.seconds(step)} a step,"
           f" {sum(kinds.values()):.0%} of it in oneDNN"]  # fmt: skip
    for name, share in list(kinds.items())[:TOP]:
        out.append(f"  {share:6.1%}  {report.seconds(share * step):>9}  {name}")
    out.append("  of these:")
    for call in found["calls"][:TOP]:
        took, words = call["step_s"], f"{call['kind']} {call['pass_']} {call['shape']}"
        share = f"  {took / step:6.1%}  {report.seconds(took):>9}  {call['times']:4.1f} ×"
        out.append(f"{share}  {words} ({call['kernel']})")
    out += ["  by perf's samples:"] if found["samples"] else []
    return out + [f"  {n:6.1%}  {name}" for name, n in list(found["samples"].items())[:TOP]]


def main(argv: list[str] | None = None) -> int:
    """Profile each backend, print, write; exit code 1 if one could not be."""
    args = parser().parse_args(argv)
    threads = command.chosen_threads(args.threads)
    shape = recipe(args.recipe)
    shape = shape.replace(batch_size=args.batch_size or shape.batch_size)
    command.prepare(args.out)
    about, found, died = command.environment(args), [], []
    os.environ.update(dict.fromkeys(SWITCHES, "1"))
    if why := samples.why_not():
        print(why)
    else:
        os.environ.update(samples.NAMED)
    with tempfile.TemporaryDirectory(prefix="ganref-profile-") as folder:
        dataset = data.load(shape.data, shape, args.seed)
        drawn = jobs.draw(shape, dataset, "float32", "cpu", args.seed)
        job = jobs.save(drawn, Path(folder) / "job")
        for name in command.chosen_backends(args.backends):
            try:
                found.append(profile(name, job, args, threads, not why))
            except WorkerFailed as failure:
                died.append(f"{name}: {failure}")
                continue
            print("\n".join(lines(found[-1])), flush=True)
    for line in died:
        print(line)
    command.write(args.out / "profile.json", args, about, profiles=found)
    print(written(args.out / "profile.json"))
    return int(bool(died))


if __name__ == "__main__":
    cli.run_main(main, "benchmarks.profile")
