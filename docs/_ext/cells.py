"""Directives that show the cells of a recipe's pages: in tabs, and in two columns."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from . import pages, sides
from .written import Written, fenced, tabs


class Cells(Written):
    """All cells of a recipe's pages, in tabs."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        return self.parsed("\n\n".join(self.cell(i, self.arguments[0]) for i in range(self.count)))

    @property
    def count(self) -> int:
        """How many cells the recipe's pages have."""
        self.depend([pages.file(self.arguments[0], f) for f in self.there])
        return len(pages.cells(pages.file(self.arguments[0], pages.FIRST)))

    @property
    def there(self) -> list[str]:
        """The frameworks that have a page."""
        return pages.frameworks(self.arguments[0])

    def cell(self, number: int, recipe: str) -> str:
        """One cell: its heading, its words, its code."""
        found = {f: pages.cells(pages.file(recipe, f))[number] for f in self.there}
        same = found[pages.FIRST]
        # The first cell's words are the page's title, which says which framework it is in.
        heading, words = (same.heading, same.words) if number else ("Imports", "")
        return f"### {heading}\n\n{words}\n\n" + self.code(
            {f: c.code for f, c in found.items()}, number
        )

    def code(self, codes: dict[str, str], number: int) -> str:
        """The code of a cell."""
        return tabs(codes)


class SideBySide(Cells):
    """The same with two frameworks in two columns."""

    def cell(self, number: int, recipe: str) -> str:
        """One cell, whose heading is the page's second level."""
        return super().cell(number, recipe).removeprefix("#")

    def code(self, codes: dict[str, str], number: int) -> str:
        """The pairs of a cell."""
        return fenced(sides.cell(self.arguments[0], number), "{raw} html")


class Sides(Written):
    """The lists from which the two frameworks are chosen."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        return [nodes.raw("", sides.chooser(self.arguments[0]), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("cells", Cells)
    app.add_directive("side-by-side", SideBySide)
    app.add_directive("sides", Sides)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
