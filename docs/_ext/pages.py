"""The pages of `ganref/pages` as cells, with nothing of theirs repeated here."""

from __future__ import annotations

import ast
import textwrap
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jupytext

import ganref
from ganref.page import named, pages

FOLDER = Path(ganref.__file__).parent / "pages"
TITLES = {"numpy": "NumPy", "torch": "PyTorch", "tf": "TensorFlow", "mxnet": "MXNet", "jax": "JAX"}
FIRST = "torch"  # the tab that is open where nothing was chosen


class Cell(NamedTuple):
    """A heading, the words below it (Markdown), and the code that they are about."""

    heading: str
    words: str
    code: str


def frameworks(recipe: str) -> list[str]:
    """Those that have a page of the recipe."""
    return pages()[recipe]


def file(recipe: str, framework: str) -> Path:
    """Where a page lies."""
    return FOLDER / f"{named(recipe, framework)}.py"


@cache
def cells(path: Path) -> list[Cell]:
    """A page's cells: words and code take turns in it."""
    found = jupytext.read(path, fmt="py:percent").cells
    out = []
    for words, code in zip(found[::2], found[1::2], strict=True):
        assert (words.cell_type, code.cell_type) == ("markdown", "code"), path
        heading, _, text = words.source.partition("\n")
        out.append(Cell(heading.lstrip("# "), text.strip(), code.source.strip()))
    return out


def statements(path: Path, name: str) -> list[str]:
    """The single statements of a page's function, in their order, as they stand there."""
    for cell in cells(path):
        lines = cell.code.splitlines()
        for node in ast.parse(cell.code).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                found = [n for n in ast.walk(node) if isinstance(n, ast.stmt) and n is not node]
                single = [n for n in found if not hasattr(n, "body")]
                spans = sorted((n.lineno - 1, n.end_lineno) for n in single)
                return [textwrap.dedent("\n".join(lines[slice(*span)])) for span in spans]
    raise LookupError(f"{path} has no function {name}")
