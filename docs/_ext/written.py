"""What the directives of recipes have in common: they write Markdown, and code in tabs."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from . import pages

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
