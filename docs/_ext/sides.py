"""Two frameworks side by side: the same cell of two pages, line by line, differences marked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import combinations

from pygments.lexers.python import PythonLexer
from pygments.token import STANDARD_TYPES

from . import pages

Marks = list[tuple[int, int]]  # spans of characters of a line
DEFINES = re.compile(r"(def|class) \w+")
ALIKE = 0.27  # how much of two lines must be the same for them to stand beside each other


def aligned(one: list[str], other: list[str]) -> Iterator[tuple[int | None, int | None]]:
    """The numbers of the lines that stand beside each other, in their order."""
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield from zip(range(a, b), range(c, d), strict=True)
        else:
            yield from _paired(one, other, range(a, b), range(c, d))


def _paired(
    one: list[str], other: list[str], left: range, right: range
) -> list[tuple[int | None, int | None]]:
    """The same within lines that differ: those pairs whose likeness adds up to most."""
    best: dict[tuple[int, int], tuple[float, list]] = {}
    for i in range(len(left), -1, -1):
        for j in range(len(right), -1, -1):
            found: list[tuple[float, list]] = []
            if i == len(left) and j == len(right):
                found.append((0.0, []))
            if i < len(left):
                score, rest = best[i + 1, j]
                found.append((score, [(left[i], None), *rest]))
            if j < len(right):
                score, rest = best[i, j + 1]
                found.append((score, [(None, right[j]), *rest]))
            if i < len(left) and j < len(right):
                like = likeness(one[left[i]], other[right[j]])
                if like > ALIKE:
                    score, rest = best[i + 1, j + 1]
                    found.append((score + like, [(left[i], right[j]), *rest]))
            best[i, j] = max(found, key=lambda pair: pair[0])
    return best[0, 0][1]


def likeness(one: str, other: str) -> float:
    """From 0 to 1, by letters and by words, and a little more for the same comment; an empty line
    is like no other, and one that defines something like those alone that define the same."""
    (code, _, note), (code2, _, note2) = one.strip().partition("#"), other.strip().partition("#")
    named, named2 = DEFINES.match(code), DEFINES.match(code2)
    if not code or not code2 or (named and named[0]) != (named2 and named2[0]):
        return 0.0
    words = re.findall(r"\w+|=", code), re.findall(r"\w+|=", code2)
    found = [difflib.SequenceMatcher(None, *pair).ratio() for pair in ((code, code2), words)]
    return sum(found) / 2 + (0.1 if note and note == note2 else 0)


def indent(line: str) -> int:
    """How many spaces it begins with."""
    return len(line) - len(line.lstrip())


def differences(one: str, other: str) -> tuple[Marks, Marks]:
    """What differs within two lines, word by word; that one is further in is not marked."""
    words = [re.findall(r"\s+|\w+|[^\w\s]", line) for line in (one, other)]
    ends = [[sum(map(len, w[:i])) for i in range(len(w) + 1)] for w in words]
    indents = indent(one), indent(other)
    left, right = [], []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        if kind != "equal":
            left.append((max(ends[0][a], indents[0]), ends[0][b]))
            right.append((max(ends[1][c], indents[1]), ends[1][d]))
    return left, right


def coloured(code: str) -> list[list[tuple[str, str]]]:
    """Each line of code as pieces of text with the classes of Pygments."""
    lines: list[list[tuple[str, str]]] = [[]]
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(code):
        while kind not in STANDARD_TYPES:
            kind = kind.parent
        for i, part in enumerate(text.split("\n")):
            if i:
                lines.append([])
            if part:
                lines[-1].append((STANDARD_TYPES[kind], part))
    return lines


def marked(pieces: Iterable[tuple[str, str]], marks: Marks, start: int = 0) -> str:
    """A line as HTML from that character on, with what differs in <mark>."""
    out, at = [], 0
    for kind, text in pieces:
        end = at + len(text)
        cuts = {at, end, start, *(c for span in marks for c in span)}
        bounds = sorted(c for c in cuts if max(at, start) <= c <= end)
        for a, b in zip(bounds, bounds[1:], strict=False):
            part = escape(text[a - at : b - at], quote=False)
            part = f'<span class="{kind}">{part}</span>' if kind else part
            differs = any(low <= a < high for low, high in marks)
            out.append(f"<mark>{part}</mark>" if differs else part)
        at = end
    return "".join(out)


def pair(one: str, other: str) -> str:
    """The rows of a cell in two frameworks; both sides of a row are as high."""
    codes = [one.splitlines(), other.splitlines()]
    pieces = [coloured(one), coloured(other)]
    rows = []
    for i, j in aligned(*codes):
        marks: tuple[Marks, Marks] = ([], [])
        if i is None or j is None:
            kind = "alone"
        elif codes[0][i] == codes[1][j]:
            kind = "same"
        else:
            kind, marks = "changed", differences(codes[0][i], codes[1][j])
        for side, number in enumerate((i, j)):
            if number is None:
                rows.append('<code class="line none"></code>')
            else:
                # Spaces in front would be where a long line is broken first.
                depth = indent(codes[side][number])
                text = marked(pieces[side][number], marks[side], depth) or " "
                deep = f' style="--in: {depth}"'
                rows.append(f'<code class="line {kind}"{deep}>{text}</code>')
    return "".join(rows)


def cell(recipe: str, number: int) -> str:
    """A cell of every two frameworks, of which the stylesheet and the script show one pair."""
    parts = []
    for one, other in combinations(pages.frameworks(recipe), 2):
        codes = [pages.cells(pages.file(recipe, f))[number].code for f in (one, other)]
        hidden = "" if (one, other) == first(recipe) else " hidden"
        names = " and ".join(pages.TITLES.get(f, f) for f in (one, other))
        parts.append(
            f'<div class="pair highlight" data-pair="{one} {other}" role="group" '
            f'aria-label="{names}"{hidden}>{pair(*codes)}</div>'
        )
    return "".join(parts)


def first(recipe: str) -> tuple[str, str]:
    """The two that are shown where nothing was chosen."""
    there = pages.frameworks(recipe)
    return pages.FIRST, there[there.index(pages.FIRST) + 1]


def chooser(recipe: str) -> str:
    """The two lists to choose from."""
    lists = []
    for side, chosen in zip(("left", "right"), first(recipe), strict=True):
        options = "".join(
            f'<option value="{f}"{" selected" if f == chosen else ""}>'
            f"{pages.TITLES.get(f, f)}</option>"
            for f in pages.frameworks(recipe)
        )
        lists.append(f'<label>{side} <select data-side="{side}">{options}</select></label>')
    swap = '<button type="button" data-swap>swap</button>'
    return f'<form class="sides" data-recipe="{recipe}">{lists[0]}{swap}{lists[1]}</form>'
