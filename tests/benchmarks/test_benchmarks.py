"""The benchmarks: that they run, that they refuse, and that pages pass the gate."""

import contextlib
import copy
import dataclasses
import json
import re
import subprocess
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import ganref
from benchmarks import book, command, limits, report, whole
from benchmarks.pages import training
from benchmarks.speed import __main__ as speed_main
from benchmarks.speed import duration, gate, jobs
from benchmarks.speed.measure import PAGES
from benchmarks.speed.rounds import Settings
from benchmarks.workers import Worker
from checks import default_runs, detector_cost, kill_runs, lab_figures
from ganref import data
from ganref.parity.workers import WorkerFailed
from ganref.spec import UserError
from ganref.spec.layers import Conv, ConvTranspose
from ganref.spec.steps import Trace
from ganref.training.run import Config, RunDirectory

QUICK = ["--backends", "numpy", "--threads", "1"]


def test_speed_from_end_to_end(tmp_path: Path) -> None:
    quick = [*QUICK, "--batch-sizes", "4,8", "--repeats", "2", "--seconds", "0.01", "--input"]
    assert speed_main.main([*quick, "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "speed.json").read_text())
    shapes = [(row["batch_size"], row["mode"]) for row in result["rows"]]
    assert shapes == [(4, "page"), (4, "fast"), (8, "page"), (8, "fast")]
    for row in result["rows"]:
        assert row["step_s"]["min"] <= row["step_s"]["median"] <= row["step_s"]["max"]
        assert len(row["rounds"]) == 2 and all(v["passed"] for v in row["gate"])
        assert (
            row["run_s"] > row["startup_s"] > 0
            and row["peak_memory"] > row["import_memory"] > 2**20
        )
        assert 0 < row["share_of_matmul"] < 1
        assert row["mode"] == "page" or (0 <= row["input_share"] <= 1 and row["ratio"]["min"] > 0)
    assert (tmp_path / "speed.png").stat().st_size > 0
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_how_long_it_will_take_is_said() -> None:
    """It grows with what is asked for; the default set takes some five minutes."""
    quick = Settings("cpu", "float32", 2, 5, 1.0, 0, False)
    names = [(name, mode) for name in ("torch", "tf", "mxnet", "jax") for mode in ("page", "fast")]
    toy, mlp = ganref.recipe("gaussian"), ganref.recipe("mlp")
    default = duration.estimate([(toy, [("numpy", "fast"), *names])], quick)
    assert 120 < default <= 300
    assert duration.estimate([(toy, names), (mlp, names)], quick) > 1.6 * default
    longer = dataclasses.replace(quick, seconds=10.0)
    assert duration.estimate([(toy, names)], longer) > 1.5 * default
    assert [duration.in_words(s) for s in (90, 300)] == ["90 s", "5 minutes"]


def test_the_book_is_written_from_results(tmp_path: Path) -> None:
    """Measured once, in one folder a chapter; the page has every chapter's table and chart."""
    words = [*QUICK, "--chapters", "toy", "--out", str(tmp_path / "found")]
    page = ["--page", str(tmp_path / "docs" / "speed.md")]
    toy = dataclasses.replace(book.CHAPTERS[0], words="--repeats 2 --seconds 0.01")
    with mock.patch.object(book, "CHAPTERS", (toy, *book.CHAPTERS[1:])):
        assert book.main([*words, *page]) == 0
        (tmp_path / "docs" / "speed.md").unlink()
        with mock.patch.object(subprocess, "run") as run:
            assert book.main([*words, *page]) == 0
        assert not run.called
    text = (tmp_path / "docs" / "speed.md").read_text()
    assert "| gaussian | 8 | - |" in text and "numpy fast" in text and "GFLOP/s" in text
    assert "](images/speed-toy.png)" in text
    assert (tmp_path / "docs" / "images" / "speed-toy.png").stat().st_size > 0
    with pytest.raises(UserError, match="no chapter toys; there are toy, "):
        book.main(["--chapters", "toys", "--out", str(tmp_path)])


def test_a_kernel_has_even_padding_and_as_large_an_output() -> None:
    for network in ganref.recipe("dcgan32").networks:
        for layer, shape in zip(network.layers, network.shapes, strict=False):
            if isinstance(layer, Conv):
                even, grown = limits.even(layer, shape)
                assert even.padding[0] == even.padding[1]
                more = even.out_shape(grown)[1] - layer.out_shape(shape)[1]
                uneven = layer.padding[0] != layer.padding[1]
                assert more == (uneven and isinstance(layer, ConvTranspose))


def test_whole_from_end_to_end(tmp_path: Path) -> None:
    assert whole.main([*QUICK, "--steps", "125", "--repeats", "1", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "whole.json").read_text())["rows"]
    assert [row["what"] for row in rows] == ["command", "bare", "page"]
    assert all(row["seconds"]["median"] > 0 and "125 steps" in row["said"] for row in rows)


def test_detectors_from_end_to_end(tmp_path: Path) -> None:
    quick = [*QUICK, "--recipes", "gaussian", "--steps", "250", "--repeats", "2"]
    code = detector_cost.main([*quick, "--out", str(tmp_path)])
    (row,) = json.loads((tmp_path / "detectors.json").read_text())["rows"]
    assert row["steps"] == 250 and len(row["with"]) == len(row["without"]) == 2
    assert 0 < row["share"]["min"] <= row["share"]["median"] <= row["share"]["max"] < 0.1
    assert code == int(row["share"]["median"] > detector_cost.TARGET)
    assert all(turn["detecting_s"] < a["detecting_s"]
               for turn, a in zip(row["without"], row["with"], strict=True))  # fmt: skip


def test_killed_runs_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_runs, "USUAL_STEPS", 300)
    # Fewer trials than it takes are no reason to report success without one.
    code = kill_runs.main([*QUICK, "--trials", "1", "--out", str(tmp_path)])
    (row,) = json.loads((tmp_path / "kills.json").read_text())["rows"]
    assert code == 0 and row["runs"] == row["equal"] == 1 and row["wrong"] == []


def test_default_runs_from_end_to_end(tmp_path: Path) -> None:
    assert default_runs.main([*QUICK, "--recipes", "gaussian", "--out", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / "default_runs.json").read_text())["rows"]
    assert row["warnings"] == [] and row["steps"] == 2500
    assert row["least_signal"] > 0.4 and row["least_diversity"] > 0.5 and row["largest_loss"] < 5


def test_default_runs_tell_one_that_was_warned_of(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    directory.write_config(Config(ganref.recipe("ebgan").replace(batch_size=2)), {})
    loss = np.full(200, 30.0)
    directory.append_steps(1, Trace(loss, -3 * loss, loss, loss, loss))
    for step, diversity in ((50, None), (100, 0.3), (150, 0.5), (200, 0.1)):
        warned = ["collapse"] if diversity == 0.1 else []
        row = {"epoch": step // 50, "step": step, "loss_D": 1.0, "G_signal": 1.0}
        row |= {"diversity": diversity, "warnings": warned}
        directory.append_metrics(row)
    found = default_runs.margins(directory)
    assert found["warnings"] == ["collapse"] and found["steps"] == 200
    # Before it had any, a run's lack of diversity is no loss of it.
    assert found["least_diversity"] == found["last_diversity"] == 0.1
    margin = ganref.recipe("ebgan").loss.margin
    assert found["largest_loss"] == pytest.approx(90 / margin)
    assert "collapse" in default_runs.table(
        [{"recipe": "ebgan", "backend": "numpy", "wall_s": 1.0} | found]
    )


def test_labs_from_end_to_end(tmp_path: Path) -> None:
    quick = [*QUICK, "--labs", "vanishing", "--out", str(tmp_path)]
    assert lab_figures.main(quick) == 0
    report = json.loads((tmp_path / "labs.json").read_text())
    (row,) = report["rows"]
    assert row["agrees"] and row["wall_s"] > row["seconds"] > 0
    assert len(report["stated"]["vanishing"]) == len(row["checks"])
    assert (tmp_path / "numpy" / "vanishing.png").exists()


def test_labs_that_disagree_are_told(tmp_path: Path) -> None:
    figures = {
        "falls": {"minimax": None, "non_saturating": 3.0, "margin": 1.0},
        "curves": {name: [1.0, 1e-4] for name in ("minimax", "non_saturating", "margin", "D_G_z")},
    }
    other = json.loads(json.dumps(figures))
    other["curves"]["minimax"][0] = 1.1
    about = {"lab": "vanishing", "dtype": "float32", "wall_s": 1.0}
    rows = [
        {**about, "backend": "numpy", "figures": figures},
        {**about, "backend": "torch", "figures": other},
        {**about, "backend": "tf", "why": "exit code 1: gone"},
    ]
    lab_figures.judge(rows)
    wrong = [[c["figure"] for c in row.get("checks", ()) if not c["holds"]] for row in rows]
    assert wrong == [
        ["falls.non_saturating"], ["falls.non_saturating", "minimax, before any update"], []
    ]  # fmt: skip
    assert "failed: exit code 1" in lab_figures.table(rows) and not rows[0]["agrees"]
    assert lab_figures.slow([about | {"backend": "tf", "wall_s": 200.0}])


def test_the_figures_that_are_judged_are_there() -> None:
    for lab, expected in lab_figures.EXPECTED.items():
        assert all(item.low <= item.high and item.why for item in expected), lab
    oscillated = {"dirac": lab_figures.LABS["oscillation"].run_dirac(steps=20)}
    for item in lab_figures.EXPECTED["oscillation"][:2]:
        assert lab_figures.look_up(oscillated, item.path) is not None


def test_a_job_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    recipe = ganref.recipe("mlp").replace(width=8, batch_size=4, fresh_Z=True)
    job = jobs.draw(recipe, data.load("digits", recipe), "float32", "cpu")
    back = jobs.load(jobs.save(job, tmp_path / "job"))
    assert back.recipe == recipe and back.run_steps == recipe.epochs_on("digits") * (1797 // 4)
    assert len(back.calls) == len(job.calls) > 1
    for a, b in zip(job.calls, back.calls, strict=True):
        assert (a.X == b.X).all() and (a.Z == b.Z).all() and (a.Z_G == b.Z_G).all()
        assert all((a.masks[name] == b.masks[name]).all() for name in b.masks)


def test_the_gate_refuses_another_recipe() -> None:
    recipe = ganref.recipe("gaussian")
    job = gate.narrow_job(recipe, data.load("gaussian", recipe), "cpu")
    other = recipe.replace(adam_D=ganref.with_tab(recipe, "mxnet").adam_D)

    def losses(recipe: ganref.Recipe, dtype: str) -> gate.Losses:
        gan = ganref.load_backend("numpy").create(
            recipe, ganref.initial_weights(recipe), "cpu", dtype, "off"
        )
        call = job.calls[0]
        return dict(zip(("loss_D", "loss_G"), gan.train_steps(call.X, call.Z), strict=True))

    exact = losses(recipe, "float64")
    gate.require([gate.judge(job, exact, exact)])
    with pytest.raises(WorkerFailed, match="parity gate"):  # only epsilon's place differs
        gate.require([gate.judge(job, losses(other, "float64"), exact)])
    broken = exact | {"loss_G": exact["loss_G"] * float("nan")}
    assert not gate.judge(job, broken, exact)["passed"]


def _found(job: jobs.Job, recipe: ganref.Recipe, dtype: str) -> gate.Losses:
    """What NumPy finds for a job if it takes it for that recipe."""
    weights = ganref.initial_weights(job.recipe)
    gan = ganref.load_backend("numpy").create(recipe, weights, "cpu", dtype, "off")
    call = job.calls[0]
    made = gan.train_steps(call.X, call.Z, Z_G=call.Z_G, masks=call.masks)
    return dict(zip(("loss_D", "loss_G"), made, strict=True)) | {"state": gan.state()}


def _shifted(recipe: ganref.Recipe) -> ganref.Recipe:
    """The recipe with its padding a pixel further, in D's first convolution."""
    changed, (first, *others) = copy.copy(recipe), recipe.discriminator.layers
    moved = copy.copy(first)
    object.__setattr__(moved, "padding", first.padding[::-1])  # no spec has it
    wrong = dataclasses.replace(recipe.discriminator, layers=(moved, *others))
    vars(changed)["networks"] = recipe.generator, wrong
    return changed


WRONG = {
    "epsilon": lambda r: r.replace(adam_D=dataclasses.replace(r.adam_D, eps=1e-7)),
    "epsilon of norms": lambda r: r.replace(norm=dataclasses.replace(r.norm, eps=1e-3)),
    "momentum": lambda r: r.replace(norm=dataclasses.replace(r.norm, momentum=0.99)),
    "beta1": lambda r: r.replace(adam_G=dataclasses.replace(r.adam_G, beta1=0.9)),
    "padding": _shifted,
    "order of statistics": lambda r: r.replace(norm=dataclasses.replace(r.norm, fake_first=True)),
}


@pytest.mark.parametrize("batch", [1, 2, 3, 8, 64, 512])
def test_the_gate_refuses_what_is_wrong_at_every_batch_size(batch: int) -> None:
    """In the examination that every variant has, the one in float64."""
    recipe = ganref.recipe("dcgan32").replace(batch_size=batch, width=8)
    job = gate.narrow_job(recipe, data.load("digits", recipe), "cpu")
    exact = _found(job, job.recipe, "float64")
    gate.require([gate.judge(job, exact, exact)])
    for name, wrong in WRONG.items():
        found = _found(job, wrong(job.recipe), "float64")
        assert not gate.judge(job, found, exact)["passed"], name


@pytest.mark.parametrize("batch", [4, 32])
def test_in_single_precision_rounding_passes_and_a_pixel_does_not(batch: int) -> None:
    """At a rate that moves nothing: at the recipe's own, D's first update takes signs of rounding,
    and the losses after it may be 3e-4 from float64 with nothing wrong."""
    recipe = gate.still(ganref.recipe("dcgan32").replace(batch_size=batch, width=8))
    job = jobs.draw(recipe, data.load("digits", recipe), "float32", "cpu", steps=1)
    exact, rounded = (_found(job, recipe, dtype) for dtype in ("float64", "float32"))
    verdict = gate.judge(job, rounded, exact, rounded)
    assert verdict["passed"] and verdict["difference"] < 2e-6 and verdict["moments"][0] < 1e-3
    for name in ("padding", "epsilon of norms", "momentum"):
        found = _found(job, WRONG[name](recipe), "float32")
        assert not gate.judge(job, found, exact, rounded)["passed"], name


@pytest.mark.parametrize("mode", PAGES)
def test_pages_pass_the_gate_as_they_are(framework: str, mode: str, tmp_path: Path) -> None:
    """In float64 as `benchmarks.speed` examines them, at two points of their one run; what other
    recipes compute is for tests/pages, where a page is held to the same draws."""
    judge = gate.Gate(tmp_path, 1, 0)
    with contextlib.closing(Worker(framework, mode, 1)) as worker:
        for name in ("gaussian", "mlp") if mode == "page" else ("gaussian",):
            recipe = ganref.recipe(name)
            job = gate.narrow_job(recipe, data.load(recipe.data, recipe), "cpu")
            path = jobs.save(job, tmp_path / name)
            found = worker.ask("losses", job=str(path))
            gate.require([judge.verdict(path, gate.meant(job, framework, mode), found)])


def test_a_page_goes_on_where_its_last_call_ended(framework: str) -> None:
    """Adam's moments and its count are kept: calls of one step are one call of many."""
    recipe = ganref.recipe("gaussian")
    X, Z = np.random.default_rng(0).standard_normal((2, 4, recipe.batch_size, 2))
    whole, parts = (
        training.create(framework, recipe, ganref.initial_weights(recipe), dtype="float64")
        for _ in range(2)
    )
    expected = np.array(whole.train_steps(X, Z))
    found = np.hstack([parts.train_steps(X[i : i + 1], Z[i : i + 1]) for i in range(4)])
    assert (found == expected).all()


@pytest.mark.parametrize(
    "recipe, where, words",
    [
        (ganref.recipe("ring"), "torch", "no page of recipe 'ring'"),
        (ganref.recipe("mlp"), "numpy", "no page of mlp in 'numpy'"),
        (ganref.recipe("mlp").replace(ema=0.9), "tf", "mlp_tf has no such options"),
        (ganref.with_tab(ganref.recipe("gaussian"), "mxnet"), "mxnet", "has no such options"),
    ],
)
def test_what_no_page_is_is_said(recipe: ganref.Recipe, where: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        training.check(recipe, where)
    assert not training.exists(recipe, where)
    other = ganref.recipe("mlp").replace(batch_size=7, width=12)
    assert training.exists(other, "torch")


def test_a_variant_that_cannot_be_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    quick = [*QUICK, "--recipes", "ring", "--modes", "page,off", "--repeats", "1"]
    assert speed_main.main([*quick, "--seconds", "0.01", "--out", str(tmp_path)]) == 1
    page, off = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert "no page of recipe 'ring'" in page["why"] and "step_s" in off


def test_what_is_timed_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """The page and the fast path; where there is no page, the fast path, and a line says so."""

    def variants(recipe: str, *more: str) -> list[tuple[str, str]]:
        args = speed_main.parser().parse_args(
            [*QUICK[:1], "numpy,torch", "--recipes", recipe, *more]
        )
        (shape,) = speed_main.shapes(args)
        return speed_main.variants(args, shape)

    both = [(name, mode) for name in ("numpy", "torch") for mode in ("page", "fast")]
    assert variants("gaussian") == both and not capsys.readouterr().err
    assert variants("ring") == [("numpy", "fast"), ("torch", "fast")]
    assert "ring has no page in numpy, torch" in capsys.readouterr().err
    assert variants("ring", "--modes", "page,fast") == both  # each page a row that says why not


def test_ratios_are_of_turns_in_the_same_round() -> None:
    def row(mode: str, *seconds: float) -> dict:
        rounds = [{"steps": 1, "seconds": s} for s in seconds]
        return {"backend": "torch", "mode": mode, "rounds": rounds}

    # The machine slowed down tenfold for one round: the ratio does not notice.
    rows = [row("page", 4.0, 40.0, 4.0), row("fast", 2.0, 20.0, 2.0), row("eager", 8.0, 80.0, 8.0)]
    report.add_ratios(rows)
    assert rows[1]["ratio"]["min"] == rows[1]["ratio"]["max"] == 2.0
    assert rows[1]["ratio_eager"]["median"] == 4.0 and rows[2]["ratio"]["median"] == 0.5
    assert "ratio" not in rows[0] and "ratio_fast" not in rows[1]


@pytest.mark.parametrize(
    "wrong", [["--recipes", "x"], ["--backends", "x"], ["--modes", "x"], ["--widths", "a"]]
)
def test_wrong_options_are_one_line(wrong: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError):
        speed_main.main([*wrong, "--out", str(tmp_path / "never")])
    assert not (tmp_path / "never").exists()


def test_a_variable_that_holds_a_library_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the rate of NumPy's products went unseen for such a variable of the machine's."""
    for name in report.KERNELS:
        monkeypatch.delenv(name, raising=False)
    about = report.environment(2, "cpu") | {"load_before": (0.0, 0.0, 0.0)}
    assert not report.warnings(about)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    about |= {"chosen_kernels": report.chosen_kernels()}
    (told,) = report.warnings(about)
    assert "OPENBLAS_CORETYPE=Haswell" in told
    assert len(report.warnings(about | {"load_before": (9.0, 9.0, 9.0)})) == 2


def test_results_are_json_that_everybody_reads(tmp_path: Path) -> None:
    """`Infinity` is Python's alone; and a reader sees the old file or the new one, never half."""
    args = command.parser("test", "What it is.\n\nMore.").parse_args(["--out", str(tmp_path)])
    about = command.environment(args)
    command.write(tmp_path / "x.json", args, about, rows=[{"rate": float("inf")}])

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads((tmp_path / "x.json").read_text(), parse_constant=refuse)
    assert found["rows"] == [{"rate": None}] and found["settings"]["out"] == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("folder", ["benchmarks", "checks"])
def test_only_what_speaks_to_one_names_a_framework(folder: str) -> None:
    here = Path(__file__).parents[2] / folder
    for path in set(here.rglob("*.py")) - set((here / "fuzz").rglob("*")):  # damage is its work
        if path.name != "kernels_torch.py":
            assert not re.search(
                r"\b(import (torch|tensorflow|mxnet|keras))\b", path.read_text()
            ), path


WRITERS = r"(?<!strict_)json\.dump|\.write_(text|bytes)\(|\bopen\([^)]*[\"'][wax]"


@pytest.mark.parametrize("folder", ["benchmarks", "checks"])
def test_nothing_writes_a_file_of_its_own_accord(folder: str) -> None:
    """JSON is made by `strict_json`, and files are written whole."""
    assert re.search(WRITERS, "json.dump(x, f)") and re.search(WRITERS, 'open(path, "w")')
    here = Path(__file__).parents[2] / folder
    for path in set(here.rglob("*.py")) - set((here / "fuzz").rglob("*")):  # damage is its work
        assert not re.search(WRITERS, path.read_text()), path


def test_a_job_is_json_that_everybody_reads(tmp_path: Path) -> None:
    recipe = ganref.recipe("gaussian")
    job = jobs.draw(recipe, data.load("gaussian", recipe), "float32", "cpu", steps=1)
    path = jobs.save(job, tmp_path / "job") / "job.json"

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    about = json.loads(path.read_text(), parse_constant=refuse)
    assert about["calls"] == 1 and about["recipe"]["name"] == "gaussian"
    assert not list(path.parent.glob(".*"))
