"""The lab: what it finds, that its words follow from its figures, and its command line."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
from told import TOLD

import ganref
from ganref import lab
from ganref.labs import (
    Setup,
    collapse,
    dirac,
    fresh_state,
    losses,
    oscillation,
    toy,
    toy_words,
    vanishing,
)  # fmt: skip
from ganref.spec import UserError
from ganref.training import detectors

# The vanishing gradient.


@pytest.fixture(scope="module")
def vanished() -> dict:
    return vanishing.run(Setup())


def test_minimax_vanishes_alone(vanished: dict) -> None:
    falls = vanished["falls"]
    assert vanished["holds"]
    assert falls["minimax"] >= 100
    assert falls["non_saturating"] < 2 and falls["margin"] < 10
    assert vanished["curves"]["D_G_z"][-1] < 1e-3


def test_the_measured_ratio_is_the_formulas(vanished: dict) -> None:
    """At each look the two gradients differ by D / (1 - D), but for how z weighs in."""
    curves = {name: np.array(values) for name, values in vanished["curves"].items()}
    measured = curves["minimax"] / curves["non_saturating"]
    formula = curves["formula_minimax"] / curves["formula_non_saturating"]
    assert np.abs(np.log(measured / formula)).max() < math.log(5)
    np.testing.assert_allclose(curves["formula_minimax"], curves["D_G_z"], rtol=1e-12)


def test_vanishing_is_the_same_on_every_backend(backend: str) -> None:
    expected, found = (vanishing.run(Setup(b, dtype="float64"), 4) for b in ("numpy", backend))
    for name, values in expected["curves"].items():
        np.testing.assert_allclose(found["curves"][name], values, rtol=1e-9, err_msg=name)


def test_the_words_on_vanishing_follow_the_figures(vanished: dict) -> None:
    assert "starves the minimax loss alone" in vanishing.finding(vanished)
    curves = copy.deepcopy(vanished["curves"])
    curves["minimax"] = [1.0] * len(curves["minimax"])
    flat = vanished | {"curves": curves} | vanishing.summary(curves)
    assert not flat["holds"] and "not grow" in vanishing.finding(flat)
    curves = copy.deepcopy(vanished["curves"])
    curves["non_saturating"] = curves["minimax"]
    both = vanished | {"curves": curves} | vanishing.summary(curves)
    assert not both["holds"] and "fell with it" in vanishing.finding(both)


# The collapse.


@pytest.mark.parametrize("backend", sorted({"numpy", "tf"} & set(TOLD)))
def test_plain_collapses_and_remedies_cover(backend: str) -> None:
    """Of the ten seeds two on NumPy, and half of one on the fastest; the whole lab is for people,
    and that a step is the same everywhere is the parity tests' matter."""
    oracle = backend == "numpy"
    figures = collapse.run(Setup(backend), 2 if oracle else 1, collapse.STEPS if oracle else 1500)
    rows = figures["summary"]
    assert rows[collapse.PLAIN]["range"][1] < 8
    assert rows["R1 = 0.1"]["range"][0] == 8
    assert rows["5 updates of G"]["mean"] > rows[collapse.PLAIN]["mean"] + 2
    assert figures["holds"] and "R1 = 0.1" in figures["works"]
    assert rows["R1 = 0.1"]["noticed"] == 0
    if oracle:  # both seeds on one processor, one on another: rounding decides where a mode goes
        assert rows[collapse.PLAIN]["noticed"] >= 1


def arms(**modes: list[int]) -> dict:
    names = {"plain": collapse.PLAIN, "r1": "R1 = 0.1"}
    filled = {
        names[key]: {
            "modes": found, "high_quality": [0.5] * len(found), "mode_kl": [0.1] * len(found),
            "noticed": [None] * len(found),
        }
        for key, found in modes.items()
    }  # fmt: skip
    about = {"seeds": list(range(10)), "steps": 3000, "code": 16}
    return about | {"arms": filled} | collapse.summary(filled)


def test_the_words_on_collapse_follow_the_figures() -> None:
    cured = arms(plain=[3] * 5 + [8] * 5, r1=[8] * 9 + [7])
    assert cured["holds"] and "R1 = 0.1 covers all 8" in collapse.finding(cured)
    partly = arms(plain=[3] * 10, r1=[8] * 8 + [7] * 2)
    assert not partly["holds"]
    assert "No remedy" in collapse.finding(partly) and "not reliable" in collapse.finding(partly)
    healthy = arms(plain=[3] * 4 + [8] * 6, r1=[8] * 10)
    assert not healthy["holds"] and "did not collapse" in collapse.finding(healthy)
    assert "at least 9 of 10 seeds" in collapse.finding(cured)
    few = arms(plain=[3] * 3, r1=[8] * 3) | {"seeds": [0, 1, 2]}
    assert "covers all 8 in all of 3 seeds" in collapse.finding(few)
    assert "the detector noticed a collapse in 0" in collapse.finding(few)
    assert "the detector has not looked yet" in collapse.finding(few | {"steps": 1500})
    assert "no gradient" in collapse.finding(cured | {"code": 1})
    assert "no gradient" not in collapse.finding(cured)


