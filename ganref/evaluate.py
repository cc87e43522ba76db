"""The metrics of a run's samples, as a table and as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from .assessment import Result, cheap_metrics, evaluate_samples

__all__ = ["Result", "as_json", "cheap_metrics", "evaluate_samples", "table"]


def table(results: list[Result]) -> str:
    """The results as lines for a terminal: name, value, interval, source and note, or why not."""
    lines = []
    for result in results:
        if result.value is None:
            lines.append(f"{result.name:<17} -        {result.error}")
            continue
        low_high = "[{:.4g}, {:.4g}]".format(*result.interval) if result.interval else ""
        about = ". ".join(filter(None, (result.source, result.note)))
        lines.append(f"{result.name:<17} {result.value:<8.4g} {low_high:<18} {about}")
    return "\n".join(lines)


def as_json(results: list[Result]) -> list[dict[str, Any]]:
    """The results as `evaluation.json` holds them."""
    return [dataclasses.asdict(result) for result in results]
