"""Pictures: bytes, colours, and curves of any number, whatever matplotlib was told."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

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
        "teacher_forced": False, "backends": names, "died": {},
        "losses": {n: {"loss_D": [1, 2, 3 + i], "loss_G": [3, 2, 1 - i]}
                   for i, n in enumerate(names)},
        "tolerances": {kind: [1e-9] * 3 for kind in KINDS},
        "pairs": [{"pair": [a, b], "worst": {kind: [1e-12] * 3 for kind in KINDS},
                   "first_outside": None}
                  for i, a in enumerate(names) for b in names[i + 1:]],
    }  # fmt: skip


@pytest.mark.parametrize("count", [2, 4, 6])
def test_every_backend_has_a_curve(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(curves, "save", lambda path, picture: drawn.append(picture))
    report = _report(count)
    curves.comparison(tmp_path / "compare.png", report)
    above, below = drawn[0].axes
    assert len(above.lines) == 2 * count
    assert len({line.get_color() for line in above.lines}) == count
    pairs = count * (count - 1) // 2
    assert len(below.lines) == 2 * pairs + 1
    assert len({line.get_color() for line in below.lines}) == pairs + 1
    rows = table(report).splitlines()
    assert len(rows) == 2 + pairs + 1
    assert len({row.index("1.0e-12") for row in rows[2:-1]}) == 1  # columns line up


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
