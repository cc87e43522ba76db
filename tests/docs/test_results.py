"""docs/results: each file says what made it, the pages say what the files say, and the beginning of
each, computed anew, is what it was."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganref
from docs.making import PAGES, RESULTS, answers, blocks, equilibrium, read, relu, tabs
from docs.making.labels import RUNS as LABELLED
from docs.making.labs import COMMANDS
from docs.making.samples import RUNS, normalises
from ganref import cli, data, train
from ganref.draws import batches
from ganref.lab import LABS
from ganref.labs import Setup, oscillation, vanishing
from ganref.parity.tolerances import promise
from ganref.spec import Recipe

NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))


# What a file says of itself.


@pytest.mark.parametrize("name", NAMES)
def test_a_result_names_what_made_it(name: str) -> None:
    found = read(name)
    assert {"recipe", "options", "backend", "seed", "versions", "command", "figures"} <= set(found)
    assert found["recipe"] in ganref.RECIPES and isinstance(found["seed"], int)
    assert {"ganref", "python", "numpy"} <= set(found["versions"])
    assert found["command"].startswith(("ganref ", "python -m docs.make_results "))


def test_results_are_small() -> None:
    assert sum(path.stat().st_size for path in RESULTS.iterdir()) < 1e6
    assert {path.suffix for path in RESULTS.iterdir()} == {".json", ".png"}


def test_every_picture_has_its_numbers() -> None:
    pictures = {path.stem for path in RESULTS.glob("*.png")}
    assert pictures - set(NAMES) <= {"losses-gaussian"}  # whose numbers are samples-gaussian's


# What the pages say.


def test_the_pages_say_what_the_results_say() -> None:
    """Every block of every page, as `python -m docs.make_results pages` writes it."""
    found = blocks.pages()
    assert {path.name for path in found} >= {"results.md", "exercises.md", "collapse.md"}
    for path in found:
        text = path.read_text(encoding="utf-8")
        assert blocks.rewrite(text) == text, f"{path.name}: run python -m docs.make_results pages"


def test_a_stale_page_is_seen() -> None:
    text = (PAGES / "exercises.md").read_text(encoding="utf-8")
    number = f"{read('classes')['figures']['class_distance']:.2f}"
    assert number in text and blocks.rewrite(text.replace(number, "0.00")) == text


@pytest.mark.parametrize("path", blocks.pages(), ids=lambda path: path.stem)
def test_links_and_pictures_are_there(path: Path) -> None:
    for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


# The beginning of each, anew.


def recipe_of(command: str) -> tuple[Recipe, dict[str, Any]]:
    """What `ganref train ...` or `ganref compare ...` trains."""
    args = vars(train.parser().parse_args(shlex.split(command)[2:]))
    return cli.build_recipe(args), args


def first_steps(backend: str, recipe: Recipe, dtype: str, steps: int) -> np.ndarray:
    """Both losses (2, steps)."""
    gan = Setup(backend, dtype=dtype, compile="off").create(recipe)
    source = batches.Source(recipe, data.load(recipe.data, recipe, 0), 0, dtype)
    batch = source.draw(range(steps))
    trace = gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
    return np.array([trace.loss_D, trace.loss_G])


@pytest.mark.parametrize("name, steps", [("gaussian", 10), ("dcgan_nyu", 1)])
def test_equivalence_is_as_it_was(backend: str, name: str, steps: int) -> None:
    found = read(f"equivalence-{name}")
    options = found["command"].split(" --backends")[0].replace("compare", "train")
    recipe, _ = recipe_of(options)
    expected = np.array([found["figures"]["losses"][k][:steps] for k in ("loss_D", "loss_G")])
    losses = first_steps(backend, recipe, "float64", steps)
    np.testing.assert_allclose(losses, expected, rtol=promise(recipe, "float64").losses)
    for kind, limit in found["figures"]["promised"].items():
        assert all(worst[kind] <= limit for worst in found["figures"]["worst"].values()), kind


@pytest.mark.parametrize("name", [name for name in RUNS if name != "dcgan"])
def test_runs_begin_as_they_did(name: str) -> None:
    """In NumPy and float32; d2l's DCGAN, in batches of 256, takes too long for a test."""
    found = read(f"samples-{name}")
    assert found["command"] == f"ganref train {RUNS[name]}"
    recipe, _ = recipe_of(found["command"])
    expected = np.array([found["figures"]["first"][k][:1] for k in ("loss_D", "loss_G")])
    np.testing.assert_allclose(first_steps("numpy", recipe, "float32", 1), expected, rtol=1e-3)


@pytest.mark.parametrize("name", LABELLED)
def test_runs_with_labels_begin_as_they_did(name: str) -> None:
    found = read(f"labels-{name}")
    command, _, measured = found["command"].partition("; ")
    assert command == f"ganref train {LABELLED[name]}" and measured.startswith("ganref evaluate")
    built, args = recipe_of(command)
    recipe, _ = cli.with_data(args, built)
    assert recipe.classes == 10
    expected = np.array([found["figures"]["first"][k][:1] for k in ("loss_D", "loss_G")])
    np.testing.assert_allclose(first_steps("numpy", recipe, "float32", 1), expected, rtol=1e-3)


