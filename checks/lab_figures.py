"""python -m checks.lab_figures: every lab on every backend, and whether they agree.

Each lab runs in a process of its own. What a lab computes from one state (a gradient before the
first update) is held to the tolerances of `ganref.compare` for one step; what rounding decides in
the end (a course of thousands of steps) to the intervals of `EXPECTED`, which go into the report.
They were stated after runs on TensorFlow, and of the collapse on PyTorch, before the other backends
were looked at; that of R1 on the toy after ten seeds on both, those of its standstill after NumPy's
and PyTorch's curves; how often smaller rates were warned of, after all four (3, 3, 3 and 5 seeds).
Exit code 1 if something disagrees.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import command, report
from benchmarks.workers import finish
from ganref import cli
from ganref.lab import LABS
from ganref.labs import vanishing
from ganref.parity.tolerances import promises
from ganref.spec import UserError

LIMIT = 180.0  # seconds that a lab may take on its fastest backend
LIMITS = {"losses": 600.0}  # nine games, one of them with second derivatives five times a step


@dataclass(frozen=True)
class Expected:
    """A figure: its place in the lab's JSON, and its interval on every backend (null in the
    report: without bound)."""

    path: tuple[str | int, ...]
    low: float
    high: float
    why: str


EXPECTED: dict[str, tuple[Expected, ...]] = {
    "vanishing": (
        Expected(("falls", "minimax"), 100, math.inf, "the experiment's claim"),
        Expected(("falls", "non_saturating"), 0, 2, "it does not fall with minimax"),
        Expected(("falls", "margin"), 0, 10, "the margin's derivative is 1"),
        Expected(("curves", "D_G_z", -1), 0, 1e-3, "D is sure"),
    ),
    "collapse": (
        Expected(("summary", "plain", "all"), 0, 5, "the plain GAN fails in 5 of 10 seeds"),
        Expected(("summary", "plain", "mean"), 1.5, 4.5, "modes; a seed's vary by 0.9"),
        Expected(("summary", "plain", "noticed"), 5, 10, "the detector sees those that fail"),
        Expected(("summary", "5 updates of G", "mean"), 6.5, 8, "modes; a seed's vary by 0.8"),
        Expected(("summary", "R1 = 0.1", "all"), 9, 10, "the remedy works in 9 of 10 seeds"),
        Expected(("summary", "R1 = 0.1", "noticed"), 0, 0, "and nothing is noticed where it does"),
    ),
    "losses": (
        Expected(("summary", "minimax", "gone"), 6, 10, "minimax starves"),
        Expected(("summary", "non-saturating", "fall"), 0, 1, "which the other half does not"),
        Expected(("summary", "wasserstein", "gone"), 6, 10, "a clipped D is flat"),
        Expected(("summary", "wasserstein-gp", "fall"), 0, 1, "the penalty keeps its slope at 1"),
        Expected(("summary", "R1 = 0.1", "all"), 9, 10, "as in the lab on collapse"),
        Expected(("summary", "non-saturating", "modes"), 1.5, 5, "three standard errors"),
        Expected(("summary", "hinge, spectral", "modes"), 6.5, 8, "more than three errors up"),
    ),
    "oscillation": (
        Expected(("dirac", "predicted_error"), 0, 1e-9, "the closed form"),
        Expected(("dirac", "invariant_error"), 0, 1e-6, "theta² + psi² is constant"),
        Expected(("toy", "summary", "as it is", "usual"), 0.02, 1, "twice the seeds' spread"),
        Expected(("toy", "summary", "as it is", "late"), 0.1, 2, "it gets no nearer"),
        Expected(("toy", "summary", "as it is", "still"), 0.5, 1, "most seeds come to a stop"),
        Expected(("toy", "looks", "as it is", "D_contrast", 1), 0, 1e-4, "for D sees nothing"),
        Expected(("toy", "noticed", "as it is", "seeds"), 5, 10, "the detector sees it"),
        Expected(("toy", "noticed", "rates / 10", "seeds"), 0, 6, "which fewer reach"),
        Expected(("toy", "summary", "rates / 10", "still"), 0, 0.2, "which smaller rates avoid"),
        Expected(("toy", "summary", "rates / 10", "times_plain"), 0, 0.5, "smaller rates help"),
        Expected(("toy", "summary", "averaging G's weights", "times_plain"), 0.3, 1.5, "does not"),
        Expected(("toy", "summary", "R1 = 0.1", "nearer"), 0.15, 0.85, "the seeds do not agree"),
        Expected(("rates", 0, "highest"), 0, 10, "the recipe's own rate"),
        Expected(("rates", 2, "highest"), 50, math.inf, "rates far too large diverge"),
        Expected(("rates", 2, "noticed"), 1, 600, "and that is noticed"),
    ),
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("checks.lab_figures", __doc__)
    p.add_argument("--labs", default=",".join(LABS), help=f"default {','.join(LABS)}")
    return p


def run(lab: str, backend: str, args: argparse.Namespace, threads: int) -> dict[str, Any]:
    """A lab's JSON with `wall_s`, imports and pictures included; or `why` there is none."""
    out = args.out / backend
    words = [sys.executable, "-m", "ganref.lab", lab, "--backend", backend, "--quiet"]
    more = ["--seed", str(args.seed), "--threads", str(threads), "--device", "cpu"]
    with tempfile.TemporaryDirectory(prefix="ganref-bench-") as cache:
        done = finish([*words, *more, "--out", str(out)], threads, Path(cache))
    about = {"lab": lab, "backend": backend, "wall_s": done.seconds}
    if done.why:
        return about | {"why": done.why}
    return about | json.loads((out / f"{lab}.json").read_text())


