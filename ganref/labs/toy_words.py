"""What the figures of `toy` say, in words."""

from __future__ import annotations

from typing import Any

from . import times
from .toy import PLAIN

HELPED, HURT = 0.5, 2.0  # a distance of this many times the plain one is said to differ
AGREE = 0.9  # if as many seeds say so: by chance nine of ten would once in 50 (sign test)
BLIND = 100.0  # D's logits differ so many times less than they did: it tells nothing apart


def _verdict(row: dict[str, Any]) -> str:
    ratio = row["times_plain"]
    if ratio is not None and HELPED < ratio < HURT:
        return "changed little"
    better = ratio is not None and ratio <= HELPED
    if (row["nearer"] if better else 1 - row["nearer"]) < AGREE:
        return "did what the seeds do not agree on"
    return "helped" if better else "made it worse"


def _number(distance: float | None) -> str:
    return "without bound" if distance is None else f"{distance:.3g}"


def _course(plain: dict[str, Any], epochs: int) -> str:
    """What became of the toy as it is, in words."""
    on = f"training on for {epochs:,} epochs"
    if plain["late"] is None or plain["usual"] is None:
        return f"{on} {'made it diverge' if plain['late'] is None else 'brought it back'}"
    worse = plain["late"] / max(plain["usual"], 1e-12)
    if worse > HURT:
        return f"{on} made it {times(worse)} worse"
    if worse < HELPED:
        return f"{on} made it {times(1 / worse)} better"
    return f"{on} changed little"


def words(toy: dict[str, Any]) -> str:
    """What the toy's figures say."""
    rows, plain = toy["summary"], toy["summary"][PLAIN]
    parts = [
        f"The toy's Fréchet distance was {_number(plain['usual'])} after its usual"
        f" {toy['usual_epochs']} epochs (median of {len(toy['seeds'])} seeds; its training points"
        f" themselves: {toy['data']:.1g}); {_course(plain, toy['epochs'])} (median of the last half"
        f" {_number(plain['late'])}, least on the way {_number(plain['least'])})."
    ]
    verdicts: dict[str, list[str]] = {}
    for name, row in rows.items():
        if name != PLAIN:
            verdicts.setdefault(_verdict(row), []).append(f"{name} ({_number(row['late'])})")
    said = [f"{', '.join(names)} {kind}" for kind, names in verdicts.items()]
    return " ".join([*parts, f"Over that half, {'; '.join(said)}.", _standstill(toy)])


def _standstill(toy: dict[str, Any]) -> str:
    """Whether it still moved in the end, in words, and what had become of D."""
    rows, look, n = toy["summary"], toy["looks"][PLAIN], len(toy["seeds"])
    counts = [f"{name} {row['still'] * n:.0f}" for name, row in rows.items() if name != PLAIN]
    still = rows[PLAIN]["still"]
    said = f"In the last tenth it stood still in {still * n:.0f} of {n} seeds"
    said += f" ({', '.join(counts)})" if counts else ""
    (was, contrast), (before, gradient) = look["D_contrast"], look["G_gradient"]
    blind = None not in (was, contrast) and contrast * BLIND < was
    if still < 0.5 or not blind:
        return f"{said}."
    return (
        f"{said}; the detector noticed {toy['noticed'][PLAIN]['seeds']}. This is no equilibrium but"
        f" a D that sees nothing: its logits of all points and samples differ by {contrast:.1g}"
        f" (after the usual length {was:.1g}), it says {look['D_x'][1]:.2f} of everything, and G's"
        f" gradient is {gradient:.1g} ({before:.1g})."
    )
