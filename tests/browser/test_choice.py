"""Choosing a framework in one place chooses it everywhere, and it is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SHOWN = """
return [...document.querySelectorAll('.sd-tab-set')].map(set =>
  set.querySelector('input:checked + label').dataset.syncId)
"""


def _open(browser: Any, site: Path, page: str, query: str = "") -> None:
    browser.get((site / page).as_uri() + query)


def _choose(browser: Any, framework: str, number: int = 0) -> None:
    """Click the tab of a framework in one of the page's sets."""
    label = f".sd-tab-label[data-sync-id={framework}]"
    browser.execute_script(
        "document.querySelectorAll(arguments[0])[arguments[1]].click()", label, number
    )


def test_all_tabs_of_a_page_follow_one(browser: Any, site: Path) -> None:
    _open(browser, site, "recipes/gaussian.html")
    first = browser.execute_script(SHOWN)
    assert set(first) == {"torch"} and len(first) == 15
    _choose(browser, "mxnet", number=9)
    assert set(browser.execute_script(SHOWN)) == {"mxnet"}
    assert "from mxnet import" in browser.find_element("css selector", "#imports").text


def test_the_choice_is_remembered_on_another_page(browser: Any, site: Path) -> None:
    _open(browser, site, "recipes/gaussian.html")
    _choose(browser, "tf")
    for page in ("recipes/dcgan.html", "recipes/ebgan.html", "fr/recipes/gaussian.html"):
        _open(browser, site, page)
        assert set(browser.execute_script(SHOWN)) == {"tf"}, page


def test_a_link_can_name_the_framework(browser: Any, site: Path) -> None:
    _open(browser, site, "recipes/mlp.html", "?framework=mxnet")
    assert set(browser.execute_script(SHOWN)) == {"mxnet"}


def test_a_framework_without_that_page_leaves_what_was_open(browser: Any, site: Path) -> None:
    """NumPy has the toy alone."""
    _open(browser, site, "recipes/gaussian.html")
    _choose(browser, "numpy")
    _open(browser, site, "recipes/dcgan.html")
    assert set(browser.execute_script(SHOWN)) == {"torch"}


def test_tabs_can_be_chosen_by_keyboard(browser: Any, site: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    _open(browser, site, "recipes/gaussian.html")
    chosen = browser.find_element("css selector", ".sd-tab-set input:checked")
    chosen.send_keys(Keys.ARROW_RIGHT)
    assert set(browser.execute_script(SHOWN)) == {"tf"}
