"""What a person is told to install: right on this Python, and in a checkout or outside one."""

import platform
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import ganref
from ganref import backend
from ganref.parity import trial
from ganref.spec import releases
from ganref.spec.releases import Releases, how_to_install

ROOT = Path(__file__).parents[2]
OLD = Releases(python=(3, 12), machine="x86_64", numpy=1)


def _machine(monkeypatch: pytest.MonkeyPatch, python: tuple[int, int], machine: str) -> None:
    monkeypatch.setattr(sys, "version_info", (*python, 0, "final", 0))
    monkeypatch.setattr(platform, "machine", lambda: machine)


@pytest.mark.parametrize("python, machine", [((3, 13), "x86_64"), ((3, 12), "aarch64")])
def test_a_framework_that_is_not_released_for_this_has_a_reason(
    python: tuple[int, int], machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(monkeypatch, python, machine)
    why = "its last release is for Python up to 3.12 on x86_64 only, and this is Python 3.1"
    assert how_to_install("old", OLD).startswith(why)
    assert how_to_install("old", OLD).endswith(f"3.{python[1]} on {machine}")


def test_a_framework_without_limits_is_there_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, (3, 99), "riscv64")
    assert not Releases().why_not()
    only = Releases(machine="x86_64").why_not()
    assert only == "its last release is for x86_64 only, and this is Python 3.99 on riscv64"
    only = Releases((3, 13)).why_not()
    assert only == "its last release is for Python up to 3.13 only, and this is Python 3.99"


def test_mxnet_on_a_newer_python_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In an error, in the doctor and in the list of what there is."""
    _machine(monkeypatch, (3, 13), "x86_64")
    monkeypatch.setattr(backend, "is_installed", lambda name: name == "numpy")
    monkeypatch.setattr(trial, "is_installed", lambda name: name == "numpy")
    with pytest.raises(ganref.UserError) as caught:
        ganref.load_backend("mxnet")
    works, line = trial.diagnose("mxnet")
    assert not works
    for words in (str(caught.value), line):
        assert "Python up to 3.12" in words and "pip" not in words and "\n" not in words


@pytest.mark.parametrize("numpy, pins", [("1.26.4", "constraints.txt"), ("2.4.6", "-numpy2.txt")])
def test_a_checkout_has_its_pins(numpy: str, pins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the NumPy that is here, or of the one that a framework needs."""
    monkeypatch.setattr(np, "__version__", numpy)
    monkeypatch.chdir(ROOT)
    words = shlex.split(how_to_install("data"))
    assert words[:3] == ["pip", "install", "-c"] and words[4:] == ["-e", ".[data]"]
    assert words[3].endswith(pins) and Path(words[3]).is_file()
    _machine(monkeypatch, (3, 12), "x86_64")
    assert " constraints.txt " in how_to_install("old", OLD)


def test_a_checkout_that_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(how_to_install("data"))
    assert Path(words[3]).is_file() and words[5] == f"{ROOT}[data]"


def test_a_wheel_has_no_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "ROOT", tmp_path)
    assert how_to_install("data") == "pip install 'ganref[data]'"
