"""The proof as numbers and a picture: every backend beside NumPy, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganref.parity.tolerances import KINDS

from . import about, picture, run, write

# What is compared: the toy for as long as the promise of 1e-12 holds, and one recipe of images.
CASES = {
    "gaussian": "--recipe gaussian --steps 125",
    "dcgan_nyu": "--recipe dcgan-nyu --width 8 --batch-size 16 --steps 20",
}


def make(runs: Path) -> None:
    """equivalence-<case>.json and .png."""
    for name, options in CASES.items():
        where = runs / f"equivalence-{name}"
        words = f"compare {options} --backends numpy,torch,tf,mxnet,jax"
        if not (where / "compare.json").exists():
            run(f"ganref {words} --threads 1 --quiet --out {where}")
        report = json.loads((where / "compare.json").read_text())
        told = about(report["recipe"], "numpy", 0, f"ganref {words}", dtype=report["dtype"])
        told["versions"] = told["versions"] | report["versions"]
        del told["versions"]["framework"]
        write(f"equivalence-{name}", told, figures(report))
        picture(where / "compare.png", f"equivalence-{name}")


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a comparison: NumPy's losses, and each backend's differences from it."""
    against = {p["pair"][1]: p["worst"] for p in report["pairs"] if p["pair"][0] == "numpy"}
    promised = report["tolerances"]
    return {
        "steps": report["steps"],
        "dtype": report["dtype"],
        "losses": report["losses"]["numpy"],
        "worst": {name: {k: max(w[k]) for k in KINDS} for name, w in against.items()},
        "promised": {
            k: max((t for t in promised[k] if t is not None), default=None) for k in KINDS
        },
        "differences": {
            name: {k: [float(f"{v:.3g}") for v in worst[k]] for k in ("losses", "parameters")}
            for name, worst in against.items()
        },
    }
