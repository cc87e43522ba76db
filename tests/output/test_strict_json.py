"""What is written as JSON is JSON for every reader: no NaN, no Infinity, and a word where a figure
is missing."""

import json
from pathlib import Path

import numpy as np
import pytest

from ganref import evaluate, lab
from ganref.data import load
from ganref.labs import Setup, collapse, oscillation, toy, toy_words, vanishing
from ganref.output import strict_json
from ganref.spec import recipe
from ganref.training.run import RunDirectory


def strictly(text: str) -> object:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_what_is_not_finite_is_null_and_all_else_is_as_it_was() -> None:
    value = {"a": [1, 2.5, float("nan")], "b": (float("inf"), "x", None, True), "c": -np.inf}
    expected = {"a": [1, 2.5, None], "b": [None, "x", None, True], "c": None}
    assert strict_json.finite(value) == expected
    assert strictly(strict_json.dumps(value)) == expected
    assert strict_json.dumps({"a": 0.1}, indent=1) == json.dumps({"a": 0.1}, indent=1)


def test_a_row_of_metrics_is_json_whatever_it_holds(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    run.append_metrics({"step": 1, "D_x": float("nan"), "metrics": {"frechet": float("inf")}})
    assert strictly(run.metrics.read_text()) == {
        "step": 1,
        "D_x": None,
        "metrics": {"frechet": None},
    }


@pytest.mark.parametrize("name", lab.LABS)
def test_a_lab_that_finds_infinity_writes_json(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = lab.LABS[name]
    monkeypatch.setattr(module, "run", lambda setup: {"x": float("inf"), "y": [float("nan")]})
    monkeypatch.setattr(module, "finding", lambda figures: "nothing")
    monkeypatch.setattr(module, "draw", lambda path, figures: None)
    assert lab.main([name, "--out", str(tmp_path), "--quiet"]) == 0
    written = strictly((tmp_path / f"{name}.json").read_text())
    assert written["figures"] == {"x": None, "y": [None]}


def test_a_gradient_that_is_gone_altogether_has_words() -> None:
    names = ("minimax", "non_saturating", "margin", "formula_minimax", "formula_non_saturating")
    curves = {name: [1.0, 1.0] for name in (*names, "D_G_z", "D_x")}
    curves["minimax"] = curves["formula_minimax"] = [1.0, 0.0]
    figures = {"steps": 9, "curves": curves, **vanishing.summary(curves)}
    assert figures["holds"] and figures["falls"]["minimax"] is None
    assert strict_json.finite(figures) == figures
    words = vanishing.finding(figures)
    assert "fell to exactly 0" in words and "without bound" in words
    curves["non_saturating"] = [0.0, 0.0]
    both = figures | vanishing.summary(curves)
    assert not both["holds"] and "fell with it" in vanishing.finding(both)


def test_losses_that_are_no_numbers_have_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oscillation, "RATES", (1e30,))
    with np.errstate(all="ignore"):
        rows = oscillation.run_rates(Setup(), 50)
    assert 1 <= rows[0]["diverged"] <= 50
    assert strictly(json.dumps(rows)) == rows
    assert f"no number any more at step {rows[0]['diverged']}" in oscillation._rate_words(rows)


@pytest.mark.parametrize(
    "plain, other, says",
    [
        ([1.0, np.inf], [1.0, 1.0], ["made it diverge", "R1 = 0.1 (1) helped"]),
        ([1.0, 1.0], [1.0, np.inf], ["R1 = 0.1 (without bound) made it worse"]),
        ([1.0, np.inf], [1.0, np.inf], ["made it diverge", "R1 = 0.1 (without bound) changed"]),
        ([np.inf, 1.0], [1.0, 1.0], ["was without bound", "brought it back"]),
    ],
)
def test_a_toy_that_diverges_has_words(
    plain: list[float], other: list[float], says: list[str]
) -> None:
    found = toy.summary({toy.PLAIN: [plain], toy.PENALTY: [other]}, 1)
    assert strict_json.finite(found) == found
    look = {"G_gradient": [0.1, None], "D_x": [0.5, None], "D_contrast": [0.1, None]}
    about = {"usual_epochs": 1, "epochs": 2, "seeds": [0], "data": 0.1, "looks": {toy.PLAIN: look}}
    for phrase in says:
        assert phrase in toy_words.words(about | found)


def test_pictures_leave_out_what_is_null(tmp_path: Path) -> None:
    curve = [[1.0, None, 2.0]]
    rows = toy.summary({toy.PLAIN: [[1.0, np.inf, 2.0]]}, 1)
    found = {"curves": {toy.PLAIN: curve}, "usual_epochs": 1, "epochs": 3, "seeds": [0], "data": 1}
    figures = {"dirac": oscillation.run_dirac(steps=20), "toy": found | rows}
    oscillation.draw(tmp_path / "oscillation.png", figures)
    arms = {collapse.PLAIN: {"course": [[3]]}}
    lost = {"arms": arms, "samples": {collapse.PLAIN: [[None, 1.0]]}, "seeds": [0], "looks": [1]}
    collapse.draw(tmp_path / "collapse.png", lost | {"arms": arms | {"R1": arms[collapse.PLAIN]},
                  "samples": lost["samples"] | {"R1": [[0.0, 1.0]]}})  # fmt: skip


def test_samples_too_far_out_to_be_squared_have_words() -> None:
    ring = recipe("ring")
    samples = np.full((50, 2), 1e200)
    samples[::2] *= -1
    results = evaluate.evaluate_samples(ring, load("ring", ring), samples)
    assert all("samples reach 1e+200" in result.error for result in results)
    assert evaluate.cheap_metrics(ring, load("ring", ring), samples) == {}
    near = evaluate.evaluate_samples(ring, load("ring", ring), samples / 1e140)
    assert strict_json.finite(evaluate.as_json(near)) == json.loads(
        json.dumps(evaluate.as_json(near))
    )
