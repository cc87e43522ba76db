"""The pictures of a benchmark, on the canvas that all of ganref draws on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ganref.backend import BACKENDS
from ganref.output.canvas import colours, figure, plain, save

LOOKS = {"page": (0.35, "", ":"), "eager": (0.2, "", (0, (1, 4))), "off": (0.6, "//", "-."),
         "auto": (0.8, "..", "--"), "fast": (1.0, "", "-"),
         "bfloat16": (0.7, "xx", "-."), "tf32": (0.7, "++", (0, (5, 1))),
         "page tf32": (0.35, "++", (0, (1, 2)))}  # fmt: skip
WIDE = 8.0  # a logarithmic scale where the fastest is so many times as fast as the slowest


@plain()
def bars(path: Path, result: dict[str, Any]) -> None:
    """Examples per second by backend and mode, a panel for each recipe at the first of its batch
    sizes and widths; whiskers from the slowest to the fastest repetition."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        panel = panels.setdefault(row["recipe"], [])
        if not panel or _size(row) == _size(panel[0]):
            panel.append(row)
    canvas, grid = _panels(len(panels))
    for axes, (name, rows) in zip(grid, panels.items(), strict=True):
        _bar_panel(axes, rows)
        batch, width = _size(rows[0])
        size = f"batch {batch}, width {width}" if width else f"batch {batch}"
        axes.set_title(f"{name}, {size}", fontsize=10)
    canvas.supylabel("examples per second", fontsize=9)
    canvas.supxlabel(_footer(result), fontsize=8)
    save(path, canvas)


@plain()
def curves(path: Path, result: dict[str, Any]) -> bool:
    """Examples per second over batch size and over width, where there were several; whether
    there was anything to draw."""
    panels: list[tuple[str, str, list[dict[str, Any]]]] = []
    for name in dict.fromkeys(row["recipe"] for row in result["rows"]):
        rows = [r for r in result["rows"] if r["recipe"] == name and "step_s" in r]
        for axis, other in (("batch_size", "width"), ("width", "batch_size")):
            same = [r for r in rows if r[other] == rows[0][other]]
            if len({r[axis] for r in same}) > 1:
                fixed = f", {_words(other)} {same[0][other]}" if same[0][other] else ""
                panels.append((axis, name + fixed, same))
    if not panels:
        return False
    canvas, grid = _panels(len(panels))
    known: dict[str, Any] = {}
    for axes, (axis, title, rows) in zip(grid, panels, strict=True):
        _curve_panel(axes, axis, rows)
        axes.set_title(title, fontsize=10)
        lines, names = axes.get_legend_handles_labels()
        known |= dict(zip(names, lines, strict=True))
    canvas.legend(known.values(), known.keys(), loc="outside right upper", fontsize=8)
    canvas.supylabel("examples per second", fontsize=9)
    canvas.supxlabel(_footer(result), fontsize=8)
    save(path, canvas)
    return True


def _bar_panel(axes: Any, rows: list[dict[str, Any]]) -> None:
    backends = list(dict.fromkeys(row["backend"] for row in rows))
    ticks, place = [], 0.0
    speeds = [row["examples_per_s"] for row in rows if "step_s" in row]
    low = min((speed["min"] for speed in speeds), default=1.0)
    high = max((speed["max"] for speed in speeds), default=1.0)
    for backend in backends:
        own = [row for row in rows if row["backend"] == backend]
        ticks.append(place + (len(own) - 1) / 2)
        for row in own:
            _bar(axes, place, row)
            place += 1
        place += 0.7
    axes.set_xlim(-0.8, place - 0.9)
    axes.set_xticks(ticks, backends)
    axes.tick_params(axis="x", length=0)
    if high > WIDE * low:
        axes.set_yscale("log")
        # Room for three lines of text over the highest bar, whatever the range.
        axes.set_ylim(low / 3, high * (3 * high / low) ** 0.2)
    else:
        axes.set_ylim(0, high * 1.2)
    axes.yaxis.set_major_formatter(lambda value, _: _short(value))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", lw=0.4, alpha=0.5)
    axes.set_axisbelow(True)


