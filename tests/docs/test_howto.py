"""What the how-tos tell people to type can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganref.__main__ import COMMANDS, module_of

DOCS = Path(__file__).parents[2] / "docs"
# Names that a reader has just given to something of theirs.
THEIRS = {"pearson": "hinge", "tiny": "ring", "mine": "numpy"}


def _lines(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("ganref ")]


PAGES = [*sorted((DOCS / "howto").glob("*.md")), DOCS / "export.md", DOCS / "import.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_command_is_understood(page: Path) -> None:
    lines = _lines(page)
    assert lines
    for line in lines:
        words = [THEIRS.get(w, w) for w in shlex.split(line, comments=True)[1:]]
        assert words[0] in COMMANDS, line
        parser = module_of(words[0]).parser()
        assert parser.parse_args(words[1:]), line
