"""The playground's page, as a person has it before them, for the tests that drive it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs" / "playground" / "index.html").as_uri()
Driver = Any


class Playground:
    """The page, as a person has it before them."""

    def __init__(self, browser: Driver) -> None:
        self.browser = browser
        browser.set_script_timeout(
            300
        )  # seconds: on a busy machine 125 steps of the ring take some

    def open(self, address: str = "", query: str = "") -> Playground:
        self.browser.get("about:blank")  # otherwise another fragment would not load the page anew
        self.browser.get(f"{PAGE}{query}" + (f"#{address}" if address else ""))
        return self

    def run(self, script: str, *args: Any) -> Any:
        return self.browser.execute_script(f"const page = window.ganref?.page; {script}", *args)

    def steps(self) -> int:
        return self.run("return page.session.steps")

    def setting(self, name: str) -> Any:
        return self.run("return page.settings[arguments[0]]", name)

    def address(self) -> str:
        return self.browser.execute_script("return location.hash")

    def text(self, name: str) -> str:
        return self.of(name).text

    def of(self, name: str) -> Any:
        return self.browser.find_element("id", name)

    def click(self, name: str) -> None:
        self.of(name).click()

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def wait(self, script: str, seconds: float = 20) -> Any:
        """What the expression gives once it is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, seconds).until(lambda _: self.run(f"return {script}"))

    def violations(self, axe: str) -> list[str]:
        """What axe-core finds. It is not to load style sheets again: a page on disk may not."""
        self.browser.execute_script(axe)
        run = "axe.run(document, {preload: false}).then(arguments[0])"
        found = self.browser.execute_async_script(run)["violations"]
        return [
            f"{v['id']}: {n['html'][:200]} {n['failureSummary']}" for v in found for n in v["nodes"]
        ]

    def size(self, width: int, height: int, theme: str = "light") -> None:
        """A window of that size inside, on a system of that theme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        wish = [{"name": "prefers-color-scheme", "value": theme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wish})

    def forget_size(self) -> None:
        """The window and the system as they were."""
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
