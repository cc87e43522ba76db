"""Digits that were asked for by their class, and how many a classifier tells as that class."""

from __future__ import annotations

import json
import resource
from functools import partial
from pathlib import Path
from typing import Any

from . import about, kept, picture, read, run, trained, write
from .blocks import made_by, number, table
from .samples import losses

# Each within 10 minutes on one core that has nothing else to do.
SHORT = "--lr 0.0005 --batch-size 32 --backend torch --threads 1"
RUNS = {
    "dcgan32": f"--recipe dcgan32 --conditional projection --width 8 --epochs 50 {SHORT}",
    "mlp": f"--recipe mlp --conditional projection --width 64 --epochs 300 {SHORT}",
}
NUM = 10_000  # samples: 1,000 of each class
SHOWN = 12  # in a row


def make(runs: Path) -> None:
    """labels-<recipe>.json, with what was measured of a run, and labels-<recipe>.png."""
    for name in RUNS:
        seconds = kept(runs, f"labels-{name}-seconds", partial(_seconds, runs, name))
        told, figures = _measured(runs, name)
        write(f"labels-{name}", told, {"seconds": seconds} | figures)
        run(f"ganref sample {runs / f'labels-{name}'} --num {SHOWN} --out {runs / name}.png")
        picture(runs / f"{name}.png", f"labels-{name}", colours=32)


def _seconds(runs: Path, name: str) -> float:
    """The processor time that the whole command of a run took, imports included: what others do on
    the machine does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    trained(runs, f"labels-{name}", RUNS[name])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _measured(runs: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the file says of itself, what `evaluate` says of the run and how the run began)."""
    where, command = trained(runs, f"labels-{name}", RUNS[name])
    if not (where / "evaluation.json").exists():
        run(f"ganref evaluate {where} --num {NUM}")
    found = json.loads((where / "evaluation.json").read_text())
    overall = {r["name"]: r["value"] for r in found["results"]}
    began = losses(where)
    told = about(name, "torch", 0, f"{command}; ganref evaluate RUN --num {NUM}", samples=NUM)
    return told, {
        "steps": began["steps"],
        "first": began["first"],
        "frechet_distance": overall["frechet_distance"],
        **found["asked"],
    }


def block(name: str) -> str:
    """A row for each class of a run."""
    found = read(f"labels-{name}")["figures"]
    rows = []
    for row in found["rows"]:
        low, high = row["interval"]
        rows.append([
            row["name"], f"{row['accuracy']:.1%} ({low:.1%} to {high:.1%})",
            row["taken_for"] or "–", number(row["frechet"]), number(row["halves"]),
            f"{row['real']:,}",
        ])  # fmt: skip
    rows.append(["all", f"{found['accuracy']:.1%}", "", "", "", ""])
    head = ["class", "told as it (at 95%)", "else mostly", "Fréchet distance",
            "of two halves of the images", "images"]  # fmt: skip
    return "\n\n".join([
        f"`{name}`: {found['steps']:,} steps, {found['seconds']:,.0f} seconds of one"
        f" core. {found['rows'][0]['samples']:,} samples of each class, told by a classifier with"
        f" {found['judge_accuracy']:.1%} of {found['held_out']:,} held-out images right:",
        table(head, rows), made_by(f"labels-{name}"),
    ])  # fmt: skip
