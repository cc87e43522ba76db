"""How fast the playground is in this machine's Chromium: steps and pictures a second at full speed.

python -m docs.measure_playground [--seconds 5] [--runs 3]

Chromium runs without a window and without a GPU, so that its pictures are drawn by the processor
too. The machine's load is said, since what else runs takes its share of both. What it cannot touch
is the page's own processor time, for a step and for a picture.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from docs.browser import chromium

PAGE = Path(__file__).parent / "playground" / "index.html"
RECIPES = ("gaussian", "collapse", "ring")
STEPS = "const {session} = ganref.page; for (let i = 0; i < arguments[0]; i++) session.step();"
# A picture with a new heat map, as a frame draws it.
PICTURES = "for (let i = 0; i < arguments[0]; i++) ganref.page.player.picture();"
COUNTS = "return [ganref.page.session.steps, ganref.page.player.drawn, performance.now()]"


def processor(browser: Any) -> float:
    """Seconds of processor time that the page's thread has had."""
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(m["value"] for m in metrics if m["name"] == "ThreadTime")


def cost(browser: Any, script: str, count: int) -> float:
    """Seconds of processor time for one of so many."""
    browser.execute_script(script, count)  # what is compiled on use is compiled
    before = processor(browser)
    browser.execute_script(script, count)
    return (processor(browser) - before) / count


def measure(browser: Any, recipe: str, seconds: float) -> str:
    """A line with the figures of a recipe."""
    browser.get("about:blank")
    browser.get(f"{PAGE.as_uri()}#recipe={recipe}&speed=full")
    browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    step = cost(browser, STEPS, 20_000 if recipe == "gaussian" else 30)
    picture = cost(browser, PICTURES, 20)
    browser.execute_script("ganref.page.actions.play()")
    time.sleep(1)
    before = browser.execute_script(COUNTS)
    time.sleep(seconds)
    after = browser.execute_script(COUNTS)
    browser.execute_script("ganref.page.actions.play()")
    steps, pictures, ms = (b - a for a, b in zip(before, after, strict=True))
    return (
        f"{recipe:<9} {1000 * steps / ms:>8,.0f} steps/s beside {1000 * pictures / ms:4.1f} "
        "pictures/s;"
        f" of processor time a step takes {1e6 * step:,.1f} µs, a picture {1e3 * picture:.1f} ms;"
        f" load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def main() -> None:
    """Print a line for each recipe and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--recipes", nargs="*", default=RECIPES, choices=RECIPES)
    args = parser.parse_args()
    browser = chromium(1280, 800)
    try:
        for recipe in args.recipes:
            for _ in range(args.runs):
                print(measure(browser, recipe, args.seconds), flush=True)
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
