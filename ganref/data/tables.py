"""Points, and the class of each where a column says so, as a spreadsheet saves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..spec.errors import UserError

# What a header calls the column of classes. "y" is none of them: it is the second coordinate.
LABELS = ("label", "labels", "class", "classes")
WANTED = "it must hold a point in each row, as many numbers in each"

Table = tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]


def read_csv(path: Path) -> Table:
    """(points (N, d) as float64, labels (N,) as int64 or None, the classes' names) from rows of
    numbers between commas, semicolons or tabs; a first row that is no numbers is a header.

    The column that a header calls `label` or `class` holds classes: whole numbers, or words, whose
    classes are numbered in the order of the alphabet. Raises UserError for anything else.
    """
    try:
        text = path.read_text("utf-8-sig")
        lines = [line for line in text.splitlines() if line.partition("#")[0].strip()]
        separator = next((s for s in ",;\t" if lines and s in lines[0]), None)
        header = bool(lines) and not _are_numbers(lines[0].split(separator))
        rows = lines[header:]
        if not rows:
            raise ValueError("no rows")
        column = _column(_cells(lines[0], separator)) if header else None
        labels: np.ndarray | None = None
        classes: tuple[str, ...] = ()
        if column is not None:
            rows, words = _taken(rows, separator, column, len(_cells(lines[0], separator)))
            labels, classes = _numbered(words)
        return np.loadtxt(rows, np.float64, "#", separator, ndmin=2), labels, classes
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].partition(";")[0]
        raise UserError(f"{path} cannot be read ({reason}); {WANTED}") from error


def _are_numbers(words: list[str]) -> bool:
    try:
        for word in words:
            float(word)
    except ValueError:
        return False
    return True


def _cells(line: str, separator: str | None) -> list[str]:
    return [c.strip().strip("\"'").strip() for c in line.partition("#")[0].split(separator)]


def _column(names: list[str]) -> int | None:
    """Which column has the classes. Raises ValueError for several, or where no other is left."""
    found = [i for i, name in enumerate(names) if name.lower() in LABELS]
    if len(found) > 1:
        raise ValueError(f"columns {' and '.join(names[i] for i in found)} would both be classes")
    if found and len(names) == 1:
        raise ValueError(f"the column {names[0]} has no points beside it")
    return found[0] if found else None


def _taken(
    rows: list[str], separator: str | None, column: int, count: int
) -> tuple[list[str], list[str]]:
    """The rows without that one of so many columns, and what stood in it. Raises ValueError."""
    points, words = [], []
    for number, row in enumerate(rows, 1):
        cells = _cells(row, separator)
        if len(cells) != count:
            raise ValueError(f"row {number} has {len(cells)} columns, the header {count}")
        if not cells[column]:
            raise ValueError(f"row {number} has no label")
        words.append(cells.pop(column))
        points.append((separator or " ").join(cells))
    return points, words


def _numbered(words: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels (N,), and names where they are words. Raises ValueError for numbers that are not
    whole."""
    if not _are_numbers(words):
        classes, labels = np.unique(words, return_inverse=True)
        return labels.astype(np.int64), tuple(str(name) for name in classes)
    for number, word in enumerate(words, 1):
        # Exactly: a float has no whole numbers beyond 2^53, and a spreadsheet writes 3 as 3.0.
        if not (float(word).is_integer() and abs(float(word)) < 1e9):
            raise ValueError(f"row {number} has the label {word:.40}, which is no whole number")
    return np.array([float(word) for word in words]).astype(np.int64), ()
