"""The project's own files: requirements, pins, documents."""

from __future__ import annotations

import platform
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ganref
from checks import wheel
from ganref.backend import BACKENDS

ROOT = Path(__file__).parents[2]
# A command line is a module that does something when it is run.
COMMANDS = {
    f"ganref.{path.stem}"
    for path in (ROOT / "ganref").glob("*.py")
    if '__name__ == "__main__"' in path.read_text()
}


def _pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# Which pins a Python has: with MXNet while it exists, and NumPy 2 without it from then on.
PINS = {
    "3.11": "constraints.txt",
    "3.12": "constraints.txt",
    "3.13": "constraints-numpy2.txt",
    "3.14": "constraints-numpy2.txt",
}


def _pins(file: str = "constraints.txt") -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    pins = [Requirement(line) for line in lines if line]
    for pin in pins:
        assert [s.operator for s in pin.specifier] == ["=="], pin
    return {canonicalize_name(p.name): next(iter(p.specifier)).version for p in pins}


def _wanted(lines: list[str], python: str, machine: str = "x86_64") -> list[Requirement]:
    """The requirements that hold there."""
    there = {"python_version": python, "platform_machine": machine, "sys_platform": "linux"}
    wanted = map(Requirement, lines)
    return [r for r in wanted if r.marker is None or r.marker.evaluate(there)]


@pytest.mark.parametrize("python, file", PINS.items())
def test_every_requirement_is_pinned_within_its_range(python: str, file: str) -> None:
    project, pins = _pyproject()["project"], _pins(file)
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    for requirement in _wanted(lines, python):
        name = canonicalize_name(requirement.name)
        if name == "ganref":
            assert requirement.extras <= set(extras), requirement
        else:
            assert requirement.specifier.contains(pins[name]), f"{requirement}, not {pins[name]}"


@pytest.mark.parametrize("python, file", PINS.items())
def test_a_python_is_given_its_pins(
    python: str, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", tuple(map(int, python.split("."))))
    exec((ROOT / ".ci" / "pins.py").read_text())
    assert capsys.readouterr().out == f"{file}\n"


def test_the_pins_are_of_one_numpy_each() -> None:
    one, two = _pins("constraints.txt"), _pins("constraints-numpy2.txt")
    assert one["numpy"].startswith("1.") and two["numpy"].startswith("2.")
    assert "mxnet" in one and "mxnet" not in two


@pytest.mark.parametrize("python", PINS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_marker_says_what_the_list_of_backends_does(
    python: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip takes a framework exactly where the program would tell people to install it."""
    extras = _pyproject()["project"]["optional-dependencies"]
    monkeypatch.setattr(sys, "version_info", tuple(map(int, python.split("."))))
    monkeypatch.setattr(platform, "machine", lambda: machine)
    for entry in BACKENDS.values():
        if entry.extra:
            taken = bool(_wanted(extras[entry.extra], python, machine))
            assert taken == (not entry.releases.why_not()), entry


def test_there_is_no_python_too_new() -> None:
    """An upper bound would be for pip, which then looks for an older ganref."""
    project = _pyproject()["project"]
    assert project["requires-python"] == f">={min(PINS, key=lambda v: int(v[2:]))}"
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert classified == [*PINS]


def test_every_backend_has_the_extra_that_it_names() -> None:
    extras = _pyproject()["project"]["optional-dependencies"]
    assert {entry.extra for entry in BACKENDS.values()} - {""} <= set(extras)


def test_tensorflow_has_an_extra_with_cuda() -> None:
    """PyTorch's wheels bring CUDA along, TensorFlow's where it is asked for; in one range."""
    extras = _pyproject()["project"]["optional-dependencies"]
    (plain,), (cuda,) = (map(Requirement, extras[name]) for name in ("tf", "tf-cuda"))
    assert cuda.extras == {"and-cuda"} and not plain.extras
    assert (cuda.name, cuda.specifier, cuda.marker) == (plain.name, plain.specifier, plain.marker)
    (torch,) = map(Requirement, extras["torch"])
    assert torch.specifier.contains("2.6.0") and torch.specifier.contains("2.11.0")


def test_every_fault_on_a_gpu_has_the_test_that_it_names() -> None:
    files = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    table = (ROOT / "docs" / "gpu.md").read_text().partition("## Faults")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20
    for row in rows:
        named = re.findall(r"`(test_\w+)(\.py)?`", row.rpartition(" | ")[2])
        assert [name for name, suffix in named if not suffix], row
        file = ""
        for name, suffix in named:
            file = f"{name}.py" if suffix else file
            assert suffix or f"def {name}(" in files[file], f"{file} has no {name}"


def test_a_wheel_is_held_against_the_tree() -> None:
    files = {line.removeprefix("missing: ") for line in wheel.wrong([])}
    assert {"ganref/py.typed", "ganref/cli/main.py"} <= files
    assert wheel.wrong([*files, "ganref-0.1.0.dist-info/METADATA"]) == []
    odd = "tests/conftest.py"
    assert wheel.wrong([*files, odd]) == [f"not of the package: {odd}"]


def test_pre_commit_has_the_pinned_ruff() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"ruff-pre-commit\s+rev: v(\S+)", text) == [_pins()["ruff"]]


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_documents_name_what_there_is(path: Path) -> None:
    text = path.read_text()
    for module in re.findall(r"python3? -m (ganref\.\w+)", text):
        assert module in COMMANDS, f"{path.name} runs {module}"
    for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", text):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_the_readme_has_every_recipe() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(rows) == set(ganref.RECIPES)


def test_the_first_python_that_one_reads_works() -> None:
    text = (ROOT / "docs" / "howto" / "start.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["loss_D"].shape == names["loss_G"].shape == (125,)
    assert names["fake"].shape == (8, 2) and names["score"].shape == (8,)


def test_nobody_imports_a_conftest() -> None:
    """Two folders have one, and which of them is meant depends on which came first."""
    wanted = re.compile(r"^\s*(from|import) conftest\b", re.MULTILINE)
    assert not [path for path in (ROOT / "tests").rglob("*.py") if wanted.search(path.read_text())]


def test_no_two_tests_have_one_name() -> None:
    """A process that has loaded the first of them cannot load the second."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert len(names) == len(set(names))
