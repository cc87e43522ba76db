"""`ganref export`: what it says and leaves, and one line where it cannot."""

from __future__ import annotations

import errno
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from docs.making import exports
from ganref import export, train
from ganref.backend import load_backend
from ganref.exchange import to_numpy
from ganref.spec import Recipe, UserError
from ganref.training.checkpoint import Checkpoint, save

ROOT = Path(__file__).parents[2]


def _checkpoint(folder: Path, recipe: Recipe) -> Path:
    gan = load_backend("numpy").create(recipe, exports.state(recipe))
    path = folder / "made.safetensors"
    made = {"numpy": np.__version__}
    save(path, Checkpoint(recipe, gan.state(), 7, 0, recipe.data, "float32", "numpy", made))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten steps of the toy, with an average of G."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    words = f"--steps 10 --ema 0.9 --seed 5 --quiet --run-dir {folder}"
    assert train.main(words.split()) == 0
    return folder


def _main(*words: object) -> int:
    return export.main([str(word) for word in words])


def test_a_run_is_exported(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("new", "toy")  # as people write it
    assert _main(run, "--to", "numpy", "--net", "both", "-o", out) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    said = r"generator in NumPy, opened without ganref: at most \d\.\de-\d\d of the output's scale"
    assert re.fullmatch(rf"{said} from NumPy \(64 examples\)", first)
    assert second.startswith("discriminator in NumPy") and last == f"written: {out}"
    files = {path.name for path in out.iterdir()}
    nets = {"generator.npz", "generator.png", "discriminator.npz", "chain.py"}
    assert files == nets | {
        "use_generator.py",
        "use_discriminator.py",
        "README.md",
        "verified.json",
    }
    assert [path.name for path in out.parent.iterdir()] == ["toy"]
    told = json.loads((out / "verified.json").read_text())
    assert told["recipe"] == "gaussian" and told["step"] == 10 and told["seed"] == 5
    assert all(0 < check["relative"] <= check["limit"] == 1e-5 for check in told["checks"])


def test_a_card_says_where_weights_are_from(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "toy"
    out.mkdir()  # an empty folder is as good as none
    assert _main(run, "--to", "numpy", "-o", out) == 0
    text = (out / "README.md").read_text()
    digest = json.loads((run / "config.json").read_text())["config"]["identity"]["digest"]
    snippet = (out / "use_generator.py").read_text().split("\n", 1)[1]
    for words in ("gaussian, aligned semantics", f"{digest[:12]}…", "- seed: 5", "- steps: 10",
                  "loss_D ", f"numpy {np.__version__}", "- input `Z`: (batch, 2), float32",
                  "from N(0, 1)", snippet):  # fmt: skip
        assert words in text, words


def test_the_average_is_another(run: Path, tmp_path: Path) -> None:
    for name, ema in (("now", []), ("mean", ["--ema"])):
        assert _main(run, "--to", "numpy", *ema, "-o", tmp_path / name) == 0
    now, mean = (np.load(tmp_path / n / "generator.npz") for n in ("now", "mean"))
    assert (now["generator.0.weight"] != mean["generator.0.weight"]).any()
    assert "average" in (tmp_path / "mean" / "README.md").read_text()


def test_a_snippet_is_ten_lines_and_makes_the_picture(tmp_path: Path) -> None:
    """The same lines by hand, in a folder that somebody has moved."""
    path = _checkpoint(tmp_path, exports.cases()["mlp, colours"])
    assert _main(path, "--to", "numpy", "-o", tmp_path / "out") == 0
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    (moved / "generator.png").unlink()
    text = (moved / "use_generator.py").read_text()
    assert len([line for line in text.splitlines() if line and line[0] != "#"]) <= 11
    command = [sys.executable, "use_generator.py"]
    subprocess.run(command, cwd=moved, check=True, env=os.environ | {"PYTHONPATH": ""})
    assert (moved / "generator.png").is_file()


def test_what_heads_mean_is_said(tmp_path: Path) -> None:
    for name, words in (("ebgan", "autoencoder"), ("mlp", "a probability"), ("ring", "not a prob")):
        (tmp_path / name).mkdir()
        path = _checkpoint(tmp_path / name, exports.cases()[name])
        assert _main(path, "--to", "numpy", "--net", "D", "-o", tmp_path / name / "out") == 0
        assert words in (tmp_path / name / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    "words, said",
    [
        ("{run} --to caffe -o new", "unknown --to 'caffe'; there are pytorch, keras, gluon, jax"),
        ("{run} --to numpy --net C -o new", "unknown --net 'C'; there are G, D, both"),
        ("{run} --to numpy --net D --ema -o new", "--ema has no effect on D"),
        ("{run} --to numpy -o {run}", "is not empty; choose another --out"),
        ("{run} --to numpy -o {run}/config.json", "config.json is not empty; choose another --out"),
        ("nowhere --to numpy -o new", "there is no checkpoint nowhere"),
        ("{run}/config.json --to numpy -o new", "config.json is not a whole safetensors file"),
        ("{run} --to numpy -o {run}/config.json/new", "cannot write"),
    ],
)
def test_a_mistake_is_one_line(
    words: str, said: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        _main(*words.format(run=run).split())
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_no_average(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path, exports.cases()["gaussian"])
    with pytest.raises(UserError, match="kept no average"):
        _main(path, "--to", "numpy", "--ema", "-o", tmp_path / "out")


@pytest.mark.parametrize(
    "target, package", [("onnx", "onnxruntime"), ("onnx", "onnx"), ("jax", "jax")]
)
def test_a_framework_that_is_not_here(
    target: str, package: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] in (package, "ganref.jax")]:
        monkeypatch.delitem(sys.modules, name)
    found = importlib.util.find_spec

    def nowhere(name: str, *how: object) -> object:
        return None if name == package else found(name, *how)

    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(importlib.util, "find_spec", nowhere)
    with pytest.raises(UserError, match=f"needs {package}, which is not installed; .*pip install"):
        _main(run, "--to", target, "-o", tmp_path / "new" / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the framework says of it."""

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def broken(*args: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(to_numpy, "save", broken)
    with pytest.raises(RuntimeError, match="Stream"):  # it was not the disk
        _main(run, "--to", "numpy", "-o", tmp_path / "out")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="cannot write .*out: No space left on device"):
        _main(run, "--to", "numpy", "-o", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_files_that_may_not_grow(run: Path, tmp_path: Path) -> None:
    """The system's own refusal, in a process of its own."""
    words = f"-m ganref.export {run} --to numpy -o {tmp_path / 'out'}"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1; exec {sys.executable} {words}"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and "cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []
