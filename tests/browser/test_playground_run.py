"""What the playground trains in a real browser: NumPy's numbers, slow motion, drawn data, the
meter, and checkpoints that ganref opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from played import LOSSES, agrees, cases, differences, given
from playground_page import Playground

import ganref
from docs.measure_playground import STEPS, cost
from ganref import sample
from ganref.data.points import modes
from ganref.metrics import distances
from ganref.training import checkpoint


@pytest.fixture
def page(browser: Any) -> Iterator[Playground]:
    opened = Playground(browser)
    yield opened.open()
    opened.forget_size()


# As tests/playground/steps.js has it.
TRAIN = """
const {recipe, layers, weights, X, Z} = arguments[0];
const gan = new ganref.gan.Gan(recipe, layers);
gan.setWeights(weights);
const names = ["loss_D", "loss_G", "D_x", "D_G_z", "D_G_z_after"];
const trace = X.map((x, i) => {
  gan.X.set(x.flat()); gan.Z.set(Z[i].flat()); gan.drawn(); gan.step();
  return names.map((name) => gan[name]);
});
const plain = ([name, t]) => [name, typeof t === "number" ? t : Array.from(t.values)];
return {trace, state: Object.fromEntries(Object.entries(gan.state()).map(plain))};
"""


@pytest.mark.parametrize("recipe", ["gaussian", "collapse"])
def test_125_steps_are_those_of_numpy(page: Playground, recipe: str) -> None:
    """In Chromium, for every tab and loss; the ring of full width, which takes long, in node."""
    found = {}
    for name, case in cases().items():
        if name.startswith(recipe):
            found[name] = differences(page.run(TRAIN, given(case)), case)
    assert len(found) in (17, 4)
    assert not {name: pair for name, pair in found.items() if not agrees(pair, cases()[name])}


def test_the_page_shows_it_to_everybody(page: Playground) -> None:
    page.click("check")
    assert page.run("return ganref.check.difference()") <= LOSSES
    assert "from NumPy's" in page.text("status")


STAGES_D = ["draw_D", "generate", "judge_D", "loss_D", "gradient_D", "move_D"]
STAGES_G = ["generate_G", "judge_G", "loss_G", "gradient_G", "move_G"]


def test_slow_motion_shows_the_stages_of_a_step(page: Playground) -> None:
    """Each with its words; what they do is the step that full speed makes."""
    page.open("slow=1&seed=4&D_updates=2")
    names, words = [], []
    for _ in range(2 * len(STAGES_D) + len(STAGES_G)):
        page.click("step")
        names.append(page.run("return page.stage.now.name"))
        words.append(page.text("caption"))
    assert names == STAGES_D * 2 + STAGES_G
    assert all(words) and "undefined" not in " ".join(words) and "NaN" not in " ".join(words)
    page.click("step")  # the next step's first stage ends this one
    assert page.steps() == 1
    page.open("seed=4&D_updates=2&slow=1").click("step")
    flat = "return page.session.gan.parts().map(([net]) => [...net.flat])"
    page.click("slow")
    slow = page.run(flat)
    page.open("seed=4&D_updates=2").click("step")
    assert page.run(flat) == slow


def test_a_network_alone_is_updated(page: Playground) -> None:
    flat = "return page.session.gan.parts().map(([net]) => [...net.flat])"
    for frozen, other in (("D", 0), ("G", 1)):
        page.open(f"freeze={frozen}")
        before = page.run(flat)
        fakes = page.run(
            "return [1, 2].map(() => (page.session.step(), [...page.session.gan.fake_X]))"
        )
        after = page.run(flat)
        assert before[1 - other] == after[1 - other] and before[other] != after[other]
        assert fakes[0] != fakes[1]  # of new noise, although G may stand still


def test_a_pretrained_start_is_ganref_s(page: Playground) -> None:
    page.open("start=pretrained")
    page.run("page.meter.update(true)")
    assert page.run("return page.meter.found.distance") < 0.6
    page.open("recipe=ring&start=pretrained")
    page.run("page.meter.update(true)")
    assert page.run("return page.meter.found.covered") >= 6


def test_the_meter_of_collapse_is_ganref_s(page: Playground) -> None:
    """On the samples that the page has at that time, and it says it to everybody."""
    page.open("recipe=collapse&seed=2")
    for steps in (0, 100, 200):
        page.run("for (let i = 0; i < arguments[0]; i++) page.session.step()", steps)
        page.run("page.meter.update(true)")
        samples = np.reshape(page.run("return [...page.meter.net.output]"), (-1, 2))
        assert len(samples) == 2500
        wanted = distances.mixture_metrics(samples, *modes("ring"))
        found = page.run("return page.meter.found")
        assert found["covered"] == wanted["modes_covered"]
        assert found["good"] == wanted["high_quality"]
        meter = page.of("meter")
        assert int(meter.get_attribute("aria-valuenow")) == found["covered"]
        assert f"{found['covered']} of 8 modes" in page.text("meter-words")


def test_data_are_drawn_by_hand_and_go_into_the_link(page: Playground) -> None:
    from selenium.webdriver import ActionChains

    page.click("draw")
    plane = page.of("plane")
    stroke = (
        ActionChains(page.browser).move_to_element_with_offset(plane, -120, 60).click_and_hold()
    )
    for _ in range(12):
        stroke.move_by_offset(12, -8)
    stroke.release().perform()
    points = np.array(page.setting("points"))
    assert len(points) > 5 and page.run("return page.session.dataName") == "drawn"
    assert points[0, 0] < points[-1, 0] and points[0, 1] < points[-1, 1]  # up and to the right
    page.run("for (let i = 0; i < 20; i++) page.session.step()")
    page.open(page.address().removeprefix("#"))
    assert np.array_equal(page.setting("points"), points)
    page.click("clear")
    assert page.setting("points") == [] and page.run("return page.session.dataName") == "gaussian"


def test_data_are_drawn_with_the_keyboard_and_a_finger(page: Playground) -> None:
    from selenium.webdriver.common.keys import Keys

    page.press("d", Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_RIGHT, Keys.ENTER)
    points = np.array(page.setting("points"))
    assert len(points) == 6
    assert np.allclose(points.mean(0), [1 + 0.05 * 6.5, 2 + 0.1 * 6.5], atol=0.4)
    page.press(Keys.BACKSPACE)
    assert page.setting("points") == []
    box = page.of("plane").rect
    at = {"x": int(box["x"] + box["width"] / 4), "y": int(box["y"] + box["height"] / 4)}
    touch = "Input.dispatchTouchEvent"
    page.browser.execute_cdp_cmd(touch, {"type": "touchStart", "touchPoints": [at]})
    for i in range(1, 6):
        moved = {"x": at["x"] + 8 * i, "y": at["y"]}
        page.browser.execute_cdp_cmd(touch, {"type": "touchMove", "touchPoints": [moved]})
    page.browser.execute_cdp_cmd(touch, {"type": "touchEnd", "touchPoints": []})
    assert len(page.setting("points")) > 2
    page.press(Keys.ESCAPE)
    assert page.of("draw").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize(
    "address",
    ["tab=mxnet&lr_D=0.00003&eps=1e-9&seed=5", "recipe=collapse&loss=hinge&G_updates=3&freeze=D"],
)
def test_the_weights_are_a_checkpoint_of_ganref(
    page: Playground, tmp_path: Path, address: str
) -> None:
    """The file that a person downloads opens, has the page's recipe and weights, goes on in NumPy
    as the page does, and gives samples."""
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    page.open(address)
    page.run("for (let i = 0; i < 30; i++) page.session.step(); page.player.refresh()")
    page.click("download")
    page.wait("document.getElementById('status').textContent.includes('.safetensors')")
    name = page.run("return `${page.settings.recipe}-step-30.safetensors`")
    page.wait("true")
    for _ in range(100):
        if (tmp_path / name).exists():
            break
        page.browser.execute_async_script("setTimeout(arguments[0], 100)")
    found = checkpoint.load(tmp_path / name)
    recipe = page.run("return page.session.recipe")
    assert (found.step, found.data, found.dtype) == (30, recipe["data"], "float64")
    assert found.recipe.adam_D.eps == recipe["adam_D"]["eps"]
    assert found.recipe.G_updates == recipe["G_updates"] and found.recipe.tab == recipe["tab"]
    state = page.run(
        "return Object.fromEntries(Object.entries(page.session.gan.state())"
        ".map(([n, t]) => [n, t.values ? [...t.values] : t]))"
    )
    for tensor, values in found.state.items():
        assert np.array_equal(values.ravel(), np.ravel(state[tensor])), tensor
    gan = ganref.load_backend("numpy").create(
        found.recipe, ganref.initial_weights(found.recipe), "cpu", "float64"
    )
    gan.load_state(found.state)
    batch = page.run(
        "page.session.draw(); const {gan} = page.session; const X = [...gan.X], Z = [...gan.Z];"
        "gan.step(); return [X, Z, gan.loss_D, gan.loss_G]"
    )
    rows = found.recipe.batch_size
    X, Z = (np.reshape(values, (1, rows, -1)) for values in batch[:2])
    losses = gan.train_steps(X, Z)
    assert np.allclose([losses[0][0], losses[1][0]], batch[2:], rtol=1e-12, atol=0)
    out = tmp_path / "samples.npy"
    assert sample.main([str(tmp_path / name), "--num", "10", "--out", str(out)]) == 0
    assert np.load(out).shape == (10, 2)


def test_full_speed_is_fast_and_pictures_go_on(page: Playground) -> None:
    """20,000 steps in a second of the page's own processor time, whatever else runs here; and both
    steps and pictures while it plays. `docs/measure_playground.py` has the figures by the clock."""
    browser = page.browser
    browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    assert cost(browser, STEPS, 5000) < 1 / 20_000
    page.open("speed=full&play=1")
    page.wait("page.player.drawn > 3 && page.session.steps > 1000", 60)
    page.click("play")
