"""Every page of the site: nothing from elsewhere, no error, and open to everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _settled(browser: Any, page: Path, theme: str) -> None:
    """Open a page in a theme, and wait for no transition of colours."""
    browser.get(page.as_uri())
    browser.execute_script(
        "document.body.dataset.theme = arguments[0];"
        "document.head.append(Object.assign(document.createElement('style'),"
        "{textContent: '* { transition: none !important }'}))",
        theme,
    )


def test_every_page_opens_and_is_accessible(
    browser: Any, site: Path, violations: Callable, subtests: pytest.Subtests
) -> None:
    """All rules in the light theme, and those of colours in the dark one."""
    pages = [p for p in sorted(site.rglob("*.html")) if "playground" not in p.parts]
    # Of six that are made the same way, of a thousand pieces each, one will do.
    pages = [p for p in pages if "side-by-side" not in p.stem or p.stem.startswith("gaussian")]
    assert len(pages) > 30
    for page in pages:
        with subtests.test(page=str(page.relative_to(site))):
            _settled(browser, page, "light")
            assert violations(browser) == []
            browser.execute_script("document.body.dataset.theme = 'dark'")
            assert violations(browser, "color-contrast") == []


@pytest.mark.parametrize("width", [400, 1024, 1400])
def test_no_page_is_wider_than_the_screen(browser: Any, site: Path, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 768, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    try:
        for page in ("index", "recipes/dcgan", "recipes/ebgan-side-by-side", "api", "defaults"):
            browser.get((site / f"{page}.html").as_uri())
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, page
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_other_language_is_one_link_away(browser: Any, site: Path) -> None:
    for page in ("index.html", "recipes/gaussian.html"):
        browser.get((site / page).as_uri())
        for language, folder in (("fr", "fr/"), ("en", "")):
            browser.find_element("css selector", ".language a").click()
            assert browser.current_url == (site / f"{folder}{page}").as_uri()
            html = browser.find_element("css selector", "html")
            assert html.get_attribute("lang") == language


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    """The French pages' to the English ones too; anchors included."""
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    for page, text in pages.items():
        for link in re.findall(r'<a [^>]*href="([^"]+)"', text):
            path, _, anchor = link.partition("#")
            if re.match(r"\w+:", link):
                continue
            target = (page.parent / path.partition("?")[0]).resolve() if path else page
            assert target.is_file(), f"{page.relative_to(site)}: {link}"
            if anchor and target.suffix == ".html":
                assert f'id="{anchor}"' in pages[target], f"{page.relative_to(site)}: {link}"


def test_nothing_in_a_page_is_from_elsewhere(site: Path) -> None:
    """Scripts, styles, pictures and fonts; a link may lead out."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for address in re.findall(r'(?:src|<link[^>]+href)="([^"]+)"', text):
            assert not re.match(r"(https?:)?//", address), f"{page}: {address}"
