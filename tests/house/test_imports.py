"""Imports run one way: proven from the source, and from what an import leaves in `sys.modules`."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganref
from ganref.backend import BACKENDS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ganref"

# The house, from the ground up: what each package may import of ours, all of it further down.
# Backends are named by the list in `backend` alone; commands stand on top of everything.
HOUSE = {
    "spec": "",
    "backend": "spec",
    "draws": "spec",
    "output": "spec backend",
    "exchange": "spec backend output",
    "data": "spec backend draws",
    "metrics": "spec backend draws output data",
    "parity": "spec backend draws data",
    "training": "spec backend draws output data metrics",
    "labs": "spec backend draws output data metrics parity training",
    "cli": "spec backend draws output data metrics parity training",
}
# Beside the house: scripts to copy, which import their framework and nothing of ours.
PAGES = "pages"
COMMANDS = {
    "__main__",
    "train",
    "compare",
    "sample",
    "evaluate",
    "lab",
    "page",
    "import_weights",
    "export",
    "doctor",
}
# What `import ganref` offers: the contract and the first weights.
OFFERED = {"spec", "backend", "draws"}

# What a backend may import beside the standard library, NumPy, `ganref.spec` and itself.
BESIDE = {
    "numpy": {"threadpoolctl"},  # the threads of NumPy's BLAS library, where it is installed
    "tf": {"keras"},  # TensorFlow's own layers
}
OWN = {name: {entry.requires} | BESIDE.get(name, set()) for name, entry in BACKENDS.items()}
FRAMEWORKS = {"torch", "tensorflow", "keras", "mxnet", "jax"}


def _module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, in functions too, by its full name; not what is there for
    the type checker alone."""
    inside = _module(path) if path.name == "__init__.py" else _module(path).rpartition(".")[0]
    todo: list[ast.AST] = [ast.parse(path.read_text(), str(path))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = inside.split(".")
            package = parts[: len(parts) + 1 - node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in MODULES else base
        todo.extend(ast.iter_child_nodes(node))


def _package(name: str) -> str:
    """The package (or file) directly under ganref that a module belongs to."""
    return name.split(".")[1] if "." in name else "ganref"


def _foreign(path: Path) -> set[str]:
    """The third-party packages that a file imports."""
    roots = {name.partition(".")[0] for name in _imports(path)}
    return roots - set(sys.stdlib_module_names) - {"ganref"}


def _packages(name: str) -> set[str]:
    """The packages of ours, beside its own, that a module imports."""
    ours = {n for n in _imports(MODULES[name]) if n.partition(".")[0] == "ganref"}
    return {_package(n) for n in ours} - {_package(name), "ganref"}


def test_the_house_is_what_lies_in_the_folder() -> None:
    """Files directly in ganref/ are commands or the contract; every folder has a row."""
    files = {path.stem for path in PACKAGE.glob("*.py")}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert files == COMMANDS | {"__init__", "backend"}
    assert folders == set(HOUSE) - {"backend"} | {PAGES} | {
        entry.module.rpartition(".")[2] for entry in BACKENDS.values()
    }
    assert len(files | folders) - len({"__init__", "__main__"}) <= 22 + len(BACKENDS)


def test_every_row_of_the_house_names_rows_below_it() -> None:
    below: set[str] = set()
    for package, allowed in HOUSE.items():
        assert set(allowed.split()) <= below, package
        below.add(package)


def test_a_package_imports_what_its_row_says() -> None:
    for name in MODULES:
        package = _package(name)
        if package in HOUSE:
            odd = _packages(name) - set(HOUSE[package].split())
            assert not odd, f"{name} imports {odd}"
    assert _packages("ganref") <= OFFERED
    for command in COMMANDS:
        assert _packages(f"ganref.{command}") <= set(HOUSE), command


def test_the_spec_imports_numpy_alone() -> None:
    for name, path in MODULES.items():
        if _package(name) == "spec":
            assert _foreign(path) <= {"numpy"}, path


def test_a_backend_imports_its_framework_numpy_and_the_spec(backend: str) -> None:
    folder = _package(BACKENDS[backend].module)
    for name in (n for n in MODULES if _package(n) == folder):
        assert _foreign(MODULES[name]) <= {"numpy"} | OWN[backend], name
        assert _packages(name) <= {"spec"}, name


def test_nobody_names_a_backend_but_the_list() -> None:
    """What is not a backend reaches one through `load_backend` and imports no framework."""
    folders = {_package(entry.module) for entry in BACKENDS.values()}
    for name, path in MODULES.items():
        if _package(name) not in folders | {PAGES}:
            assert not _foreign(path) & FRAMEWORKS, path
            assert not _packages(name) & folders, name


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {n: set(_imports(path)) & set(MODULES) - {n} for n, path in MODULES.items()}
    while free := {name for name, needs in graph.items() if not needs & set(graph)}:
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert not graph, f"circular imports among {sorted(graph)}"


def test_only_one_file_imports_mxnet() -> None:
    """The help that MXNet 1.9.1 needs stands in one place, so nothing may come in another way;
    pages, which stand alone, have it each."""
    importers = {name for name, path in MODULES.items() if "mxnet" in _foreign(path)}
    assert {n for n in importers if _package(n) != PAGES} <= {"ganref.mxnet.framework"}


def test_pages_import_nothing_of_ours() -> None:
    """Nor does anybody import a page: a copy has to work alone, and a page is nobody's library."""
    for name, path in MODULES.items():
        assert _package(name) == PAGES or PAGES not in _packages(name), name
        if _package(name) == PAGES and path.name != "__init__.py":
            ours = {n for n in _imports(path) if n.partition(".")[0] == "ganref"}
            framework = OWN[name.rpartition("_")[2]]
            help = {"setuptools"} if "mxnet" in framework else set()
            others = {"numpy", "matplotlib", "sklearn"} | framework | help
            assert not ours and _foreign(path) <= others, name


# The same, from what an import leaves behind.


def _run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


def _loaded(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps([*sys.modules]))"
    return set(json.loads(_run(code)))


def test_importing_ganref_brings_numpy_alone() -> None:
    new = _loaded("import ganref") - _loaded("import numpy")
    foreign = {n.partition(".")[0] for n in new} - set(sys.stdlib_module_names) - {"ganref"}
    assert not {n for n in foreign if not n.startswith("_")}
    assert {_package(n) for n in new if n.startswith("ganref.")} == OFFERED


def test_importing_ganref_takes_no_time() -> None:
    # Of the processor: a busy neighbour is not what this is about.
    clock = "time.process_time()"
    code = f"import time; start = {clock}; import ganref; print({clock} - start)"
    seconds = [float(_run(code)) for _ in range(5)]
    print(f"import ganref: {min(seconds):.3f} s")
    assert min(seconds) < 0.3


def test_loading_a_backend_brings_no_other(backend: str) -> None:
    modules = _loaded(f"import ganref; ganref.load_backend({backend!r})")
    # Keras imports JAX, for files of checkpoints, wherever there is one.
    theirs = {"jax"} if "keras" in modules else set()
    assert not {n for n in modules if n in FRAMEWORKS} - OWN[backend] - theirs
    brought = {_package(n) for n in modules if n.startswith("ganref.")}
    assert brought == OFFERED | {_package(BACKENDS[backend].module)}


@pytest.mark.parametrize("package", [p for p in HOUSE if p != "backend"])
def test_a_package_brings_its_row_alone(package: str) -> None:
    """Importing all of a package loads what its row names, and what `import ganref` brings."""
    names = [n for n in MODULES if _package(n) == package]
    modules = _loaded("import " + ", ".join(names))
    brought = {_package(n) for n in modules if n.startswith("ganref.")}
    assert brought <= OFFERED | {package} | set(HOUSE[package].split())
    assert not modules & FRAMEWORKS


def test_no_backend_knows_a_recipe(backend: str) -> None:
    """A recipe is data: no backend asks for its name, or for the tab it came from."""
    folder = _package(BACKENDS[backend].module)
    for path in (path for n, path in MODULES.items() if _package(n) == folder):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant):
                assert node.value not in ganref.RECIPES, f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute) and node.attr in ("name", "tab"):
                assert not ast.unparse(node.value).endswith("recipe"), f"{path}:{node.lineno}"


def test_nobody_asks_what_kind_a_loss_is() -> None:
    """A loss says what it is good for; only its own file and the tables know the kinds."""
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute):
                asked = ast.unparse(node.left)
                assert not asked.endswith("loss.kind"), f"{path}:{node.lineno}"


# Nothing is too long to read.

TABLES = {"layers.py"}  # of layers, of which a person reads one at a time


def test_no_file_and_no_function_is_too_long_to_read() -> None:
    """A ceiling, not the aim: about 200 lines a file and 40 a function is the house's measure."""
    for path in MODULES.values():
        length = len(path.read_text().splitlines())
        assert length <= (450 if path.name in TABLES else 250), f"{path} has {length} lines"
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 80, f"{path}:{node.lineno} {node.name}"
