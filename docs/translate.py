"""python -m docs.translate: renew the catalogues of every translated page.

What is translated is kept; new strings are added empty, changed ones are marked fuzzy with the old
translation, and those that no page has any more are removed. `tests/docs/test_translations.py`
fails while any is empty or fuzzy.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from docs._ext.languages import is_translated
from docs.making.blocks import MARK

DOCS = Path(__file__).parent
ROOT = DOCS.parent
# What has been read is kept there, since reading takes longer than all else.
WORK = ROOT / "build" / "gettext"
# Names, and what is the same in every language: numbers, formulas.
NAMES = ["ganref", "NumPy", "PyTorch", "TensorFlow", "MXNet", "JAX", "DCGAN", "Dense", "Tanh"]
CATALOGUES = DOCS / "locale" / "fr" / "LC_MESSAGES"


def pages() -> list[str]:
    """Those that are to be there in every language."""
    found = (str(p.relative_to(DOCS).with_suffix("")) for p in sorted(DOCS.rglob("*.md")))
    return [page for page in found if is_translated(page)]


def templates(folder: Path) -> Iterator[tuple[str, Catalog]]:
    """The strings of each translated page, as Sphinx finds them."""
    command = [sys.executable, "-m", "sphinx", "--builder", "gettext", "-Q"]
    files = [str(DOCS / f"{page}.md") for page in pages()]
    subprocess.run([*command, "docs", str(folder), *files], cwd=ROOT, check=True)
    for page in pages():
        with (folder / f"{page}.pot").open("rb") as file:
            template = read_po(file)
        for message in list(template):
            if message.id and not has_words(message.id):
                template.delete(message.id)
        yield page, template


def measured(page: str) -> str:
    """What is written into a page from a file of results, and again when that is renewed."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = (found[3] for found in MARK.finditer(text))
    return " ".join(" ".join(blocks).split())


def is_of(text: str, numbers: str) -> bool:
    """Whether a string is measured: it may be translated, and need not be, since another
    measurement will say something else."""
    return " ".join(text.split()) in numbers


def has_words(text: str) -> bool:
    """Whether there is anything in it that a translator has to write."""
    rest = re.sub(r"\\[A-Za-z]+|\$[^$]*\$|`[^`]*`", " ", text)
    words = set(re.findall(r"[^\W\d_]{2,}", rest)) - set(NAMES)
    return any(re.search(r"[a-z]{2}", word) for word in words)


def catalogue(page: str) -> Catalog:
    """What is translated of a page so far."""
    path = CATALOGUES / f"{page}.po"
    if not path.exists():
        return Catalog("fr", header_comment="# French of the site.", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, "fr")


def missing(found: Catalog, wanted: Catalog, numbers: str = "") -> list[str]:
    """The strings of a page that are not translated, or from other words; `measured` ones apart."""
    there = {m.id for m in found if m.id and m.string and not m.fuzzy}
    ids = (message.id for message in wanted if message.id and message.id not in there)
    return [text for text in ids if not is_of(text, numbers)]


def main() -> None:
    """Renew them, and say what is left to do."""
    for page, template in templates(WORK):
        found = catalogue(page)
        made = found.creation_date
        found.update(template)
        found.creation_date = made  # else a catalogue would change whenever this is run
        found.obsolete.clear()
        for message in found:
            if message.id and message.fuzzy and is_of(message.id, measured(page)):
                message.string = ""
                message.flags.discard("fuzzy")
        path = CATALOGUES / f"{page}.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, found, width=100, ignore_obsolete=True, no_location=True)
        left = missing(found, template, measured(page))
        print(f"{page}: {len(left)} of {len(template)} strings to translate")


if __name__ == "__main__":
    main()