@pytest.mark.parametrize("name", LABELLED)
def test_digits_are_those_that_were_asked_for(name: str) -> None:
    found = read(f"labels-{name}")["figures"]
    labels = np.asarray(data.load("digits", ganref.recipe("mlp"), 0).labels)
    for c, row in enumerate(found["rows"]):
        assert (row["name"], row["samples"], row["real"]) == (str(c), 1000, (labels == c).sum())
        assert row["frechet"] > 0 and row["interval"][0] <= row["accuracy"] <= row["interval"][1]
    mean = np.mean([row["accuracy"] for row in found["rows"]])
    assert found["accuracy"] == pytest.approx(mean) and mean >= 0.9
    assert found["seconds"] <= 600


def test_both_kinds_of_statistics_are_shown() -> None:
    from PIL import Image

    for name in RUNS:
        with Image.open(RESULTS / f"samples-{name}.png") as picture:
            wide = picture.width > 1.5 * picture.height
        assert wide == normalises(name), name


def test_tabs_begin_as_they_did() -> None:
    committed = read("tabs")["figures"]
    for fresh, keys in ((tabs.toy(epochs=1), ("first", "early")),
                        (tabs.dcgan(steps=1), ("first", "spread_over_z"))):  # fmt: skip
        which = "gaussian" if "frechet" in fresh[0] else "dcgan"
        for row, was in zip(fresh, committed[which], strict=True):
            assert (row["tab"], row["deviation"]) == (was["tab"], was["deviation"])
            for key in keys:
                assert row[key] == pytest.approx(was[key], rel=1e-4, abs=1e-12), row


def test_each_deviation_is_alone_and_together_they_are_the_tab() -> None:
    for name in ("gaussian", "dcgan"):
        aligned = ganref.recipe(name)
        for tab in ("pytorch", "tensorflow", "mxnet"):
            other = ganref.with_tab(aligned, tab)
            together = aligned
            for fields in tabs.DEVIATIONS.values():
                together = tabs.changed(together, other, fields)
            assert together.replace(tab=tab, epochs=other.epochs) == other


def test_labs_begin_as_they_did() -> None:
    was = read("lab-vanishing")["figures"]["curves"]
    fresh = vanishing.run(Setup(), steps=4)["curves"]
    for i, step in enumerate(fresh["step"]):
        at = was["step"].index(step)
        for name in ("minimax", "non_saturating", "margin", "D_G_z"):
            assert fresh[name][i] == pytest.approx(was[name][at], rel=1e-3), (name, step)
    dirac = oscillation.run_dirac()
    for name, norm in read("lab-oscillation")["figures"]["dirac"]["norm"].items():
        assert dirac["norm"][name] == pytest.approx(norm, rel=1e-4), name


@pytest.mark.parametrize("name", COMMANDS)
def test_findings_follow_from_the_figures(name: str) -> None:
    found, lab = read(f"lab-{name}"), LABS[name]
    assert found["quick"] == ("--quick" in found["command"])
    cost = f" {lab.GIVEN_UP}" if found["quick"] else ""
    assert found["finding"] == lab.finding(found["figures"]) + cost


def test_an_exact_generator_leaves_the_equilibrium_as_it_did() -> None:
    was, fresh = read("equilibrium")["figures"]["start"], equilibrium.from_equilibrium(epochs=1)
    for name in (equilibrium.USUAL, equilibrium.SLOW):
        assert fresh[name]["median"][0] == pytest.approx(0, abs=1e-9)
        assert fresh[name]["median"] == pytest.approx(was[name]["median"][:2], rel=1e-3, abs=1e-5)


def test_relu_begins_as_it_did() -> None:
    was = read("relu")["figures"][relu.RING]
    look = relu.STEPS[relu.RING] // relu.LOOKS
    fresh = relu.measure(relu.RING, "numpy", seeds=1, steps=look)
    for slope, rows in fresh.items():
        assert rows["gradient"][0][0] == pytest.approx(was[slope]["gradient"][0][0], rel=0.05)


def test_the_gradients_overlap_as_the_answer_says() -> None:
    for name, slopes in read("relu")["figures"].items():
        leaky, plain = ([curve[-1] for curve in rows["gradient"]] for rows in slopes.values())
        assert max(min(leaky), min(plain)) < min(max(leaky), max(plain)), name


def test_the_answer_on_the_equilibrium_is_what_was_measured() -> None:
    """D guesses where a test still tells, and an exact G is left, less far at smaller rates."""
    figures = read("equilibrium")["figures"]
    usual = figures["tests"]["D_right"][equilibrium.USUAL]
    assert abs(usual["median"] - 0.5) < 0.05
    assert figures["tests"]["rejected"][equilibrium.USUAL]["mmd"][-1] > 0.5
    ends = [figures["start"][name]["median"][-1] for name in (equilibrium.SLOW, equilibrium.USUAL)]
    assert 0.005 < ends[0] < ends[1]


def test_classes_are_those_of_the_digits() -> None:
    figures = read("classes")["figures"]
    labels = np.asarray(data.load("digits", ganref.recipe("dcgan"), 0).labels)
    assert [row["name"] for row in figures["classes"]] == [str(c) for c in range(10)]
    for c, row in enumerate(figures["classes"]):
        assert row["data_share"] == pytest.approx((labels == c).mean())
    apart = sum(abs(row["share"] - row["data_share"]) for row in figures["classes"]) / 2
    assert figures["class_distance"] == pytest.approx(apart)
    assert "| 4 |" in answers.classes()
