"""From measurements to a table, goals and pictures."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganref.output.files import optional

from .. import report

Found = dict[str, dict[str, Any]]  # results by the measurement's name
# What a variant is called where its precision is not the others'.
LABELS = {("fast", "bfloat16"): "bfloat16", ("fast", "tf32"): "tf32", ("page", "tf32"): "page tf32"}


def rows(found: Found) -> list[dict[str, Any]]:
    """The trainings that were timed."""
    return [row for row in found.values() if "step_s" in row]


def peak(found: Found, dtype: str) -> float | None:
    """The best product in that precision that any framework made, in FLOP/s."""
    rates = [own["flops_per_s"].get(dtype) for own in found.values() if "bytes_per_s" in own]
    return max((rate for rate in rates if rate), default=None)


def bandwidth(found: Found) -> float | None:
    """The best copy that any framework made, in bytes per second."""
    rates = [own.get("bytes_per_s") for own in found.values()]
    return max((rate for rate in rates if rate), default=None)


def add_shares(found: Found) -> None:
    """Add to each training its share of the peak in its own precision, and how much of its time
    memory alone would take."""
    fastest = bandwidth(found)
    for row in rows(found):
        rate, step = peak(found, row["dtype"]), row["step_s"]["median"]
        row["share_of_peak"] = row["flops_per_s"] / rate if rate else None
        row["share_of_memory"] = row["bytes_per_step"] / fastest / step if fastest else None


@dataclass(frozen=True)
class Goal:
    """What a GPU should reach: in words, the number that tells (None if it was not measured), how
    it is shown, and whether it is good."""

    words: str
    number: Callable[[Found], float | None]
    shown: str
    good: Callable[[float], bool]


def _timed(found: Found, backend: str, mode: str, dtype: str, toy: bool) -> dict[str, Any] | None:
    wanted = backend, mode, dtype, *(("gaussian", None, 8) if toy else ("dcgan", 64, 1024))
    fields = ("backend", "mode", "dtype", "recipe", "width", "batch_size")
    return next((r for r in rows(found) if tuple(r[f] for f in fields) == wanted), None)


def _over_plain(found: Found) -> float | None:
    fast = _timed(found, "torch", "fast", "bfloat16", False)
    plain = _timed(found, "torch", "page", "float32", False)
    return plain["step_s"]["median"] / fast["step_s"]["median"] if fast and plain else None


def _share(found: Found) -> float | None:
    fast = _timed(found, "torch", "fast", "bfloat16", False)
    return fast["share_of_peak"] if fast else None


def _toy(found: Found) -> float | None:
    row = _timed(found, "torch", "fast", "float32", True)
    return row["step_s"]["median"] * 1e6 if row and row["device"] != "cpu" else None


def _apart(found: Found) -> float | None:
    ratios = []
    for dtype in ("float32", "tf32", "bfloat16"):
        pair = [_timed(found, backend, "fast", dtype, False) for backend in ("torch", "jax")]
        steps = [row["step_s"]["median"] for row in pair if row]
        ratios += [max(steps) / min(steps) - 1] if len(steps) == 2 else []
    return max(ratios, default=None)


GOALS = (
    Goal("DCGAN, width 64, batch 1,024: bfloat16 over plain float32 PyTorch, at least 3 times",
         _over_plain, "{:.2f} times", lambda n: n >= 3),
    Goal("the same: bfloat16's share of its measured peak, at least 40%",
         _share, "{:.1%}", lambda n: n >= 0.4),
    Goal("the toy in one CUDA graph, at most 60 µs a step",
         _toy, "{:.1f} µs", lambda n: n <= 60),
    Goal("PyTorch and JAX on that DCGAN, in every precision within 15%",
         _apart, "{:.1%} apart", lambda n: n <= 0.15),
)  # fmt: skip


def goals(found: Found) -> list[str]:
    """A line for each goal of an H100: what was measured, and whether it is reached."""
    lines = []
    for goal in GOALS:
        number = goal.number(found)
        said = "not measured"
        if number is not None:
            said = f"{goal.shown.format(number)}, {'reached' if goal.good(number) else 'MISSED'}"
        lines.append(f"{goal.words}: {said}")
    return lines


def tests(found: Found) -> list[str]:
    """A line for each framework whose steps were held against NumPy."""
    lines = []
    for name, own in found.items():
        if "differences" not in own:
            continue
        apart = ", ".join(f"{case} {pair[0]:.0e}" for case, pair in own["differences"].items())
        same = [case for case, equal in own["same_bits_after_resume"].items() if equal]
        verdict = "agrees with NumPy" if own["right"] else "DISAGREES with NumPy"
        lines.append(f"{name}: {verdict} ({apart}); same bits after a resume: "
                     + (", ".join(same) or "none"))  # fmt: skip
    return lines


def peaks(found: Found) -> list[str]:
    """A line for each framework whose products and copy were timed."""
    lines = []
    for name, own in found.items():
        if "bytes_per_s" not in own:
            continue
        products, copied = own["flops_per_s"], own["bytes_per_s"]
        rates = [f"{dtype} {rate / 1e12:,.2f} TFLOP/s" for dtype, rate in products.items()]
        rates += [f"copy {copied / 1e9:,.0f} GB/s"] if copied else []
        lines.append(f"{name}: {', '.join(rates)}")
    return lines


def table(found: Found) -> str:
    """All trainings for a terminal; what was not timed says why."""
    head = ("recipe", "backend", "mode", "dtype", "batch", "examples/s", "step", "of peak",
            "of memory", "mJ/example", "device", "host", "first step")  # fmt: skip
    lines = [head, *(_cells(row) for row in rows(found))]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = []
    for line in lines:
        pairs = enumerate(zip(line, widths, strict=True))
        cells = [cell.ljust(w) if i < 4 else cell.rjust(w) for i, (cell, w) in pairs]
        out.append("  ".join(cells).rstrip())
    out += [f"{name}: {own['why']}" for name, own in found.items() if "why" in own]
    return "\n".join(out)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    joules, memory = row["joules_per_example"], (row["device_memory"], row["peak_memory"])
    shares = row["share_of_peak"], row["share_of_memory"]
    return (
        row["recipe"], row["backend"], row["mode"], row["dtype"], str(row["batch_size"]),
        f"{row['examples_per_s']['median']:,.0f}",
        report.seconds(row["step_s"]["median"]) + (", not finite" if row["diverged"] else ""),
        *("-" if share is None else f"{share:.1%}" for share in shares),
        "-" if joules is None else f"{joules * 1e3:.3g}",
        *(f"{size / 2**20:,.0f} MiB" if size else "-" for size in memory),
        report.seconds(row["first_step_s"]),
    )  # fmt: skip


def draw(folder: Path, found: Found, environment: dict[str, Any], repeats: int) -> list[Path]:
    """The pictures of `benchmarks.speed`, of these rows; those that could be drawn."""
    shown = [copy.copy(row) for row in rows(found)]
    for row in shown:
        row["mode"] = LABELS.get((row["mode"], row["dtype"]), row["mode"])
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in shown:
        groups.setdefault((row["recipe"], row["batch_size"], row["width"]), []).append(row)
    for group in groups.values():
        report.add_ratios(group)
    settings = {"dtype": "float32 but where a bar says otherwise", "repeats": repeats}
    result = {"rows": shown, "environment": environment, "settings": settings, "in_turn": False}
    bars, curves = folder / "gpu.png", folder / "curves.png"
    if shown:
        with optional(bars.name):
            from ..speed import charts

            charts.bars(bars, result)
            charts.curves(curves, result)
    return [path for path in (bars, curves) if path.exists()]
