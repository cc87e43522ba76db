"""Pictures: bytes, colours, and curves of any number, whatever matplotlib was told."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganref.compare import table
from ganref.data import Dataset
from ganref.output import canvas, curves, pictures
from ganref.parity.tolerances import KINDS
from ganref.spec import Trace, recipe


def test_bytes_come_back_from_batches() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    data = Dataset("every", every)
    for dtype in (np.float32, np.float64):
        assert np.array_equal(pictures.to_uint8(data.batch(np.arange(4), dtype)), every)


def test_what_is_no_picture_is_drawn_all_the_same() -> None:
    odd = np.array([-np.inf, -1.5, np.nan, 1.5, np.inf])
    with np.errstate(all="raise"):
        assert pictures.to_uint8(odd).tolist() == [0, 0, 128, 255, 255]


def test_a_grid_has_the_columns_it_is_to_have() -> None:
    images = np.linspace(-1, 1, 6)[:, None, None, None] * np.ones((1, 1, 3, 5))
    assert pictures.grid(images).shape == (2 * 5 + 2, 3 * 7 + 2)
    rows = pictures.grid(images, columns=2)
    assert rows.shape == (3 * 5 + 2, 2 * 7 + 2)
    shown = rows[2::5, 2::7][:3, :2]  # a corner of each
    assert np.array_equal(shown, pictures.to_uint8(images[:, 0, 0, 0]).reshape(3, 2))
    axes = canvas.figure(4, 4).subplots()
    pictures.show_samples(axes, images, None, 2)
    assert axes.get_title() == "6 samples from fixed noise, a row for each class"


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_points_of_any_dimension_are_drawn(dimension: int, tmp_path: Path) -> None:
    """What is drawn of many coordinates is the first two; of one, its distribution function."""
    points = np.random.default_rng(0).normal(size=(9, dimension))
    axes = canvas.figure(4, 4).subplots()
    with warnings.catch_warnings(action="error"):
        pictures.show_samples(axes, points, points + 1)
        pictures.picture(tmp_path / "samples.png", points, points + 1)
        pictures.points_frame(points, points + 1, "epoch_1")
        pictures.beside(tmp_path / "beside.png", points, points + 1, "points")
    real, drawn = (np.asarray(c.get_offsets()) for c in axes.collections)
    if dimension == 1:
        points = np.stack([np.sort(points[:, 0]), (np.arange(9) + 0.5) / 9], 1)
        assert np.allclose(real, points + [1, 0])
    assert np.array_equal(drawn, points[:, :2])


def test_any_number_of_colours() -> None:
    many = canvas.colours(60)
    assert len(set(many)) == 60 and canvas.colours(3) == many[:3]
    assert many[:2] == [canvas.BLUE, canvas.ORANGE]


def _report(count: int) -> dict:
    names = [f"backend{i}" for i in range(count)]
    return {
        "recipe": "gaussian", "tab": "aligned", "dtype": "float64", "steps": 3,
        "teacher_forced": False, "backends": names, "died": {}, "devices": {},
        "losses": {n: {"loss_D": [1, 2, 3 + i], "loss_G": [3, 2, 1 - i]}
                   for i, n in enumerate(names)},
        "tolerances": {kind: [1e-9] * 3 for kind in KINDS},
        "pairs": [{"pair": [a, b], "worst": {kind: [1e-12] * 3 for kind in KINDS},
                   "first_outside": None}
                  for i, a in enumerate(names) for b in names[i + 1:]],
    }  # fmt: skip


def _drawn(monkeypatch: pytest.MonkeyPatch, report: dict) -> Any:
    """The figure of a comparison."""
    drawn: list[Any] = []
    monkeypatch.setattr(curves, "save", lambda path, picture: drawn.append(picture))
    curves.comparison(Path("compare.png"), report)
    return drawn[0]


@pytest.mark.parametrize("count", [2, 4, 6])
def test_every_backend_has_one_line_and_colour(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    report = _report(count)
    rows = table(report).splitlines()
    assert len(rows) == 2 + len(report["pairs"]) + 1
    assert len({row.index("1.0e-12") for row in rows[2:-1]}) == 1  # columns line up
    for i, pair in enumerate(report["pairs"]):
        pair["worst"] |= {"losses": [i + 1.0] * 3, "parameters": [i + 100.0] * 3}
    picture = _drawn(monkeypatch, report)
    (legend,) = picture.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == report["backends"][1:]
    for axes, kind in zip(picture.axes, ("losses", "parameters"), strict=True):
        assert axes.get_title() == kind and axes.get_yscale() == "log" and not axes.get_legend()
        lines = {line.get_label(): line for line in axes.lines if line.get_label() in names}
        assert list(lines) == names and len({line.get_color() for line in lines.values()}) == len(
            names
        )
        for name, line in lines.items():
            worst = next(p["worst"] for p in report["pairs"] if p["pair"] == ["backend0", name])
            assert line.get_ydata().tolist() == worst[kind]
    assert picture.get_supylabel().endswith("to backend0")


def test_numpy_is_the_reference_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    report = json.loads(json.dumps(_report(3)).replace("backend1", "numpy"))
    picture = _drawn(monkeypatch, report)
    assert picture.get_supylabel().endswith("to numpy")
    assert [t.get_text() for t in picture.legends[0].get_texts()] == ["backend0", "backend2"]


@pytest.mark.parametrize("dtype, epsilon", [("float64", 2**-52), ("float32", 2**-23)])
def test_epsilon_and_promise_are_named_lines(
    dtype: str, epsilon: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = _report(3) | {"dtype": dtype}
    report["tolerances"]["parameters"] = [1e-9, 1e-9, None]
    report["pairs"][0]["worst"]["losses"] = [0, 1e-12, 1e-12]  # equal bit for bit at first
    losses, parameters = _drawn(monkeypatch, report).axes
    for axes in (losses, parameters):
        named = {text.get_text(): text for text in axes.texts}
        drawn = {float(line.get_ydata()[0]) for line in axes.lines}
        for words, height in (("machine\nepsilon", epsilon), ("promised\n1e-09", 1e-9)):
            assert named[words].xy[1] == height and height in drawn
        assert all(text.xy[0] > 1 for text in axes.texts)  # beside the axes, not over lines
    assert "equal" in [text.get_text() for text in losses.texts]
    (promise,) = (line for line in parameters.lines if line.get_ydata()[0] == 1e-9)
    assert np.isnan(promise.get_ydata()[2])  # what is not promised has no line


def test_a_backend_that_died_leaves_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    report = _report(3)
    for pair in report["pairs"]:
        if "backend2" in pair["pair"]:
            pair["worst"] = {kind: [] for kind in KINDS}
    for axes in _drawn(monkeypatch, report).axes:
        assert {len(line.get_xdata()) for line in axes.lines[:2]} == {3, 0}


def test_six_curves_are_a_picture(tmp_path: Path) -> None:
    curves.comparison(tmp_path / "compare.png", _report(6))
    assert (tmp_path / "compare.png").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["compare.png"]


DRAW = """
import sys
import warnings
from pathlib import Path
import numpy as np
from ganref.output import curves, pictures
from ganref.spec import Trace, recipe

