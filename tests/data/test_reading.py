"""How data are read is asked for on the command line, kept with the run, and the same again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.pictures import encoded, folder

from ganref import data, train
from ganref.cli import build_recipe
from ganref.spec import UserError
from ganref.training.run import Config

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wide pictures, which is the working directory's."""
    monkeypatch.setenv("GANREF_DATA", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    wide = RNG.integers(0, 256, (40, 90, 3), np.uint8)
    return folder(tmp_path / "x", {f"{i}.png": encoded(wide) for i in range(8)})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `data.load` was told each time."""
    told: list[dict[str, Any]] = []
    load = data.load

    def noting(*args: Any, **keywords: Any) -> data.Dataset:
        told.append(keywords)
        return load(*args, **keywords)

    monkeypatch.setattr(data, "load", noting)
    return told


def small(*more: str) -> list[str]:
    return ["--recipe", "mlp", "--width", "2", "--batch-size", "4", "--quiet", "--threads", "1",
            "--run-dir", "run", "--data", "x", *more]  # fmt: skip


def test_a_run_goes_on_with_what_it_was_asked_for(asked: list[dict[str, Any]]) -> None:
    train.main(small("--steps", "1", "--resize", "nearest", "--crop", "none", "--strict"))
    config = json.loads(Path("run/config.json").read_text())["config"]
    assert (config["resize"], config["crop"]) == ("nearest", "none")
    train.main(["--resume", "run", "--steps", "2", "--quiet", "--threads", "1"])
    first, again = asked
    wanted = {"resize": "nearest", "crop": "none", "strict": True}
    assert {**first, "mixed": False} == again == {**wanted, "mixed": False}
    with pytest.raises(UserError, match="--crop cannot change with --resume"):
        train.main(["--resume", "run", "--crop", "center"])


def test_what_is_not_asked_for_is_what_it_was(asked: list[dict[str, Any]]) -> None:
    train.main(small("--steps", "1"))
    assert asked == [{}]
    config = json.loads(Path("run/config.json").read_text())["config"]
    assert (config["resize"], config["crop"]) == (data.Fitting().resize, data.Fitting().crop)
    assert (Config.resize, Config.crop) == (data.Fitting().resize, data.Fitting().crop)


@pytest.mark.parametrize(
    ("word", "channels"), [("grey", 1), ("RGB", 3), ("gray", 1), ("1", 1), ("3", 3)]
)
def test_channels_have_names(word: str, channels: int) -> None:
    args = vars(train.parser().parse_args(["--recipe", "dcgan", "--channels", word]))
    assert build_recipe(args).data_shape == (channels, 64, 64)


@pytest.mark.parametrize("given", [["--resize", "cubic"], ["--crop", "top"], ["--channels", "red"]])
def test_words_that_nobody_knows(given: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        train.main(given)
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("recipe", ["gaussian", "ring", "ebgan"])
def test_the_recipe_follows_the_points(recipe: str) -> None:
    np.save("points.npy", RNG.normal(size=(200, 5)))
    Path("points.csv").write_text("a,b,c\n" + "1,2,3\n4,5,6\n" * 100)
    for name, dimension in (("points.npy", 5), ("points.csv", 3), ("ring", 2)):
        built = build_recipe({"recipe": recipe, "data": name})
        assert built.data_shape == (dimension,) and built.data == name
    train.main(["--recipe", recipe, "--data", "points.npy", "--steps", "1", "--run-dir", "run",
                "--quiet", "--threads", "1"])  # fmt: skip
    train.main(["--resume", "run", "--steps", "2", "--quiet", "--threads", "1"])


def test_what_is_no_data_is_said_as_what_it_is() -> None:
    Path("words.txt").write_text("words")
    for name, match in (
        ("words.txt", "words.txt is none of the files that are read"),
        ("nowhere", "no data 'nowhere'"),
        ("/dev/zero", "is a device, pipe or socket"),
        ("x", "recipe gaussian takes points; x is a set of images"),
    ):
        with pytest.raises(UserError, match=match):
            train.main(["--data", name])
    with pytest.raises(UserError, match="recipe mlp takes images; points.npy is a set of points"):
        np.save("points.npy", np.zeros((9, 2)))
        train.main(["--recipe", "mlp", "--data", "points.npy"])
