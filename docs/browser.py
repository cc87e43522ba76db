"""Chromium without a window: for the site's tests, its pictures and what is measured of it."""

from __future__ import annotations

import shutil
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT = 120  # seconds for a page, on a busy machine


def chromium(width: int, height: int, *flags: str, logs: bool = False) -> Any:
    """Selenium's driver of a new one, whose console and requests are logged with `logs`. Raises
    FileNotFoundError, with what installs it, if there is none."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    chromedriver = shutil.which("chromedriver")
    if not program or not chromedriver:
        raise FileNotFoundError("needs a browser: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    usual = "headless=new", "no-sandbox", "disable-dev-shm-usage", f"window-size={width},{height}"
    for flag in (*usual, *flags):
        options.add_argument(f"--{flag}")
    if logs:
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(chromedriver))
    _wait_for_pages(driver)
    return driver


def _wait_for_pages(driver: Any) -> None:
    """Let `driver.get` end when the new page is whole. A page that changes its own address, as ours
    do to be shared, leaves the driver in the belief that the next one is there at once."""
    from selenium.webdriver.support.ui import WebDriverWait

    go = driver.get

    def get(url: str) -> None:
        if driver.current_url.partition("#")[0] == url.partition("#")[0]:
            go(url)  # another place of the same page, which stays
            return
        driver.execute_script("window.left = true")
        go(url)
        whole = "return !window.left && document.readyState === 'complete'"
        WebDriverWait(driver, WAIT).until(lambda d: d.execute_script(whole))

    driver.get = get
