"""The side-by-side view: any two frameworks, line by line, with what differs marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ganref import page

PAGE = "recipes/gaussian-side-by-side.html"
# The text of the lines on a side, top to bottom, with what is marked.
LINES = """
const side = arguments[0];
return [...document.querySelectorAll('.pair:not([hidden])')].flatMap(pair => {
  const swapped = pair.classList.contains('swapped');
  return [...pair.children].filter((_, i) => i % 2 === (swapped ? 1 - side : side))
    .filter(line => !line.classList.contains('none'))
    .map(line => [line.textContent.trim(), line.className, line.querySelectorAll('mark').length,
                  line.getBoundingClientRect().left, line.getBoundingClientRect().top]);
});
"""


def _open(browser: Any, site: Path, query: str = "", at: str = PAGE) -> None:
    browser.get((site / at).as_uri() + query)


def _sides(browser: Any) -> list[list[Any]]:
    return [browser.execute_script(LINES, side) for side in (0, 1)]


def _select(browser: Any, side: str, framework: str) -> None:
    from selenium.webdriver.support.select import Select

    Select(browser.find_element("css selector", f"[data-side={side}]")).select_by_value(framework)


def _code(name: str) -> list[str]:
    """The lines of code of a page, as it lies in the tree."""
    text = page.resources.files("ganref.pages").joinpath(f"{name}.py").read_text()
    parts = text.split("\n# %%\n")[1:]
    return [line.strip() for p in parts for line in p.split("\n# %%")[0].strip().splitlines()]


@pytest.mark.parametrize("left, right", [("torch", "tf"), ("mxnet", "numpy"), ("jax", "mxnet")])
def test_both_columns_are_the_tested_files(browser: Any, site: Path, left: str, right: str) -> None:
    _open(browser, site, f"?left={left}&right={right}")
    found = _sides(browser)
    for lines, framework in zip(found, (left, right), strict=True):
        assert [line[0] for line in lines] == _code(f"gaussian_{framework}")
    assert max(line[3] for line in found[0]) < min(line[3] for line in found[1])


def test_lines_that_differ_are_marked(browser: Any, site: Path) -> None:
    _open(browser, site, "?left=torch&right=tf")
    for lines in _sides(browser):
        kinds = {kind: [x for x in lines if kind in x[1]] for kind in ("same", "changed", "alone")}
        assert all(kinds.values())
        assert not any(x[2] for x in kinds["same"])
        assert sum(x[2] > 0 for x in kinds["changed"]) > 0.8 * len(kinds["changed"])
    left, right = ({x[0]: x[4] for x in lines} for lines in _sides(browser))
    assert left["def discriminator():"] == right["def discriminator():"]


def test_a_choice_is_remembered_and_both_sides_cannot_be_one(browser: Any, site: Path) -> None:
    _open(browser, site)
    _select(browser, "left", "mxnet")
    _open(browser, site, at="recipes/dcgan-side-by-side.html")
    value = "return document.querySelector(`[data-side=${arguments[0]}]`).value"
    assert browser.execute_script(value, "left") == "mxnet"
    _select(browser, "right", "mxnet")
    assert browser.execute_script(value, "left") != "mxnet"
    assert browser.execute_script(value, "right") == "mxnet"


def test_sides_can_be_swapped(browser: Any, site: Path) -> None:
    _open(browser, site, "?left=torch&right=tf")
    before = _sides(browser)
    browser.find_element("css selector", "[data-swap]").click()
    after = _sides(browser)
    assert [[x[0] for x in side] for side in after] == [
        [x[0] for x in side] for side in before[::-1]
    ]


def test_a_narrow_screen_has_one_column(browser: Any, site: Path) -> None:
    browser.set_window_size(500, 900)
    _open(browser, site, "?left=torch&right=tf")
    changed = [x for side in _sides(browser) for x in side if "changed" in x[1]]
    assert len({x[3] for x in changed}) == 1
