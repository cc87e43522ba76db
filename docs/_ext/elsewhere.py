"""Pages whose text lies outside docs/, where a forge shows it; links work in both places."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {
    "contributing": ROOT / "CONTRIBUTING.md",
    "changelog": ROOT / "CHANGELOG.md",
    "benchmarks": ROOT / "benchmarks" / "README.md",
}


def bring(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace a stub with the text that it stands for, and lead all links to what the site has."""
    home = Path(app.srcdir)
    text, folder = source[0], (home / page).parent
    if page in PAGES:
        app.env.note_dependency(str(PAGES[page]))
        text, folder = PAGES[page].read_text(encoding="utf-8"), PAGES[page].parent
    own = {path: home / f"{name}.md" for name, path in PAGES.items()}
    own[ROOT / "README.md"] = home / "index.md"

    def led(match: re.Match[str]) -> str:
        path = (folder / match[1]).resolve()
        target = own.get(path, path)
        return f"]({os.path.relpath(target, (home / page).parent)}{match[2] or ''})"

    source[0] = re.sub(r"\]\((?!\w+:|[#/<])([^)#\s]+)(#[^)]*)?\)", led, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", bring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
