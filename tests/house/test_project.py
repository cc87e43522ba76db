"""The project's own files: requirements, pins, documents."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ganref
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


def _pins() -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").open()]
    pins = [Requirement(line) for line in lines if line]
    for pin in pins:
        assert [s.operator for s in pin.specifier] == ["=="], pin
    return {canonicalize_name(p.name): next(iter(p.specifier)).version for p in pins}


def test_every_requirement_is_pinned_within_its_range() -> None:
    project, pins = _pyproject()["project"], _pins()
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name == "ganref":
            assert requirement.extras <= set(extras), requirement
        else:
            assert requirement.specifier.contains(pins[name]), f"{requirement}, not {pins[name]}"


def test_every_backend_has_the_extra_that_it_names() -> None:
    extras = _pyproject()["project"]["optional-dependencies"]
    assert {entry.extra for entry in BACKENDS.values()} - {""} <= set(extras)


def test_pre_commit_has_the_pinned_ruff() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"ruff-pre-commit\s+rev: v(\S+)", text) == [_pins()["ruff"]]


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_documents_name_what_there_is(path: Path) -> None:
    text = path.read_text()
    for module in re.findall(r"python3? -m (ganref\.\w+)", text):
        assert module in COMMANDS, f"{path.name} runs {module}"
    for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", text):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_the_readme_has_every_recipe() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(rows) == set(ganref.RECIPES)


def test_the_readme_s_python_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["loss_D"].shape == names["loss_G"].shape == (125,)
    assert names["fake"].shape == (8, 2) and names["score"].shape == (8,)
