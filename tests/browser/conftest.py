"""A real browser over the built site, read from disk.

Every test that takes `browser` fails too if its pages asked anything of another machine, or wrote
an error into the console. GANREF_SITE names a site that is built already.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from docs.browser import chromium

ROOT = Path(__file__).parents[2]
AXE = "axe-core@4.14.1"
SECONDS = 600
# What a page may ask for: files of the site, and what it has made itself.
AT_HOME = ("file:", "data:", "blob:", "about:", "chrome:")

Driver = Any  # Selenium's, which need not be there


def once(request: pytest.FixtureRequest, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first of the run's processes makes and the others wait for."""
    if hasattr(request.config, "workerinput"):
        common = request.config._tmp_path_factory.getbasetemp().parent
    else:
        common = request.config._tmp_path_factory.getbasetemp()
    folder = common / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            make(folder)
    return folder


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Path:
    """The site's folder, built once."""
    if "GANREF_SITE" in os.environ:
        return Path(os.environ["GANREF_SITE"]).absolute()
    build = pytest.importorskip("docs.build", reason="the extra `docs` has what builds the site")

    def make(folder: Path) -> None:
        assert build.build(folder) == 0

    return once(request, "site", make)


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """The source of axe-core, from npm's registry."""

    def make(folder: Path) -> None:
        cache = ROOT / "build" / "axe"
        cache.mkdir(parents=True, exist_ok=True)
        archive = cache / (AXE.replace("@", "-") + ".tgz")
        if not archive.exists():
            pack = ["npm", "pack", "--silent", "--pack-destination", str(cache), AXE]
            subprocess.run(pack, check=True, capture_output=True, cwd=cache)
        with tarfile.open(archive) as tar:
            source = tar.extractfile("package/axe.min.js")
            assert source
            folder.mkdir()
            (folder / "axe.min.js").write_bytes(source.read())

    return (once(request, "axe", make) / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """Chromium without a window, 1400 by 900."""
    try:
        chrome = chromium(1400, 900, "disable-background-networking", "hide-scrollbars", logs=True)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    # A busy machine is no reason to give up.
    chrome.command_executor.client_config.timeout = SECONDS
    chrome.set_script_timeout(SECONDS)
    yield chrome
    chrome.quit()


@pytest.fixture
def browser(driver: Driver) -> Iterator[Driver]:
    """The browser, with nothing remembered from another test; what it did is judged after it."""
    wrong(driver)
    driver.set_window_size(1400, 900)
    yield driver
    found = wrong(driver)
    if driver.current_url.startswith("file:"):
        driver.execute_script("localStorage.clear(); sessionStorage.clear()")
    assert not found, found


def wrong(driver: Driver) -> list[str]:
    """What was asked of other machines, and errors in the console, since this was last called."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    errors = [e["message"] for e in driver.get_log("browser") if e["level"] == "SEVERE"]
    return [url for url in asked if not url.startswith(AT_HOME)] + errors


@pytest.fixture
def violations(axe: str) -> Callable[..., list[str]]:
    """What axe-core finds on the page that is open: rule and places. Only `rules` are asked for, or
    all."""

    def check(driver: Driver, *rules: str) -> list[str]:
        driver.execute_script(axe)
        # It would read the stylesheets again, which a browser refuses to a file from disk.
        how: dict[str, Any] = {"preload": False}
        if rules:
            how["runOnly"] = list(rules)
        run = "axe.run(arguments[0]).then(arguments[1])"
        found = driver.execute_async_script(run, how)
        return [
            f"{v['id']}: {node['html'][:200]} {node['failureSummary']}"
            for v in found["violations"]
            for node in v["nodes"]
        ]

    return check
