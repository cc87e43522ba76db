"""Other people's terminals: closed pipes, full disks, streams without letters, and no terminal."""

import os
import pty
import shlex
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from told import TOLD

from ganref import compare, evaluate, lab, train
from ganref.output import canvas, curves
from ganref.output.files import results_in
from ganref.spec import UserError

ROOT = Path(__file__).parents[2]


def _shell(words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """A line for bash in which `ganref` is the command."""
    script = (
        f'ganref() {{ {shlex.quote(sys.executable)} -m ganref "$@"; }}; set -o pipefail; {words}'
    )
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | env
    return subprocess.run(["bash", "-c", script], capture_output=True, cwd=cwd, env=variables)


@pytest.mark.parametrize(
    "where, code, says",
    [
        (">/dev/full", 2, b"cannot write to the standard output (No space left on device)"),
        (">&-", 2, b"cannot write to the standard output (it is closed)"),
        ("2>&-", 0, b""),
        ("2>/dev/full", 0, b""),
        (">&- 2>&-", 2, b""),
        ("<&- | true", 0, b""),
        ("2>&1 | head -c 1 >/dev/null", 0, b""),
    ],
)
def test_a_stream_that_takes_nothing(where: str, code: int, says: bytes, tmp_path: Path) -> None:
    """It is said in a line if it can be; the run itself is whole."""
    done = _shell(f"ganref train --steps 150 --run-dir run {where}", tmp_path)
    last = [line for line in done.stderr.splitlines() if not line.startswith(b"gaussian: ")]
    assert done.returncode == code and len(last) == bool(says), done.stderr
    assert says in b"".join(last)
    assert len((tmp_path / "run/steps.csv").read_text().splitlines()) == 151
    assert (tmp_path / "run/checkpoints/step_00000150.safetensors").exists()
    assert (tmp_path / "run/progress.png").exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_letters_that_a_stream_does_not_have(encoding: str, tmp_path: Path) -> None:
    run = "ganref train --steps 3 --run-dir run && ganref evaluate run --num 30"
    said = b""
    for words in ("ganref train --list", "ganref train --summary --recipe dcgan", run):
        done = _shell(words, tmp_path, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        said += done.stdout
    assert ("3x64x64" if encoding == "ascii" else "3×64×64") in said.decode(encoding)
    done = _shell("ganref train --data ./Bilder→neu", tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def _on_a_terminal(*words: str, cwd: Path) -> str:
    """What a command says on standard error if that is a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    command = [sys.executable, "-m", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # its other end is closed
        pass
    assert process.wait() == 0
    os.close(ours)
    return said.decode()


def test_a_bar_for_people_and_lines_for_files(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = ("ganref.train", "--epochs", "2", "--run-dir")
    assert "step/s" in _on_a_terminal(*run, "a", cwd=tmp_path)
    assert _on_a_terminal(*run, "b", "--quiet", cwd=tmp_path) == ""
    here = ["--epochs", "2", "--run-dir"]
    assert train.main([*here, str(tmp_path / "c")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("gaussian: trains on gaussian, 1,000 examples 2 float64, ")
    assert [line.split(":")[1] for line in lines[1:]] == [
        " epoch 1 of 2, step 125", " epoch 2 of 2, step 250"
    ]  # fmt: skip
    assert train.main([*here, str(tmp_path / "d"), "--progress"]) == 0
    assert "step/s" in capsys.readouterr().err
    assert train.main([*here, str(tmp_path / "e"), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_who_is_refused_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train.main(["--steps", "3", "--run-dir", "run", "--quiet"])
    before = sorted(tmp_path.rglob("*"))
    for main, words in (
        (compare.main, "--backends numpy"),
        (compare.main, "--backends numpy,nonsense"),
        (compare.main, "--data nowhere --out a/b/c"),
        (lab.main, "vanishing --device cuda:9"),
        (lab.main, "vanishing --dtype float8 --out a/b"),
        (evaluate.main, "run --data nowhere --out a/b"),
        (evaluate.main, "run --backend nonsense --out a"),
        (train.main, "--run-dir a/b --data nowhere"),
        (train.main, "--run-dir a/b --device cuda:9"),
    ):
        with pytest.raises(UserError):
            main(words.split())
        assert sorted(tmp_path.rglob("*")) == before, words


def test_a_folder_that_cannot_be_written_is_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    train.main(["--steps", "3", "--run-dir", str(tmp_path / "run"), "--quiet"])
    for module in ("compare", "lab", "evaluate"):
        monkeypatch.setattr(sys.modules[f"ganref.{module}"], "print", pytest.fail, raising=False)
    for main, words in (
        (compare.main, ["--backends", "numpy,numpy"]),
        (lab.main, ["vanishing"]),
        (evaluate.main, [str(tmp_path / "run")]),
    ):
        with pytest.raises(UserError, match="cannot write .*/file.*; choose another --out"):
            main([*words, "--out", str(tmp_path / "file" / "folder")])


def test_results_stand_before_their_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A picture that cannot be drawn is a warning, and the one of last time does not stay."""

    def fail(*_: object) -> None:
        raise RuntimeError("no picture")

    run = tmp_path / "run"
    train.main(["--steps", "3", "--run-dir", str(run), "--quiet"])
    for picture in ("evaluation.png", "old.png"):
        (run / picture).write_text("of last time")
    monkeypatch.setattr(canvas, "save", fail)
    monkeypatch.setattr(curves, "save", fail)
    monkeypatch.setattr("ganref.output.pictures.save_figure", fail)
    assert evaluate.main([str(run), "--num", "30"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"written: {run / 'evaluation.json'}" and "mmd2" in "".join(said)
    assert not (run / "evaluation.png").exists() and (run / "old.png").exists()


def test_what_was_made_goes_again_only_if_it_is_empty(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), results_in(tmp_path / "a/b"):
        raise RuntimeError
    assert not (tmp_path / "a").exists()
    with pytest.raises(RuntimeError), results_in(tmp_path / "a/b"):
        (tmp_path / "a/b/half.json").write_text("{}")
        raise RuntimeError
    assert (tmp_path / "a/b/half.json").exists()


def test_options_without_effect_are_refused() -> None:
    for words in ("--width 8", "--leaky-slope 0.1", "--margin 2"):
        with pytest.raises(UserError, match="has no effect"):
            train.main(words.split())
    assert (
        train.main(["--recipe", "ring", "--width", "8", "--leaky-slope", "0.1", "--summary"]) == 0
    )


def test_advice_works_when_it_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """What a message tells a person to do can be done where it is said."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    # `--run-dir` that holds a run: the command that goes on with it.
    train.main(["--steps", "3", "--run-dir", "a run", "--quiet"])
    with pytest.raises(UserError, match="go on with `.*`") as caught:
        train.main(["--steps", "3", "--run-dir", "a run"])
    words = shlex.split(str(caught.value).split("`")[1])
    assert words[:3] == ["python", "-m", "ganref.train"]
    train.main([*words[3:], "--steps", "4", "--quiet"])
    # Unequal images: every command that says --mixed has it.
    for i, size in enumerate(((8, 8), (9, 12), (8, 8))):
        Image.new("L", size, 40 * i).save(tmp_path / f"{i}.png")
    (tmp_path / "faces").mkdir()
    for i in range(3):
        (tmp_path / f"{i}.png").rename(tmp_path / "faces" / f"{i}.png")
    line = "--recipe mlp --width 8 --batch-size 3 --data faces --steps 2 --quiet"
    small = line.split()
    others = [["--backends", f"numpy,{name}"] for name in TOLD if name != "numpy"][:1]
    for main, more in (
        (train.main, ["--run-dir", "b"]),
        *((compare.main, both) for both in others),
    ):
        with pytest.raises(UserError, match="--mixed"):
            main([*small, *more])
        assert main([*small, *more, "--mixed"]) == 0
    checkpoint = next((tmp_path / "b/checkpoints").glob("*.safetensors"))
    checkpoint.rename(tmp_path / "loose.safetensors")
    with pytest.raises(UserError, match="--mixed"):
        evaluate.main(["loose.safetensors", "--num", "30"])
    assert evaluate.main(["loose.safetensors", "--num", "30", "--mixed"]) == 0
