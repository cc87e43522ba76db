"""The site in another language than English has the pages that are translated, and links to the
English ones for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment

TRANSLATED = ("index", "recipes/gaussian", "pitfalls/")
OTHER = {"en": ("fr", "Français"), "fr": ("en", "English")}


def is_translated(page: str) -> bool:
    """Whether a page is there in every language."""
    return page.startswith(TRANSLATED[-1]) or page in TRANSLATED


def point_home(app: Sphinx) -> None:
    """Let links to pages that are not translated go to the English site, one folder up."""
    builder = app.builder
    if app.config.language == "en" or not isinstance(builder, StandaloneHTMLBuilder):
        return
    own = builder.get_target_uri

    def target(page: str, typ: str | None = None) -> str:
        uri = own(page, typ)
        here = is_translated(page) or page in ("search", "genindex") or page.startswith("_")
        return uri if here else f"../{uri}"

    builder.get_target_uri = target  # type: ignore[method-assign]


def leave_out_of_search(app: Sphinx, env: BuildEnvironment) -> None:
    """A search finds the pages of its own language."""
    if app.config.language != "en":
        for page in env.found_docs:
            if not is_translated(page):
                env.metadata[page]["nosearch"] = "true"


def link(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.Node) -> None:
    """Give a page the address of itself in the other language, for the sidebar."""
    code, name = OTHER[app.config.language]
    up = "../" * page.count("/")
    folder = f"{up}fr/" if code == "fr" else f"{up}../"
    there = is_translated(page)
    context["other_language"] = code, name, f"{folder}{page if there else 'index'}.html"
    context["language_code"] = app.config.language


def drop(app: Sphinx, error: Exception | None) -> None:
    """Remove the pages that nobody translated."""
    if app.config.language == "en" or error or app.builder.format != "html":
        return
    for page in app.env.found_docs:
        if not is_translated(page):
            Path(app.outdir, f"{page}.html").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", point_home)
    app.connect("env-updated", leave_out_of_search)
    app.connect("html-page-context", link)
    app.connect("build-finished", drop)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
