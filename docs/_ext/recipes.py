"""Directives that show a recipe: its networks, layers, losses, numbers, and one batch.

All of it is read from the spec and from the tested pages while the site is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import ganref

from . import networks, pages, tables, trace, words
from .written import Written, fenced, tabs

SPEC = sorted((Path(ganref.__file__).parent / "spec").glob("*.py"))


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
        for step, (heading, said) in words.words(found.recipe, found.weight).items():
            parts += [f"### {heading}", said, tabs(trace.code(name, step))]
            parts.append(fenced(trace.SHOWN[step](found), "text"))
        return self.parsed("\n\n".join(parts))


class Losses(Written):
    """The two losses of a recipe as formulas."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        self.depend(SPEC)
        formulas = words.losses(ganref.recipe(self.arguments[0]))
        return [nodes.math_block(f, f, nowrap=False, number=None) for f in formulas]


DIRECTIVES = {
    "networks": Networks,
    "layers": Layers,
    "facts": Facts,
    "trace": Trace,
    "losses": Losses,
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
