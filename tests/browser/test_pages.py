"""Every page of the site: nothing from elsewhere, no error, and open to everybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_every_page_opens_and_is_accessible(
    browser: Any, site: Path, violations: Callable, subtests: pytest.Subtests
) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 12
    for page in pages:
        with subtests.test(page=str(page.relative_to(site))):
            for theme in ("light", "dark"):
                browser.get(page.as_uri())
                browser.execute_script("document.body.dataset.theme = arguments[0]", theme)
                assert violations(browser) == []
