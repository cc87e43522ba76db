"""What lies beside the site's pages: notebooks and scripts, and the playground."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from ganref import page

from . import pages
from .written import Written

ENDINGS = (("ipynb", "notebook"), ("py", "script"))


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


class Playground(Written):
    """The link to the playground."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        up = "" if self.env.config.language == "en" else "../"
        link = f'<a href="{up}playground/index.html">▶ Playground</a>'
        return [nodes.raw("", f'<p class="playground">{link}</p>', format="html")]


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


def copy_playground(app: Sphinx, error: Exception | None) -> None:
    """Its files as they are: it is a page of its own, the same in every language."""
    folder = Path(app.srcdir) / "playground"
    wanted = app.builder.format == "html" and app.config.language == "en"
    if wanted and not error and folder.exists():
        shutil.copytree(folder, Path(app.outdir) / "playground", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("notebooks", Notebooks)
    app.add_directive("playground", Playground)
    app.add_directive("if-there", IfThere)
    app.connect("build-finished", write_notebooks)
    app.connect("build-finished", copy_playground)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
