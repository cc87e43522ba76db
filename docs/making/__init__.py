"""What the scripts behind docs/results share: where results lie, what each says of itself, runs."""

from __future__ import annotations

import json
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import ganref
from ganref.backend import BACKENDS
from ganref.output import strict_json

RESULTS = Path(__file__).parents[1] / "results"
PAGES = Path(__file__).parents[1]


def read(name: str) -> Any:
    """A result's JSON, by its name without ending."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def write(name: str, about: dict[str, Any], figures: Any) -> None:
    """A result's JSON: what it is of, then its figures, one a line."""
    text = strict_json.dumps(about | {"figures": figures}, indent=1)
    (RESULTS / f"{name}.json").write_text(_compact(text) + "\n", encoding="utf-8")


def about(recipe: str, backend: str, seed: int, command: str, **options: Any) -> dict[str, Any]:
    """What every result says of itself: recipe, options, backend, seed, versions and the command
    that makes it."""
    framework = BACKENDS[backend].requires  # to ask the framework would import it
    return {
        "recipe": recipe,
        "options": options,
        "backend": backend,
        "seed": seed,
        "versions": {
            "ganref": ganref.__version__,
            "python": platform.python_version(),
            "numpy": metadata.version("numpy"),
            "framework": f"{framework} {metadata.version(framework)}",
        },
        "command": command,
    }


def run(command: str) -> None:
    """A command line of ours, `ganref ...`, in a process of its own. Raises CalledProcessError."""
    print(command, flush=True)
    subprocess.run([sys.executable, "-m", *shlex.split(command)], check=True)


def trained(runs: Path, name: str, options: str) -> tuple[Path, str]:
    """(the directory of a run, the command that made it); one that is already there is kept."""
    where = runs / name
    words = f"train {options}"
    if not (where / "config.json").exists():
        run(f"ganref {words} --quiet --run-dir {shlex.quote(str(where))}")
    return where, f"ganref {words}"


def kept(runs: Path, name: str, measure: Callable[[], Any]) -> Any:
    """Figures that were measured before and lie among the runs, or are measured now."""
    file = runs / f"{name}.json"
    if not file.exists():
        file.write_text(strict_json.dumps(measure()), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def picture(source: Path, name: str, colours: int = 128) -> None:
    """A picture as docs/results keeps it: with so few colours it has a third of the bytes."""
    from PIL import Image

    with Image.open(source) as image:
        small = image.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    small.save(RESULTS / f"{name}.png", optimize=True)


def _compact(text: str) -> str:
    """The same JSON with lists of numbers on one line each."""
    inside = re.compile(r"\[\s+((?:[-+\d.eE]+|null|true|false)(?:,\s+(?:[-+\d.eE]+|null))*)\s+\]")
    return inside.sub(lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]", text)
