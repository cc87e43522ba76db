"""The numbers in the pages: blocks between two comments, written from docs/results.

In a page, `<!-- result: name -->` begins a block and `<!-- end of result -->` ends it. What stands
between them is what `every()[name]` makes; a test says when it is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import PAGES, read

MARK = re.compile(r"(<!-- result: ([\w-]+) -->\n)(.*?)(<!-- end of result -->)", re.DOTALL)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A number for people: three digits, and exactly 0 as 0."""
    if value is None:
        return "–"
    return "0" if value == 0 else f"{value:,.{digits}g}" if abs(value) < 1e3 else f"{value:,.0f}"


def made_by(name: str) -> str:
    """The line below a block: command, versions and seed, and the file."""
    found = read(name)
    versions = found["versions"]
    with_what = versions.get("framework") or ", ".join(
        versions[b] for b in ("numpy", "torch", "tf", "mxnet") if b in versions
    )
    return (
        f"*By `{found['command']}`, seed {found['seed']}, ganref {versions['ganref']},"
        f" {with_what}: `docs/results/{name}.json`.*"
    )


def vanishing() -> str:
    """The chapter on the vanishing gradient."""
    found = read("lab-vanishing")
    figures, curves = found["figures"], found["figures"]["curves"]
    rows = []
    for name, words in (("minimax", "minimax"), ("non_saturating", "non-saturating"),
                        ("margin", "margin")):  # fmt: skip
        curve, fall = curves[name], figures["falls"][name]
        how = "fell to 0" if fall is None else (
            f"fell {number(fall)} times" if fall >= 1 else f"grew {number(1 / fall)} times"
        )  # fmt: skip
        rows.append([words, number(curve[0]), number(curve[-1]), how])
    return "\n\n".join([
        f"$D(G(z))$ went from {number(curves['D_G_z'][0])} to {number(curves['D_G_z'][-1])}. The"
        " norm of G's gradient:",
        table(["loss of G", "before D learned", f"after {figures['steps']} updates", ""], rows),
        "By the formulas' derivatives alone minimax and non-saturating should have parted"
        f" {number(figures['ratio_formula'])} times; at G's weights they parted"
        f" {number(figures['ratio_measured'])} times.",
        made_by("lab-vanishing"),
    ])  # fmt: skip


def collapse() -> str:
    """The chapter on mode collapse."""
    found = read("lab-collapse")
    figures = found["figures"]
    seeds, rows = len(figures["seeds"]), []
    for name, row in figures["summary"].items():
        low, high = row["range"]
        rows.append([
            name, f"{row['mean']:.1f}", f"{low}" if low == high else f"{low} to {high}",
            f"{row['all']} of {seeds}", f"{row['high_quality']:.0%}",
        ])  # fmt: skip
    head = ["", "modes covered (of 8)", "by seed", "all 8 in", "good samples"]
    return "\n\n".join([table(head, rows), f"> {found['finding']}", made_by("lab-collapse")])


def oscillation() -> str:
    """The chapter on the equilibrium that is not found."""
    found = read("lab-oscillation")
    dirac, toy = found["figures"]["dirac"], found["figures"]["toy"]
    paths = [
        [name, number(dirac["norm"][name]), number(dirac["range"][name][0]),
         number(dirac["range"][name][1])]
        for name in dirac["norm"]
    ]  # fmt: skip
    seeds = len(toy["seeds"])
    rows = [
        [name, number(row["usual"]), number(row["least"]), number(row["late"]),
         f"{row['still'] * seeds:.0f} of {seeds}"]
        for name, row in toy["summary"].items()
    ]  # fmt: skip
    usual, late = f"after {toy['usual_epochs']} epochs", f"last half of {toy['epochs']}"
    return "\n\n".join([
        f"The Dirac-GAN, started at distance 1, after {dirac['steps']:,} steps of"
        f" {dirac['step_size']}:",
        table(["", "distance at the end", "least", "greatest"], paths),
        f"The toy's Fréchet distance, median of {seeds} seeds (its training points themselves:"
        f" {number(toy['data'], 1)}):",
        table(["", usual, "least on the way", late, "stood still in"], rows),
        f"> {found['finding']}",
        made_by("lab-oscillation"),
    ])  # fmt: skip


def losses() -> str:
    """The losses side by side."""
    found = read("lab-losses")
    figures, rows = found["figures"], []
    seeds = len(figures["seeds"])
    for name, row in figures["summary"].items():
        fall, (low, high) = row["fall"], row["all_interval"]
        rows.append([
            name,
            "fell to 0" if fall is None else (
                f"fell {number(fall)} times" if fall >= 1 else f"grew {number(1 / fall)} times"
            ),
            f"{row['modes']:.1f} ± {row['modes_error']:.1f}",
            f"{row['all']} of {seeds} ({low:.0%} to {high:.0%})",
            f"{row['high_quality']:.0%}",
            f"{row['seconds']:.1f} ± {row['seconds_error']:.1f}",
        ])  # fmt: skip
    head = [
        "", f"G's gradient over {figures['held']} updates of D", "modes of 8 (± standard error)",
        "all 8 in (at 95%)", "good samples", f"seconds for {figures['steps']:,} steps",
    ]  # fmt: skip
    return "\n\n".join([table(head, rows), made_by("lab-losses")])


def every() -> dict[str, Callable[[], str]]:
    """What makes each block."""
    from . import answers, exports, imports, labels  # which build on what is above

    return {
        "lab-vanishing": vanishing,
        "lab-collapse": collapse,
        "lab-oscillation": oscillation,
        "lab-losses": losses,
        "equivalence": answers.equivalence,
        "samples": answers.samples,
        "tabs-toy": answers.tabs_toy,
        "tabs-dcgan": answers.tabs_dcgan,
        "equilibrium-tests": answers.equilibrium_tests,
        "equilibrium-start": answers.equilibrium_start,
        "relu": answers.relu,
        "classes": answers.classes,
        "exports": lambda: exports.block(read("exports")),
        "imports": lambda: imports.block(read("imports")),
        "labels-mlp": lambda: labels.block("mlp"),
        "labels-dcgan32": lambda: labels.block("dcgan32"),
    }


def rewrite(text: str) -> str:
    """A page's text with its blocks as the results have them. Raises KeyError for a block that
    nobody makes."""
    makers = every()
    return MARK.sub(lambda found: f"{found[1]}{makers[found[2]]()}\n{found[4]}", text)


def pages() -> list[Path]:
    """The pages that have blocks."""
    return [path for path in sorted(PAGES.rglob("*.md")) if MARK.search(path.read_text("utf-8"))]


def make(runs: Any = None) -> None:
    """Write every block anew."""
    for path in pages():
        path.write_text(rewrite(path.read_text(encoding="utf-8")), encoding="utf-8")
