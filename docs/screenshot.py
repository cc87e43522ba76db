"""python -m docs.screenshot: docs/images/side-by-side.png, from the site in build/site."""

from __future__ import annotations

import base64
from pathlib import Path

from docs.browser import chromium
from docs.build import SITE

PICTURE = Path(__file__).parent / "images" / "side-by-side.png"
PAGE = SITE / "recipes" / "gaussian-side-by-side.html"
FIRST, LAST = "discriminator", "initialisation"
# What surrounds the cells is left out.
ALONE = """
document.body.dataset.theme = 'light';
const around = '.sidebar-drawer, .headerlink, .content-icon-container, form.sides';
for (const part of document.querySelectorAll(around)) part.style.display = 'none';
const top = document.getElementById(arguments[0]).getBoundingClientRect().top + scrollY;
const end = document.getElementById(arguments[1]).getBoundingClientRect().bottom + scrollY;
return [top, end];
"""


def main() -> None:
    """Draw it."""
    driver = chromium(1180, 900, "hide-scrollbars")
    try:
        driver.get(f"{PAGE.as_uri()}?left=torch&right=tf")
        top, end = driver.execute_script(ALONE, FIRST, LAST)
        clip = {"x": 0, "y": top - 4, "width": 1180, "height": end - top + 8, "scale": 1}
        how = {"captureBeyondViewport": True, "clip": clip}
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", how)
        PICTURE.write_bytes(base64.b64decode(shot["data"]))
    finally:
        driver.quit()
    print(PICTURE)


if __name__ == "__main__":
    main()
