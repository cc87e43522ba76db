"""Where everything is drawn: figures that need no screen, and colours for any number of curves.

matplotlib is imported on use, without pyplot. What a person has set it up to do (a backend for
windows, LaTeX for text, a broken `matplotlibrc`) is for that person's own plots: a run that trains
for hours must not end in it.
"""

from __future__ import annotations

import colorsys
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..spec.errors import UserError
from .files import disk_errors

BLUE, ORANGE, GREY = "#1f6fb4", "#e07b1a", "#8a8a8a"
FIRST = (BLUE, ORANGE, "#3a923a", "#9b59b6", "#b5173f", "#12a5a0")
GOLDEN = 0.6180339887  # of the circle of hues: each new one falls into the widest gap


def colours(count: int) -> list[str]:
    """So many different colours, the first ones always the same: six that are easily told
    apart, then hues a golden section further each time, dark and light in turn."""
    found = list(FIRST[:count])
    for i in range(count - len(found)):
        hue, value = (0.17 + i * GOLDEN) % 1, 0.75 if i % 2 else 0.55
        red, green, blue = (round(255 * v) for v in colorsys.hsv_to_rgb(hue, 0.9, value))
        found.append(f"#{red:02x}{green:02x}{blue:02x}")
    return found


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Within it, or in a function that it decorates, matplotlib has its own defaults. They count
    when something is drawn and when it is saved, so both belong inside."""
    matplotlib = _matplotlib()
    defaults = {k: v for k, v in matplotlib.rcParamsDefault.items() if k != "backend"}
    with matplotlib.rc_context(defaults):
        yield


def figure(width: float, height: float) -> Any:
    """An empty figure that needs no screen. Draw and save it inside `plain`."""
    _matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    empty = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(empty)
    return empty


def save(path: Path, picture: Any) -> None:
    """Write a figure as PNG, so that whoever looks at the file sees the old one or the new one.
    Raises UserError if the disk refuses."""
    with disk_errors(path):
        temporary = path.with_name(f".{path.name}")
        picture.savefig(temporary, dpi=100, format="png")
        temporary.replace(path)


def _matplotlib() -> ModuleType:
    """The package, imported although MPLBACKEND or a `matplotlibrc` may hold nonsense, both of
    which it reads only then. Raises UserError if it does not start at all."""
    asked = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    except (ValueError, OSError):  # a file that is no text, or may not be read
        matplotlib = _without_its_file()
    finally:
        if asked is not None:
            os.environ["MPLBACKEND"] = asked
    if asked:
        with contextlib.suppress(ValueError):  # for a person's own plots in this process
            matplotlib.rcParams["backend"] = asked
    return matplotlib


def _without_its_file() -> ModuleType:
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        del sys.modules[name]  # half of it has been imported
    kept = os.environ.get("MATPLOTLIBRC")
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        import matplotlib
    except (ValueError, OSError) as error:
        raise UserError(f"matplotlib does not start ({error}); look at ./matplotlibrc") from error
    finally:
        os.environ.pop("MATPLOTLIBRC")
        if kept is not None:
            os.environ["MATPLOTLIBRC"] = kept
    return matplotlib