def look_up(figures: Any, path: tuple[str | int, ...]) -> Any:
    """The figure at that place, None if it is null or there is none."""
    for key in path:
        try:
            figures = figures[key]
        except (KeyError, IndexError, TypeError):
            return None
    return figures


def intervals(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each figure of one lab on one backend against its interval."""
    for item in EXPECTED[row["lab"]]:
        value = look_up(row["figures"], item.path)
        # In `falls` null is a gradient of exactly 0: it fell without bound.
        found = math.inf if value is None and item.path[0] == "falls" else value
        holds = found is not None and item.low <= found <= item.high
        name = ".".join(map(str, item.path))
        yield {"figure": name, "value": value, "interval": [item.low, item.high], "holds": holds}


def steps(row: dict[str, Any], reference: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a lab computes before the first update, against the reference: a gradient's norm may
    differ as much as `compare` lets gradients in one step, relatively; a score as losses may."""
    if row["lab"] != "vanishing":
        return
    for name, recipe in vanishing.recipes().items():
        (kept,) = promises(recipe, row["dtype"], teacher_forced=True)
        curves = {name: kept.gradients, f"formula_{name}": kept.losses}
        for curve, allowed in curves.items():
            pair = [look_up(r["figures"], ("curves", curve, 0)) for r in (row, reference)]
            if allowed is None or None in pair:
                continue
            difference = abs(pair[0] - pair[1]) / max(abs(pair[1]), 1e-300)
            yield {
                "figure": f"{curve}, before any update", "value": difference,
                "interval": [0.0, allowed], "holds": difference <= allowed,
            }  # fmt: skip


def judge(rows: list[dict[str, Any]]) -> None:
    """Add to each row its checks; the first backend that ran is the others' reference."""
    for lab in LABS:
        ran = [row for row in rows if row["lab"] == lab and "why" not in row]
        for row in ran:
            row["checks"] = [*intervals(row), *(steps(row, ran[0]) if row is not ran[0] else ())]
            row["agrees"] = all(check["holds"] for check in row["checks"])


def table(rows: list[dict[str, Any]]) -> str:
    """All rows for a terminal; below a row, what disagrees."""
    lines = [f"{'lab':<13}{'backend':<9}{'wall':>9}  agrees"]
    for row in rows:
        head = f"{row['lab']:<13}{row['backend']:<9}{report.seconds(row['wall_s']):>9}  "
        if "why" in row:
            lines.append(f"{head}failed: {row['why']}")
            continue
        held = sum(check["holds"] for check in row["checks"])
        lines.append(f"{head}{held} of {len(row['checks'])} figures")
        for check in row["checks"]:
            if not check["holds"]:
                low, high = check["interval"]
                lines.append(f"  {check['figure']}: {check['value']} outside {low:g} .. {high:g}")
    return "\n".join(lines)


def slow(rows: list[dict[str, Any]]) -> list[str]:
    """The labs that take too long on their fastest backend."""
    out = []
    for lab in dict.fromkeys(row["lab"] for row in rows):
        best = min((r["wall_s"] for r in rows if r["lab"] == lab and "why" not in r), default=0)
        if best > (limit := LIMITS.get(lab, LIMIT)):
            out.append(f"{lab} takes {best:.0f} s on its fastest backend, over {limit:.0f} s")
    return out


def main(argv: list[str] | None = None) -> int:
    """Run, compare, print, write; exit code 1 if something disagrees, failed or is too slow."""
    args = parser().parse_args(argv)
    labs = args.labs.split(",")
    for lab in labs:
        if lab not in LABS:
            raise UserError(f"unknown lab {lab!r}; there are {', '.join(LABS)}")
    backends = command.chosen_backends(args.backends)
    threads = command.chosen_threads(args.threads)
    command.prepare(args.out)
    rows = []
    for lab in labs:
        for backend in backends:
            command.say(f"{lab} on {backend}")
            rows.append(run(lab, backend, args, threads))
    judge(rows)
    stated = {lab: [asdict(item) for item in EXPECTED[lab]] for lab in labs}
    kept = [{k: v for k, v in row.items() if k != "figures"} for row in rows]
    found = {"stated": stated, "limit_s": LIMIT, "rows": kept}
    command.write(args.out / "labs.json", args, command.environment(args), **found)
    late = slow(rows)
    print("\n".join([table(rows), *late, f"written: {args.out / 'labs.json'}"]))
    return int(bool(late) or any("why" in row or not row["agrees"] for row in rows))


if __name__ == "__main__":
    cli.run_main(main, "checks.lab_figures")
