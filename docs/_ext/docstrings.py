"""Docstrings are plain words with `names` in them: stars and bars mean themselves."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx


def plain(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Let no sign of mathematics be taken for markup."""
    for i, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        parts[::2] = [re.sub(r"([*|]|\b\w+_\b)", r"\\\1", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def bare(app: Sphinx, what: str, *rest: Any) -> tuple[str, None] | None:
    """A class's fields stand below it; all of them once more in a line are a wall."""
    return ("", None) if what == "class" else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", plain)
    app.connect("autodoc-process-signature", bare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
