"""Formulas as MathML, which browsers draw themselves: no script, no fonts, no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

# A function's name stands apart from what it is of; the converter sets them close.
NAMED = re.compile(r"(<mi>(?:log|ln|exp|max|min|arg)</mi>)(?=<m)")


def mathml(formula: str, display: str) -> str:
    """A formula as MathML, "inline" or "block". Raises ValueError for what is not understood."""
    known = formula.replace(r"\arg", r"\text{arg}\,")
    found = NAMED.sub(r'\1<mspace width="0.167em"/>', convert(known, display=display))
    if re.search(r"&(?!#)", found) or "\\" in found:
        raise ValueError(f"the formula {formula} is more than latex2mathml takes")
    return found


def inline(self: Any, node: nodes.math) -> None:
    """A formula in a line."""
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block(self: Any, node: nodes.math_block) -> None:
    """A formula of its own."""
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
