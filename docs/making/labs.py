"""The labs, as the chapters on pitfalls show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganref.lab import finding

from . import about, picture, run, write

COMMANDS = {
    "vanishing": "lab vanishing",
    "collapse": "lab collapse --quick --backend tf",
    "oscillation": "lab oscillation --quick --backend tf",
    "losses": "lab losses",
}
DROPPED = ("samples", "paths", "course")  # what only the picture needs


def make(runs: Path) -> None:
    """lab-<name>.json without what only the picture needs, and lab-<name>.png."""
    for name, words in COMMANDS.items():
        where = runs / f"lab-{name}"
        if not (where / f"{name}.json").exists():
            run(f"ganref {words} --quiet --out {where}")
        found = json.loads((where / f"{name}.json").read_text())
        told = about("ring", found["backend"], found["seed"], f"ganref {words}")
        told |= {key: found[key] for key in ("versions", "quick", "dtype")}
        told["finding"] = finding(name, found["figures"], found["quick"])
        write(f"lab-{name}", told, slim(found["figures"]))
        picture(where / f"{name}.png", f"lab-{name}")


def slim(figures: Any) -> Any:
    """The same figures without long lists: curves of more than 40 values have every few values."""
    if isinstance(figures, dict):
        return {key: slim(value) for key, value in figures.items() if key not in DROPPED}
    if isinstance(figures, list):
        values = [slim(value) for value in figures]
        return values[:: len(values) // 40] if len(values) > 80 else values
    return float(f"{figures:.6g}") if isinstance(figures, float) else figures
