"""French: every string of the translated pages is translated, from what the page says today."""

from __future__ import annotations

import pytest

pytest.importorskip("sphinx", reason="the extra `docs` has what builds the site")

from babel.messages.catalog import Catalog  # noqa: E402

from docs import translate  # noqa: E402

CURE = "run python -m docs.translate and fill in docs/locale/fr"


def test_no_string_is_missing_or_fuzzy() -> None:
    found = dict(translate.templates(translate.WORK))
    assert {"index", "recipes/gaussian"} <= set(found)
    for page, wanted in found.items():
        own = translate.catalogue(page)
        assert translate.missing(own, wanted, translate.measured(page)) == [], f"{page}: {CURE}"
        assert not [m.id for m in own if m.id and m.fuzzy], f"{page}: {CURE}"


def test_catalogues_are_of_pages_that_there_are() -> None:
    there = {translate.CATALOGUES / f"{page}.po" for page in translate.pages()}
    assert set(translate.CATALOGUES.rglob("*.po")) == there


def test_what_is_missing_is_found() -> None:
    wanted, own = Catalog(), Catalog("fr")
    for text in ("one", "two", "three"):
        wanted.add(text)
    own.add("one", "un")
    own.add("two", "")
    own.add("three", "drei", flags=["fuzzy"])
    assert translate.missing(own, wanted) == ["two", "three"]


@pytest.mark.parametrize("text", ["**37**", "N(0, 0.02²)", r" \min_G \max_D $x$ ", "PyTorch", "2"])
def test_what_is_the_same_everywhere_needs_no_translator(text: str) -> None:
    assert not translate.has_words(text)


@pytest.mark.parametrize("text", ["D's loss", "of $x$", "yes", "The toy"])
def test_words_need_one(text: str) -> None:
    assert translate.has_words(text)


def test_what_was_measured_may_be_translated_and_need_not_be() -> None:
    wanted = Catalog()
    wanted.add("fell 2,192 times")
    wanted.add("loss of G")
    assert translate.missing(Catalog("fr"), wanted, "minimax | fell 2,192 times") == ["loss of G"]