toy, points = recipe("gaussian"), np.random.default_rng(0).normal(size=(50, 2))
here = Path(sys.argv[1])
curves.progress(here / "progress.png", toy, Trace(*np.ones((5, 40))), points, points)
pictures.beside(here / "beside.png", points, points, "toy")
pictures.picture(here / "points.png", points, None)
import matplotlib
print(matplotlib.rcParams["lines.linewidth"])
"""


def _draw(here: Path, **env: str) -> tuple[list[bytes], str, str]:
    here.mkdir()
    command = [sys.executable, "-c", DRAW, str(here)]
    # Where matplotlib looks for a file of settings, but for the variable of its own.
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MPL")}
    paths = {"PYTHONPATH": str(Path(__file__).parents[2]), "MATPLOTLIBRC": os.devnull}
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean | paths | env, cwd=here.parent
    )
    assert done.returncode == 0, done.stderr
    names = ("beside.png", "points.png", "progress.png")
    return [(here / name).read_bytes() for name in names], done.stdout.strip(), done.stderr


def test_pictures_do_not_ask_what_matplotlib_was_told(tmp_path: Path) -> None:
    plain, width, words = _draw(tmp_path / "plain")
    assert width == "1.5" and words == ""
    nonsense, _, words = _draw(tmp_path / "nonsense", MPLBACKEND="module://nowhere.at_all")
    assert nonsense == plain and words == ""
    assert _draw(tmp_path / "none", MPLBACKEND="no such backend")[0] == plain
    settings = tmp_path / "settings"
    settings.write_text(
        "text.usetex: True\nlines.linewidth: 9\nfont.size: 30\nsavefig.format: nope\n"
        "backend: QtAgg\nfigure.dpi: 7\nsavefig.bbox: tight\nno such key: 3\nno colon\n"
    )
    usual, width, _ = _draw(tmp_path / "usetex", MATPLOTLIBRC=str(settings))
    assert usual == plain
    assert width == "9.0"  # a person's own plots are theirs again
    settings.write_bytes(b"\xff\xfe\x00 no text")
    assert _draw(tmp_path / "bytes", MATPLOTLIBRC=str(settings))[0] == plain


def test_a_loss_that_became_nothing_is_drawn(tmp_path: Path) -> None:
    trace = Trace(*np.full((5, 300), np.nan))
    points = np.full((9, 2), np.nan)
    curves.progress(tmp_path / "p.png", recipe("gaussian"), trace, points, None, {"m": [(1, 2.0)]})
    assert json.dumps([p.name for p in tmp_path.iterdir()]) == '["p.png"]'
