"""The command line of evaluate: what it cannot measure is a line, and the rest is measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganref import evaluate
from ganref.backend import load_backend
from ganref.labs import fresh_state
from ganref.spec import Recipe, UserError, recipe
from ganref.training.checkpoint import Checkpoint, save_latest
from ganref.training.run import Config, RunDirectory

TOY = recipe("gaussian")
MLP = recipe("mlp").replace(width=4, batch_size=8)


def untrained(
    path: Path, chosen: Recipe, name: str, mixed: bool = False, weight: float | None = None
) -> Path:
    """A run directory with one checkpoint, of step 0; `weight` is all of G's first ones."""
    run = RunDirectory.create(path)
    state = {
        name: array if name.endswith(".step") else array.astype(np.float32)
        for name, array in fresh_state(chosen, 0).items()
    }
    if weight is not None:
        state["generator.0.weight"][:] = weight
    save_latest(run.checkpoints, Checkpoint(chosen, state, 0, 0, name, "float32", "numpy"))
    run.write_config(Config(chosen, data=name, mixed=mixed), {})
    return path


def results(out: Path) -> dict[str, dict]:
    """What evaluation.json holds, by metric."""
    text = (out / "evaluation.json").read_text()
    found = json.loads(text, parse_constant=pytest.fail)
    return {result["name"]: result for result in found["results"]}


def one_line(args: list[str], capsys: pytest.CaptureFixture) -> str:
    """What a command says that ends with exit code 2."""
    try:
        evaluate.main(args)
    except UserError as error:
        message = str(error)
    except SystemExit as stop:
        assert stop.code == 2
        message = capsys.readouterr().err.strip()
    else:
        raise AssertionError("accepted")
    assert "\n" not in message
    return message


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return untrained(tmp_path / "toy", TOY, "gaussian")


@pytest.mark.parametrize("part", ["", "checkpoints/step_00000000.safetensors"])
def test_a_run_and_its_checkpoint_say_the_same(toy: Path, tmp_path: Path, part: str) -> None:
    out = tmp_path / "out"
    assert evaluate.main([str(toy / part), "--num", "100", "--out", str(out)]) == 0
    found = results(out)
    assert found["frechet"]["value"] == pytest.approx(10, abs=2)
    assert found["c2st_accuracy"]["value"] > 0.6
    assert found["precision"]["error"] == "only for images"
    assert (out / "evaluation.png").read_bytes()[:4] == b"\x89PNG"


def test_the_numbers_are_the_same_on_every_backend(toy: Path, tmp_path: Path, backend: str) -> None:
    load_backend(backend)
    tables = []
    for name in ("numpy", backend):
        args = [str(toy), "--num", "100", "--backend", name, "--out", str(tmp_path)]
        assert evaluate.main(args) == 0
        tables.append(results(tmp_path))
    for name, expected in tables[0].items():
        assert tables[1][name]["error"] == expected["error"]
        if expected["value"] is not None:
            assert tables[1][name]["value"] == pytest.approx(expected["value"], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    "num, missing, there",
    [
        (1, {"frechet", "mmd2", "c2st_accuracy"}, set()),
        (2, {"c2st_accuracy"}, {"frechet", "mmd2"}),
        (19, {"c2st_accuracy"}, {"frechet", "mmd2"}),
        (20, set(), {"frechet", "mmd2", "c2st_accuracy"}),
    ],
)
def test_too_few_points(
    toy: Path, num: int, missing: set[str], there: set[str], capsys: pytest.CaptureFixture
) -> None:
    assert evaluate.main([str(toy), "--num", str(num)]) == 0
    found = results(toy)
    for name in missing:
        assert f"samples are needed, not {num}" in found[name]["error"]
        assert found[name]["value"] is None
    assert all(found[name]["value"] is not None for name in there)
    lines = capsys.readouterr().out.splitlines()
    applying = [name for name, result in found.items() if result["applies"]]
    assert len(lines) == len(applying) + 3  # a title, those that do not apply, what was written


def test_too_few_images(tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", MLP, "digits")
    assert evaluate.main([str(run), "--num", "5"]) == 0
    found = results(run)
    for name in ("frechet_distance", "c2st_accuracy", "copying", "copying_p"):
        assert "needed, not 5" in found[name]["error"] or "samples, not 5" in found[name]["error"]
    for name in ("kernel_distance", "precision", "recall", "classes_found", "confidence", "mmd2"):
        assert found[name]["value"] is not None, name


def test_every_class_has_a_row_and_a_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture, toy: Path
) -> None:
    run = untrained(tmp_path / "run", MLP, "digits")
    assert evaluate.main([str(run), "--num", "40"]) == 0
    rows = json.loads((run / "evaluation.json").read_text())["classes"]
    assert [row["name"] for row in rows] == [str(c) for c in range(10)]
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert sum(row["data_share"] for row in rows) == pytest.approx(1)
    printed = capsys.readouterr().out
    assert "of the data  confidence" in printed and str(run / "classes.png") in printed
    assert (run / "classes.png").read_bytes()[:4] == b"\x89PNG"
    assert evaluate.main([str(toy), "--num", "40", "--out", str(run)]) == 0
    assert json.loads((run / "evaluation.json").read_text())["classes"] == []
    assert not (run / "classes.png").exists()  # what was of another run is gone


