"""Tables whose every heading says something, to those who hear a page too."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class Headings(SphinxPostTransform):
    """A row of empty headings is no row; an empty one at the corner is named, unseen."""

    default_priority = 500
    formats = ("html",)

    def run(self, **how: Any) -> None:
        """Called by Sphinx."""
        for head in list(self.document.findall(nodes.thead)):
            entries = list(head.findall(nodes.entry))
            if not any(entry.astext().strip() for entry in entries):
                head.parent.remove(head)
                continue
            for entry in entries:
                if not entry.astext().strip():
                    name = nodes.inline("", "row", classes=["unseen"])
                    entry.children = [nodes.paragraph("", "", name)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_post_transform(Headings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
