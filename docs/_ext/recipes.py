"""Directives that show a recipe: its networks, layers, numbers and cells. All of it is read from the
spec and from the tested pages while the site is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import ganref
from ganref import page

from . import networks, pages, sides, tables, trace

SPEC = sorted((Path(ganref.__file__).parent / "spec").glob("*.py"))
OWN = sorted(Path(__file__).parent.glob("*.py"))


class Written(SphinxDirective):
    """A directive that writes Markdown, which is then parsed in its place."""

    required_arguments = 1

    def parsed(self, text: str) -> list[nodes.Node]:
        """The nodes of a piece of Markdown. What stands below a heading in it is in its place
        already; anything before the first would come last."""
        holder = nodes.container()
        holder.document = self.state.document
        source = self.get_source_info()[0]
        self.state.nested_parse(StringList(text.splitlines(), source), 0, holder, match_titles=True)
        return holder.children

    def depend(self, files: list[Path]) -> None:
        """Read the document again when one of these changes, or what reads them."""
        for file in [*files, *OWN]:
            self.env.note_dependency(str(file))


def fenced(code: str, language: str = "python") -> str:
    """A block of code."""
    return f"```{language}\n{code}\n```"


def tabs(codes: dict[str, str]) -> str:
    """The same code in each framework, of which one is seen; choosing it chooses it everywhere."""
    items = [
        f":::{{tab-item}} {pages.TITLES.get(framework, framework)}\n:sync: {framework}\n"
        f"{':selected:' if framework == pages.FIRST else ''}\n\n{fenced(code)}\n:::"
        for framework, code in codes.items()
    ]
    return "\n".join(["::::{tab-set}", ":sync-group: framework", "", *items, "::::"])


class Networks(Written):
    """The two networks of a recipe as pictures."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        self.depend(SPEC)
        recipe = ganref.recipe(self.arguments[0])
        pictures = "".join(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{n.name}">'
            f"{networks.draw(n)}</div>"
            for n in recipe.networks
        )
        return [nodes.raw("", f'<div class="networks">{pictures}</div>', format="html")]


class Layers(Written):
    """The table of the layers of one of its networks."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        self.depend(SPEC)
        recipe = ganref.recipe(self.arguments[0])
        return self.parsed(tables.layers(getattr(recipe, self.arguments[1])))


class Facts(Written):
    """The table of its other numbers."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        self.depend(SPEC)
        return self.parsed(tables.facts(ganref.recipe(self.arguments[0])))


class Trace(Written):
    """One batch through the recipe: words, a line of code in each framework, numbers."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        (name,) = self.arguments
        self.depend([*SPEC, *(pages.file(name, f) for f in pages.frameworks(name))])
        found = trace.compute(trace.small(name))
        parts = []
        for step, (heading, words) in trace.words(found).items():
            parts += [f"### {heading}", words, tabs(trace.code(name, step))]
            parts.append(fenced(trace.SHOWN[step](found), "text"))
        return self.parsed("\n\n".join(parts))


class Losses(Written):
    """The two losses of a recipe as formulas."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        self.depend(SPEC)
        formulas = trace.losses(ganref.recipe(self.arguments[0]))
        return [nodes.math_block(f, f, nowrap=False, number=None) for f in formulas]


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
        return f"### {heading}\n\n{words}\n\n" + self.code({f: c.code for f, c in found.items()}, number)

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


class Notebooks(Written):
    """Links to a recipe's notebooks and scripts."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        up = "../" * self.env.docname.count("/")
        name = self.arguments[0]
        items = []
        for framework in pages.frameworks(name):
            stem = pages.file(name, framework).stem
            title = pages.TITLES.get(framework, framework)
            hrefs = [f'<a download href="{up}notebooks/{stem}.{e}">{w}</a>' for e, w in ENDINGS]
            items.append(f"<li><span>{title}</span> {' '.join(hrefs)}</li>")
        text = f'<ul class="downloads">{"".join(items)}</ul>'
        return [nodes.raw("", text, format="html")]


ENDINGS = (("ipynb", "notebook"), ("py", "script"))


class IfThere(Written):
    """What it holds is part of the page if the file that it names exists below docs/."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        # What is to be translated does not depend on it.
        whole = self.env.app.builder.name == "gettext"
        if not whole and not (Path(self.env.srcdir) / self.arguments[0]).exists():
            return []
        return self.parsed("\n".join(self.content))


def write_notebooks(app: Sphinx, error: Exception | None) -> None:
    """Every page as a notebook and as a script, beside the site's pages."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "notebooks"
    folder.mkdir(exist_ok=True)
    for name, there in page.pages().items():
        for framework in there:
            stem = page.named(name, framework)
            text = page.copy(stem)
            (folder / f"{stem}.py").write_text(text, encoding="utf-8")
            (folder / f"{stem}.ipynb").write_text(page.notebook(text), encoding="utf-8")


DIRECTIVES: dict[str, Callable] = {
    "networks": Networks,
    "layers": Layers,
    "facts": Facts,
    "trace": Trace,
    "losses": Losses,
    "cells": Cells,
    "side-by-side": SideBySide,
    "sides": Sides,
    "notebooks": Notebooks,
    "if-there": IfThere,
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.connect("build-finished", write_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