@pytest.mark.parametrize("chosen, name", [(TOY, "gaussian"), (MLP, "digits")])
def test_samples_that_are_not_finite(tmp_path: Path, chosen: Recipe, name: str) -> None:
    """Weights that float32 holds, samples that it does not."""
    run = untrained(tmp_path / "run", chosen, name, weight=3e38)
    with np.errstate(all="ignore"):
        assert evaluate.main([str(run), "--num", "50"]) == 0
    found = results(run)
    assert all(r["value"] is None and "not finite" in r["error"] for r in found.values())
    assert (run / "evaluation.png").stat().st_size > 0


def test_data_of_another_shape(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    np.save(tmp_path / "space.npy", np.zeros((50, 3)))
    args = [str(toy), "--data", str(tmp_path / "space.npy")]
    assert "takes data of shape (2,)" in one_line(args, capsys)
    assert "gaussian, ring, grid fit it" in one_line([str(toy), "--data", "digits"], capsys)


def test_other_data_of_the_same_shape(toy: Path, tmp_path: Path) -> None:
    few = np.random.default_rng(0).normal(size=(9, 2))
    np.save(tmp_path / "few.npy", few)
    args = [str(toy), "--num", "50", "--data", str(tmp_path / "few.npy")]
    assert evaluate.main(args) == 0
    found = results(toy)
    assert found["frechet"]["error"].startswith("only for the gaussian data")
    assert found["c2st_accuracy"]["error"] == "at least 20 real examples are needed, not 9"
    assert found["mmd2"]["value"] is not None


def test_images_are_read_as_the_run_read_them(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder, generator = tmp_path / "images", np.random.default_rng(0)
    folder.mkdir()
    for i in range(30):
        pixels = generator.integers(0, 255, (28, 28 + i % 2), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    run = untrained(tmp_path / "run", MLP, str(folder), mixed=True)
    assert evaluate.main([str(run), "--num", "30"]) == 0
    found = results(run)
    assert found["kernel_distance"]["value"] is not None
    assert "no labelled images" in found["classes_found"]["error"]
    file = run / "checkpoints" / "step_00000000.safetensors"
    assert evaluate.main([str(file), "--num", "30", "--out", str(run)]) == 0
    loose = file.rename(tmp_path / "loose.safetensors")
    assert "--mixed" in one_line([str(loose), "--num", "30"], capsys)
    assert evaluate.main([str(loose), "--num", "30", "--mixed"]) == 0
    folder.rename(tmp_path / "elsewhere")
    assert "say where with --data" in one_line([str(loose)], capsys)
    moved = ["--data", str(tmp_path / "elsewhere"), "--num", "30", "--mixed"]
    assert evaluate.main([str(loose), *moved]) == 0


@pytest.mark.parametrize(
    "args, says",
    [
        (["nowhere"], "there is no checkpoint nowhere"),
        (["."], "not a run directory"),
        (["empty"], "holds no checkpoint"),
        (["text.json"], "not a whole safetensors file"),
        (["toy", "--num", "0"], "must be from 1 to"),
        (["toy", "--num", "many"], "is no whole number"),
        (["toy", "--backend", "theano"], "numpy, torch"),
        (["toy", "--data", "nothing"], "no data 'nothing'"),
        (["toy", "--seed", "-1"], "seed"),
        (["toy", "--ema"], "--ema 0.999"),
        (["toy", "--device", "cuda:9"], "cpu"),
        (["toy", "--out", "/proc/nowhere"], "/proc/nowhere"),
        (["toy", "--out", "text.json"], "text.json"),
    ],
)
def test_bad_input_is_one_line(
    args: list[str], says: str, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty" / "checkpoints").mkdir(parents=True)
    (tmp_path / "text.json").write_text("{}")
    assert says in one_line(args, capsys)
    assert not list(tmp_path.rglob("evaluation.*"))


def test_standard_numbers_without_their_package_are_one_line(
    tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    run = untrained(tmp_path / "run", MLP, "digits")
    assert evaluate.main([str(run), "--num", "30", "--inception"]) == 0
    found = results(run)
    assert "[inception]" in found["fid"]["error"] and found["kid"]["value"] is None
    assert found["precision"]["value"] is not None
    assert evaluate.main([str(toy), "--num", "30", "--inception"]) == 0
    assert results(toy)["fid"]["error"] == "only for images"