def _bar(axes: Any, place: float, row: dict[str, Any]) -> None:
    transform = axes.get_xaxis_transform()
    if "step_s" not in row:
        text = f"{row['mode']}: not timed"
        axes.text(place, 0.02, text, rotation=90, fontsize=8, ha="center", transform=transform)
        return
    speed = row["examples_per_s"]
    opacity, hatch, _ = LOOKS[row["mode"]]
    low, high = speed["median"] - speed["min"], speed["max"] - speed["median"]
    axes.bar(place, speed["median"], width=0.9, color=_colour(row["backend"]), alpha=opacity,
             hatch=hatch, edgecolor="white")  # fmt: skip
    axes.errorbar(place, speed["median"], [[low], [high]], color="black", lw=1, capsize=3)
    ratio = f"\n{_times(row['ratio']['median'])}" if "ratio" in row else ""
    label = f"{row['mode']}\n{_short(speed['median'])}{ratio}"
    axes.annotate(label, (place, speed["max"]), (0, 3), textcoords="offset points",
                  ha="center", va="bottom", fontsize=7.5)  # fmt: skip


def _curve_panel(axes: Any, axis: str, rows: list[dict[str, Any]]) -> None:
    variants = dict.fromkeys((row["backend"], row["mode"]) for row in rows)
    for backend, mode in variants:
        own = [r for r in rows if (r["backend"], r["mode"]) == (backend, mode)]
        own.sort(key=lambda r: r[axis])
        x = [r[axis] for r in own]
        y = np.array([[r["examples_per_s"][k] for r in own] for k in ("min", "median", "max")])
        style, colour = LOOKS[mode][2], _colour(backend)
        look = {"ls": style, "color": colour, "marker": "o", "ms": 4, "lw": 1.4, "capsize": 2}
        whiskers = [y[1] - y[0], y[2] - y[1]]
        axes.errorbar(x, y[1], whiskers, elinewidth=0.8, label=f"{backend}, {mode}", **look)
    ticks = sorted({row[axis] for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(_words(axis))
    low, high = axes.get_ylim()
    marks = [m * 10.0**e for e in range(-2, 10) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    axes.set_yticks(marks, [_short(mark) for mark in marks])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(lw=0.4, alpha=0.5)


def _panels(count: int) -> tuple[Any, list[Any]]:
    """A figure of `count` panels, three in a row: (figure, panels)."""
    columns = min(3, count)
    rows = -(-count // columns)
    canvas = figure(1.6 + 4.6 * columns, 0.5 + 4.0 * rows)
    axes = list(canvas.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.remove()
    return canvas, axes[:count]


def _footer(result: dict[str, Any]) -> str:
    about, asked = result["environment"], result["settings"]
    where = about["gpus"][0].split(",")[0] if about["gpus"] else about["processor"]
    threads = f"{about['threads']} thread" + ("s" if about["threads"] > 1 else "")
    turns = "interleaved repetitions" if result.get("in_turn", True) else "repetitions"
    return (
        f"{where}, {threads}, {asked['dtype']}; medians of {asked['repeats']} "
        f"{turns}, whiskers from slowest to fastest"
    )


def _colour(backend: str) -> str:
    """One for each backend, whichever are drawn; a page has a pale version of it."""
    names = list(BACKENDS)
    return dict(zip(names, colours(len(names)), strict=True))[backend]


def _size(row: dict[str, Any]) -> tuple[int, int | None]:
    return row["batch_size"], row["width"]


def _words(field: str) -> str:
    return field.replace("_", " ")


def _times(ratio: float) -> str:
    return f"×{ratio:,.0f}" if ratio >= 100 else f"×{ratio:.3g}"


def _short(value: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"
