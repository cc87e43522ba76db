"""How fast the playground is in this machine's Chromium: steps and pictures a second at full speed.

python -m docs.measure_playground [--seconds 5] [--runs 3]

Chromium runs without a window and without a GPU, so that its pictures are drawn by the processor too.
Both numbers are those that the page itself counts and shows. What else runs on the machine is said,
since it takes its share of both.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "playground" / "index.html"
RECIPES = ("gaussian", "collapse", "ring")
# Counted by the page's own frames; the time that steps alone take tells what a frame costs.
STEPS_ALONE = """
const {session} = ganref.page, until = performance.now() + 1000 * arguments[0];
let steps = 0;
for (; performance.now() < until; steps++) session.step();
return steps / arguments[0];
"""


def chromium(width: int = 1280, height: int = 800) -> Any:
    """A Chromium without a window. Raises SystemExit if there is none."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        raise SystemExit(
            "needs chromium and chromedriver: apt-get install chromium chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        f"window-size={width},{height}",
    ):
        options.add_argument(f"--{flag}")
    return webdriver.Chrome(options, Service(driver))


def measure(browser: Any, recipe: str, seconds: float) -> tuple[float, float, float]:
    """(steps a second beside pictures, pictures a second, steps a second without pictures)."""
    browser.get("about:blank")
    browser.get(f"{PAGE.as_uri()}#recipe={recipe}&speed=full")
    alone = browser.execute_script(STEPS_ALONE, min(seconds, 2))
    browser.execute_script("ganref.page.actions.play()")
    time.sleep(1.5)  # what is compiled on use is compiled
    count = "return [ganref.page.session.steps, ganref.page.player.drawn, performance.now()]"
    before = browser.execute_script(count)
    time.sleep(seconds)
    after = browser.execute_script(count)
    browser.execute_script("ganref.page.actions.play()")
    steps, pictures, ms = (b - a for a, b in zip(before, after, strict=True))
    return 1000 * steps / ms, 1000 * pictures / ms, alone


def main() -> None:
    """Print a line for each recipe and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--recipes", nargs="*", default=RECIPES, choices=RECIPES)
    args = parser.parse_args()
    browser = chromium()
    try:
        for recipe in args.recipes:
            for _ in range(args.runs):
                steps, pictures, alone = measure(browser, recipe, args.seconds)
                load = os.getloadavg()[0]
                print(
                    f"{recipe:<9} {steps:>9,.0f} steps/s beside {pictures:4.1f} pictures/s,"
                    f" {alone:>9,.0f} steps/s alone, load {load:.1f} on {os.cpu_count()} cores",
                    flush=True,
                )
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
