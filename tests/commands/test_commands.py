"""`python -m ganref` and the script `ganref`: the commands, and running one."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ganref
from ganref.__main__ import COMMANDS, MODULES, listing

ROOT = Path(__file__).parents[2]
SCRIPT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["ganref"]
# What pip writes into `bin/ganref`, guard and all: comparing starts processes that import it.
CONSOLE = "import sys\nfrom {} import {}\nif __name__ == '__main__':\n    sys.exit({}())\n"


def _start(how: str, *args: object, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "ganref-script"
    script.write_text(CONSOLE.format(*SCRIPT.split(":"), SCRIPT.split(":")[1]))
    named = {"module": ("-m", "ganref"), "script": (str(script),)}.get(how, ("-m", how))
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, *named, *map(str, args)]
    return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=300)


def test_every_file_of_the_package_is_a_command() -> None:
    files = {path.stem for path in Path(ganref.__file__).parent.glob("*.py")}
    named = {MODULES.get(name, name) for name in COMMANDS}
    assert files - named == {"__init__", "__main__", "backend"}


@pytest.mark.parametrize("how", ["module", "script"])
def test_no_command_lists_them_all(how: str, tmp_path: Path) -> None:
    done = _start(how, tmp_path=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(COMMANDS)
    assert all(len(line) <= 100 and len(line.split()) > 3 for line in lines)
    assert done.stdout.strip() == listing()


@pytest.mark.parametrize("how", ["module", "script"])
def test_a_command_is_what_its_module_is(how: str, tmp_path: Path) -> None:
    done = _start(how, "train", "--list", tmp_path=tmp_path)
    alone = _start("ganref.train", "--list", tmp_path=tmp_path)
    assert done.returncode == 0 and "gaussian" in done.stdout and "mxnet" in done.stdout
    assert done.stdout == alone.stdout
    done = _start(how, "train", "--epochs", "0", tmp_path=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("ganref.train: ")
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""


def test_an_unknown_command_is_one_line(tmp_path: Path) -> None:
    done = _start("module", "trian", "--steps", 3, tmp_path=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"ganref: unknown command 'trian'; there are {', '.join(COMMANDS)}\n"


def test_an_older_python_is_one_line() -> None:
    """In a source tree, where no pip has asked."""
    code = "import sys; sys.version_info = (3, 10, 13); import ganref"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("ganref needs Python 3.11 or newer, and this is Python ")


def test_the_script_compares(framework: str, tmp_path: Path) -> None:
    """Its processes are spawned, which imports the script again."""
    args = ("compare", "--backends", f"numpy,{framework}", "--steps", 2, "--quiet")
    done = _start("script", *args, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "compare" / "compare.json").exists()


def test_types_are_shipped() -> None:
    assert (Path(ganref.__file__).parent / "py.typed").exists()
    package_data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert package_data["package-data"]["ganref"] == ["py.typed"]
