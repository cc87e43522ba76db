"""The playground in a real browser: its controls, keys and addresses, and what it looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playground_page import Playground


@pytest.fixture
def page(browser: Any) -> Iterator[Playground]:
    opened = Playground(browser)
    yield opened.open()
    opened.forget_size()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(1440, 900), (1024, 768), (360, 740)])
def test_everybody_can_use_it(
    page: Playground, axe: str, theme: str, width: int, height: int
) -> None:
    """axe-core finds nothing, nothing is wider than the window, and in a wide one nothing has to be
    scrolled but the settings."""
    page.size(width, height, theme)
    page.open("recipe=collapse&slow=1", "?lang=fr")
    for _ in range(4):
        page.click("step")
    assert page.run("return document.documentElement.dataset.theme") == theme
    assert not page.violations(axe)
    over = page.run(
        "const root = document.documentElement, side = document.getElementById('side');"
        "return [root.scrollWidth - innerWidth, root.scrollHeight - innerHeight,"
        " side.scrollHeight - side.clientHeight]"
    )
    assert over[0] <= 0
    if width > 860:
        assert over[1:] == [0, 0]
        assert (
            page.run("const box = page.plane.canvas; return box.clientHeight") > 0.6 * height - 20
        )
    page.click("help")
    assert not page.violations(axe)
    page.click("close")


def test_play_pause_step_and_reset(page: Playground) -> None:
    assert page.steps() == 0
    page.click("step")
    assert page.steps() == 1 and page.text("steps") == "1"
    page.click("play")
    page.wait("page.session.steps > 20")
    assert page.text("play") == "Pause"
    page.click("play")
    stood = page.steps()
    page.run("return new Promise(done => setTimeout(done, 200))")
    assert page.steps() == stood and page.text("play") == "Play"
    assert "Paused at step" in page.text("status")
    page.click("reset")
    assert page.steps() == 0


CHANGES = {
    "lr_D": 0.02, "lr_G": 0.1, "D_updates": 5, "G_updates": 2, "batch_size": 32, "beta1": 0.5,
    "beta2": 0.99, "eps": 1e-4, "real_label": 0.9,
}  # fmt: skip


def test_every_slider_is_a_number_of_the_recipe(page: Playground) -> None:
    """What a slider says goes into the setting, the address and the optimisers."""
    page.size(1440, 900)
    for name, value in CHANGES.items():
        page.run(
            "const input = document.getElementById(arguments[0]);"
            "input.value = [...Array(Number(input.max) + 1).keys()].find((i) => {"
            " input.value = i; input.dispatchEvent(new Event('input'));"
            " return page.settings[arguments[0]] === arguments[1]; });",
            name,
            value,
        )
        assert page.setting(name) == value
        shown = page.run("return document.getElementById(arguments[0]).ariaValueText", name)
        assert float(shown) == value
    recipe = page.run("return page.session.recipe")
    for adam, lr in (("adam_D", 0.02), ("adam_G", 0.1)):
        assert recipe[adam] | {"lr": lr, "beta1": 0.5, "beta2": 0.99, "eps": 1e-4} == recipe[adam]
    assert recipe["batch_size"] == 32 and recipe["loss"]["real_label"] == 0.9
    page.click("step")
    counts = page.run("return page.session.gan.parts().map(([, adam]) => adam.steps)")
    assert counts == [2, 5]
    page.click("usual")
    assert page.setting("lr_D") == 0.05 and page.address() == ""


def test_every_choice_is_in_the_address_and_back(page: Playground) -> None:
    from selenium.webdriver.support.ui import Select

    for name, value in {"tab": "tensorflow", "loss": "hinge", "freeze": "G", "start": "pretrained",
                        "speed": "25"}.items():  # fmt: skip
        Select(page.of(name)).select_by_value(value)
        assert page.setting(name) == value and f"{name}={value}" in page.address()
    assert page.setting("eps") == 1e-7  # the tab's own
    page.click("slow")
    page.browser.find_element("css selector", "[data-layer=arrows]").click()
    page.run(
        "const seed = document.getElementById('seed'); seed.value = 12;"
        "seed.dispatchEvent(new Event('change'))"
    )
    link = page.address()
    setting = page.run("return page.settings")
    page.run("for (let i = 0; i < 5; i++) page.session.step()")
    there = page.run("return [...page.session.gan.net_D.flat]")
    page.open(link.removeprefix("#"))
    assert page.run("return page.settings") == setting and page.address() == link
    page.run("for (let i = 0; i < 5; i++) page.session.step()")
    assert page.run("return [...page.session.gan.net_D.flat]") == there


def test_an_address_that_makes_no_sense_is_the_recipe(page: Playground) -> None:
    usual = page.run("return page.settings")
    page.open("lr_D=-1&eps=x&tab=keras&seed=1.5&points=%3Cb%3E&batch_size=1e9&recipe=constructor")
    assert page.run("return page.settings") == usual


def test_a_link_that_plays_does(page: Playground) -> None:
    page.open("play=1")
    page.wait("page.session.steps > 3")


def test_the_keyboard_does_everything(page: Playground) -> None:
    from selenium.webdriver.common.keys import Keys

    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.steps() == 2
    page.press(" ")
    page.wait("page.player.playing && page.session.steps > 4")
    page.press(" ")
    assert not page.run("return page.player.playing")
    page.press("r")
    assert page.steps() == 0
    page.press("s", Keys.ARROW_RIGHT)
    assert page.run("return page.stage.now.name") == "draw_D" and page.steps() == 0
    page.press("s", "h", "a", "f")
    assert not page.setting("slow") and page.setting("hide") == "heat,arrows"
    assert page.setting("speed") == "full" and page.steps() == 1  # the step was ended
    dark = page.run("return document.documentElement.dataset.theme") == "dark"
    page.press("t")
    assert page.run("return document.documentElement.dataset.theme") == (
        "light" if dark else "dark"
    )
    page.press("l")
    assert (
        page.text("play") == "Lancer" and page.run("return document.documentElement.lang") == "fr"
    )
    page.press("?")
    assert page.run("return document.getElementById('keys').open")
    page.press(Keys.ESCAPE, "l")
    # A slider that is in use keeps its arrows; letters and digits in the seed are the seed's.
    page.run("document.getElementById('lr_D').focus()")
    before = page.steps()
    page.press(Keys.ARROW_RIGHT)
    assert page.setting("lr_D") == 0.1 and page.steps() == before
    page.run("const seed = document.getElementById('seed'); seed.focus(); seed.select()")
    page.press("7", Keys.TAB)
    assert page.setting("seed") == 7


def test_tabbing_reaches_every_control(page: Playground) -> None:
    from selenium.webdriver.common.keys import Keys

    page.run("document.body.focus()")
    seen = set()
    for _ in range(60):
        page.press(Keys.TAB)
        seen.add(
            page.run(
                "return document.activeElement.id || document.activeElement.dataset.layer || ''"
            )
        )
    wanted = page.run(
        "return [...document.querySelectorAll('main button, main select, main input')]"
        ".filter((el) => el.checkVisibility() && !el.disabled)"
        ".map((el) => el.id || el.dataset.layer)"
    )
    assert set(wanted) <= seen
    page.run("document.getElementById('step').focus()")
    page.press(Keys.TAB)
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_other_recipes_have_their_own_numbers(page: Playground) -> None:
    page.click("recipe-collapse")
    assert page.setting("lr_D") == 0.01 and page.setting("batch_size") == 64
    assert page.of("tab").get_attribute("disabled") and "ganref's own" in page.text("tab-note")
    page.click("recipe-ring")
    assert page.run("return page.session.gan.net_D.flat.length") == 17025
    page.click("recipe-gaussian")
    assert page.address() == ""


def test_what_has_diverged_says_so_and_stops(page: Playground) -> None:
    page.open(
        "recipe=collapse&lr_D=10&lr_G=10&loss=least-squares&beta2=0&beta1=0.99&play=1&speed=full"
    )
    page.run("page.session.gan.net_D.flat.fill(1e200)")
    page.wait("!page.player.playing")
    assert "no longer finite" in page.text("status")
