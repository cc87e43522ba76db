"""d2l's exercise: which categories does the DCGAN learn and which not? On the bundled digits."""

from __future__ import annotations

import json
from pathlib import Path

from . import about, picture, run, trained, write
from .samples import RUNS

NUM = 2000


def make(runs: Path) -> None:
    """classes.json and .png, of the run that the samples are of."""
    where, _ = trained(runs, "samples-dcgan", RUNS["dcgan"])
    if not (where / "classes.png").exists():
        run(f"ganref evaluate {where} --num {NUM}")
    found = json.loads((where / "evaluation.json").read_text())
    command = f"ganref train {RUNS['dcgan']}; ganref evaluate RUN --num {NUM}"
    told = about("dcgan", "torch", found["seed"], command, width=16, data="digits", samples=NUM)
    results = {r["name"]: r["value"] for r in found["results"]}
    kept = ("classes_found", "class_distance", "confidence", "precision", "recall")
    write("classes", told, {"step": found["step"], "classes": found["classes"],
                            **{name: results[name] for name in kept}})  # fmt: skip
    picture(where / "classes.png", "classes")