def test_samples_that_are_not_finite_cover_nothing() -> None:
    found = collapse.judge(np.full((10, 2), np.nan))
    assert found["modes_covered"] == 0 and found["high_quality"] == 0


# The losses side by side.


@pytest.fixture(scope="module")
def compared() -> dict:
    return losses.run(Setup(), seeds=2, steps=100, held=150)


def test_every_loss_is_asked_the_same(compared: dict) -> None:
    rows = compared["summary"]
    assert list(rows) == list(losses.recipes()) == list(compared["arms"])
    for name, arm in compared["arms"].items():
        assert [len(values) for values in arm.values()] == [2] * 4, name
    # Minimax starves and the non-saturating loss does not, as in the lab that follows them.
    assert rows["minimax"]["fall"] > 100 * rows["non-saturating"]["fall"]
    # Clipping makes D flat at once; the gradient penalty makes it as steep as 1.
    assert "wasserstein" in compared["starved"] and rows["wasserstein-gp"]["fall"] < 1
    games = losses.recipes()
    spectral = games.pop("hinge, spectral")
    assert {game.networks for game in games.values()} == {games["hinge"].networks}
    assert spectral.spectral and spectral.replace(spectral=False) == games["hinge"]


def test_the_uncertainty_is_that_of_the_seeds() -> None:
    arm = {"fall": [2.0, 8.0, None, 200.0], "modes": [8, 8, 6, 8], "high_quality": [0.5] * 4}
    found = losses.summary({"one": arm | {"seconds": [1.0, 2.0, 3.0, 4.0]}})
    row = found["summary"]["one"]
    assert (row["modes"], row["all"], row["gone"]) == (7.5, 3, 2)
    assert row["modes_error"] == pytest.approx(0.5)
    assert row["fall"] == pytest.approx(3200 ** (1 / 3))
    assert row["seconds_error"] == pytest.approx(np.sqrt(5 / 3) / 2)
    # Wilson's interval of 3 in 4, as tables have it.
    assert row["all_interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)
    assert found["starved"] == [] and losses.interval(0, 10)[0] == 0


def test_the_words_on_the_losses_follow_the_figures(compared: dict) -> None:
    words = losses.finding(compared)
    rows = copy.deepcopy(compared["summary"])
    for name, row in rows.items():
        assert f"{name} {row['modes']:.1f} ± {row['modes_error']:.1f} ({row['all']};" in words
    assert "wasserstein" in words.split("was left under")[1].split(".")[0]
    rows["hinge"]["fall"] = None
    changed = losses.finding(compared | {"summary": rows, "starved": [], "best": ["hinge"]})
    assert "fell to exactly 0 under hinge" in changed and "left under none." in changed
    assert changed.endswith("Most modes had hinge.")


# The oscillation.


def test_simultaneous_steps_grow_by_the_closed_form() -> None:
    path = dirac.descend(0.1, 2000)
    norms = dirac.norms(path)
    assert (np.diff(norms) >= 0).all() and norms[-1] > 3
    np.testing.assert_allclose(norms, dirac.predicted_norms(path, 0.1), rtol=1e-12)


def test_continuous_time_keeps_its_distance_and_turns_as_it_should() -> None:
    path = dirac.flow(200.0, 4000)
    np.testing.assert_allclose(dirac.norms(path), 1, atol=1e-6)
    # Near the equilibrium it turns by 1/2 per unit of time.
    near = dirac.flow(8 * np.pi, 2000, (1e-3, 0.0))
    assert dirac.turns(near) == pytest.approx(2, abs=1e-3)


def test_alternating_steps_neither_grow_nor_shrink() -> None:
    norms = dirac.norms(dirac.descend(0.1, 20_000, alternating=True))
    assert norms.min() > 0.9 and norms.max() < 1.1
    assert dirac.alternating_modulus(0.1) == pytest.approx(1, abs=1e-12)
    assert dirac.alternating_modulus(4.5) > 1


@pytest.mark.parametrize("r1", [0.3, 0.6, 2.0])
def test_the_penalty_shrinks_by_the_eigenvalue(r1: float) -> None:
    norms = dirac.norms(dirac.descend(0.1, 1500, r1=r1, start=(1e-3, 0.0)))
    rate = (norms[1500] / norms[500]) ** (1 / 1000)
    assert rate == pytest.approx(dirac.shrinkage(0.1, r1), abs=1e-3) and rate < 1


def test_the_dirac_gan_is_the_losses_own() -> None:
    """Its derivatives against differences of log(1 + exp(psi · theta))."""
    theta, psi, h = 0.7, -0.4, 1e-6

    def value(t: float, p: float) -> float:
        return float(np.log1p(np.exp(t * p)))

    d_theta, d_psi = dirac.gradients(theta, psi, r1=0.5)
    up = (value(theta + h, psi) - value(theta - h, psi)) / (2 * h)
    assert d_theta == pytest.approx(-up, rel=1e-6)  # G raises what D lowers
    down = (value(theta, psi + h) - value(theta, psi - h)) / (2 * h)
    assert d_psi == pytest.approx(down + 0.5 * psi, rel=1e-6)


@pytest.fixture(scope="module")
def oscillated() -> dict:
    return oscillation.run(Setup(), epochs=40, seeds=1)


def test_the_toy_is_followed_exactly(oscillated: dict, backend: str) -> None:
    found = toy.run(Setup(backend), epochs=3, seeds=1)
    for name, curve in found["curves"].items():
        assert np.shape(curve) == (1, 3)
        # float32 keeps the toy together for the 125 steps of an epoch.
        assert curve[0][0] == pytest.approx(oscillated["toy"]["curves"][name][0][0], rel=1e-3)


def test_the_words_on_oscillation_follow_the_figures(oscillated: dict) -> None:
    words = oscillation.finding(oscillated)
    assert "as it says" in words and "keep circling" in words and "no convergence" in words
    assert "shrinks the distance" in words and "0.3 " in words
    other = copy.deepcopy(oscillated)
    d = other["dirac"]
    d["predicted_error"], d["shrinkage"], d["norm"][oscillation.SMALLER] = 0.1, 1.01, 0.5
    d["range"][oscillation.ALTERNATING] = [0.0, 1.0]
    words = oscillation.finding(other)
    for phrase in ("not what it says", "does not shrink", "converging", "move between"):
        assert phrase in words
    for late, phrase in ((0.001, "helped"), (1.0, "changed little"), (50.0, "made it worse")):
        curves = {toy.PLAIN: [[1.0] * 40], toy.PENALTY: [[late] * 40]}
        found = oscillated["toy"] | toy.summary(curves, 20)
        assert phrase in toy_words.words(found)
    worse = {toy.PLAIN: [[1.0] * 20 + [9.0] * 20]}
    assert "9.0 times worse" in toy_words.words(oscillated["toy"] | toy.summary(worse, 20))


def test_a_toy_that_stands_still_is_told_from_an_equilibrium(oscillated: dict) -> None:
    found = copy.deepcopy(oscillated["toy"])
    assert "stood still in 0 of 1" in toy_words.words(
        found
    ) and "sees nothing" not in toy_words.words(found)
    curves = {toy.PLAIN: [[5.0] * 30 + [1.0, 1.005] * 5], toy.SMALLER: [[5.0] * 39 + [1.0]]}
    found |= toy.summary(curves, 20)
    found["noticed"] = {toy.PLAIN: {"steps": [20], "seeds": 1}}
    found["looks"][toy.PLAIN] = {
        "G_gradient": [0.1, 0.0], "D_x": [0.5, 0.5], "D_contrast": [0.2, 0.001]
    }  # fmt: skip
    words = toy_words.words(found)
    assert "stood still in 1 of 1 seeds (rates / 10 0)" in words
    assert "the detector noticed 1" in words
    assert "a D that sees nothing" in words and "it says 0.50 of everything" in words
    found["looks"][toy.PLAIN]["D_contrast"] = [0.2, 0.1]  # G alone stopped
    assert "sees nothing" not in toy_words.words(found)
    gone = {toy.PLAIN: [[1.0] * 39 + [math.inf]]}
    assert toy.summary(gone, 20)["summary"][toy.PLAIN]["still"] == 0


def test_the_looks_are_the_same_on_every_backend(oscillated: dict, backend: str) -> None:
    short = {name: toy.run(Setup(name), epochs=1, seeds=1) for name in ("numpy", backend)}
    for name, look in short[backend]["looks"].items():
        for figure, values in look.items():
            assert values[0] == values[1]  # the usual length and the end are one
            assert values == pytest.approx(short["numpy"]["looks"][name][figure], rel=1e-2)


def test_rates_far_too_large_are_noticed(oscillated: dict) -> None:
    assert [row["noticed"] is not None for row in oscillated["rates"]] == [False, False, True]


# The command line.


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, sizes in (
        (vanishing, (8,)), (collapse, (1, 300)), (oscillation, (4, 1)), (losses, (2, 100, 20)),
    ):  # fmt: skip
        run = module.run
        monkeypatch.setattr(module, "run", lambda setup, run=run, sizes=sizes: run(setup, *sizes))


@pytest.mark.parametrize("name", lab.LABS)
def test_a_lab_leaves_words_figures_and_a_picture(
    name: str, quick: None, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "new" / "lab"
    assert lab.main([name, "--seed", "3", "--out", str(out), "--quiet"]) == 0
    written = json.loads((out / f"{name}.json").read_text())
    assert written["lab"] == name and written["seed"] == 3 and written["backend"] == "numpy"
    assert written["finding"] == lab.LABS[name].finding(written["figures"])
    assert written["finding"] in capsys.readouterr().out
    assert "\n" not in written["finding"] and len(written["finding"]) > 200
    assert (out / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert (out / f"{name}.png").stat().st_size > 20_000


@pytest.mark.parametrize("name", lab.LABS)
def test_quick_asks_for_less_and_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    module, asked = lab.LABS[name], []
    monkeypatch.setattr(module, "run", lambda setup, **sizes: asked.append(sizes) or {"seeds": []})
    monkeypatch.setattr(module, "finding", lambda figures: "Words.")
    monkeypatch.setattr(module, "draw", lambda path, figures: path.write_bytes(b""))
    for options in ([], ["--quick"]):
        assert lab.main([name, "--out", str(tmp_path), "--quiet", *options]) == 0
        written = json.loads((tmp_path / f"{name}.json").read_text())
        assert written["quick"] is bool(options)
        told = f"Words. {module.GIVEN_UP}" if options else "Words."
        assert written["finding"] == told and told in capsys.readouterr().out
    assert asked == [{}, module.QUICK]


def test_what_quick_gives_up_is_what_it_leaves_out() -> None:
    """The numbers in the words are the lab's own."""
    words, sizes = collapse.GIVEN_UP, collapse.QUICK
    assert f"{sizes['seeds']} seeds of {collapse.SEEDS}" in words
    assert f"{sizes['steps']:,} steps of {collapse.STEPS:,}" in words
    between = detectors.EVERY * detectors.RARELY
    assert sizes["steps"] < between and f"looks every {between:,} steps" in words
    words, sizes = oscillation.GIVEN_UP, oscillation.QUICK
    assert f"{sizes['epochs']} epochs of {toy.EPOCHS:,}" in words
    assert f"{sizes['seeds']} seeds of {toy.SEEDS}" in words
    words, sizes = losses.GIVEN_UP, losses.QUICK
    assert f"{sizes['seeds']} seeds of {losses.SEEDS}" in words
    assert f"{sizes['steps']:,} steps of {losses.STEPS:,}" in words
    assert vanishing.QUICK == {} and "nothing was left out" in vanishing.GIVEN_UP


@pytest.mark.parametrize(
    "args, says",
    [
        (["tunnelling"], "vanishing"),
        (["collapse", "--backend", "theano"], "numpy, torch"),
        (["collapse", "--seed", "-1"], "seed"),
        (["collapse", "--device", "cuda:9"], "cpu"),
        (["collapse", "--dtype", "float8"], "float32"),
        (["collapse", "--out", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_bad_input_is_one_line(
    args: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    try:
        lab.main([*args, "--quiet"])
        raise AssertionError("accepted")
    except UserError as error:
        message = str(error)
    except SystemExit as stop:
        assert stop.code == 2
        message = capsys.readouterr().err.strip()
    assert "\n" not in message and says in message


def test_a_fresh_state_is_that_of_a_new_gan(backend: str) -> None:
    recipe = ganref.recipe("dcgan32").replace(width=4, batch_size=4, ema=0.9)
    module = ganref.load_backend(backend)
    gan = module.create(recipe, ganref.initial_weights(recipe, 1), dtype="float64")
    expected, found = gan.state(), fresh_state(recipe, 1)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    other = module.create(recipe, ganref.initial_weights(recipe, 0), dtype="float64")
    other.load_state(found)
    for name, array in other.state().items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
