"""The rules of the house, proven from the source, from what an import leaves in `sys.modules`, and
from the project's own files."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ganref
from ganref.backend import BACKENDS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ganref"

# What a backend may import beside the standard library, NumPy, `ganref.spec` and itself.
BESIDE = {
    "numpy": {"threadpoolctl"},  # the threads of NumPy's BLAS library, where it is installed
    "tf": {"keras"},  # TensorFlow's own layers
}
OWN = {name: {entry.requires} | BESIDE.get(name, set()) for name, entry in BACKENDS.items()}
FRAMEWORKS = {"torch", "tensorflow", "keras", "mxnet", "jax"}

# Convolutions and derivatives by hand are NumPy's alone, whose losses are the spec's own.
BY_HAND = {
    "layers.py": {"Layer", "correlate", "correlate_kernel", "spread", "split"},
    "losses.py": {"Loss", "sigmoid", "grad_D", "grad_G", "grad_pulling_away", "pairs", "weight"},
}
# Public names that only one framework needs.
ONLY_HERE = {
    ("tf", "framework.py"): {"quiet"},  # TensorFlow writes to the terminal from below Python
    # Keras is at home in NHWC, and stores kernels accordingly.
    ("tf", "layers.py"): {"channels_first", "channels_last", "from_variable", "to_variable"},
    # Its own `detach` gives an array of the old semantics; the others say or try what is free.
    ("mxnet", "framework.py"): {"detach", "free_memory"},
    ("mxnet", "optim.py"): {"Formula"},  # Gluon's trainer is one thing, its optimiser another
}
# How many steps become one call is a matter of the framework: a loop in NumPy needs no file, CUDA
# graphs and derivatives in MXNet's symbols need their own.
MAY_HAVE: set[str] = set()


def _sources(*parts: str) -> list[Path]:
    return sorted((PACKAGE.joinpath(*parts)).rglob("*.py"))


def _module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {_module(path): path for path in _sources()}
# A command line is a module that does something when it is run.
COMMANDS = {name for name, path in MODULES.items() if '__name__ == "__main__"' in path.read_text()}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, in functions too, by its full name; not what is there for
    the type checker alone."""
    inside = _module(path) if path.name == "__init__.py" else _module(path).rpartition(".")[0]
    todo: list[ast.AST] = [_tree(path)]
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


def _foreign(path: Path) -> set[str]:
    """The third-party packages that a file imports."""
    roots = {name.partition(".")[0] for name in _imports(path)}
    return roots - set(sys.stdlib_module_names) - {"ganref"}


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _ours(path: Path) -> set[str]:
    return {name for name in _imports(path) if _within(name, "ganref")}


# Imports run one way.


def test_the_spec_imports_numpy_alone() -> None:
    for path in _sources("spec"):
        assert _foreign(path) <= {"numpy"}, path
        assert all(_within(name, "ganref.spec") for name in _ours(path)), path


def test_a_backend_imports_its_framework_numpy_and_the_spec(backend: str) -> None:
    module = BACKENDS[backend].module
    for path in _sources(backend):
        assert _foreign(path) <= {"numpy"} | OWN[backend], path
        odd = {n for n in _ours(path) if not _within(n, "ganref.spec") and not _within(n, module)}
        assert not odd, f"{path} imports {odd}"


def test_nobody_names_a_backend_but_the_list() -> None:
    """What is not a backend reaches one through `load_backend` and imports no framework."""
    folders = [entry.module for entry in BACKENDS.values()]
    for name, path in MODULES.items():
        if any(_within(name, folder) for folder in folders):
            continue
        assert not _foreign(path) & FRAMEWORKS, path
        named = {n for n in _ours(path) if any(_within(n, folder) for folder in folders)}
        assert not named, f"{path} imports {named}"


def _reach(name: str) -> set[str]:
    """What a module imports of ours, directly or not."""
    found: set[str] = set()
    todo = {name}
    while todo:
        new = {n for n in _ours(MODULES[todo.pop()]) if n in MODULES} - found
        found |= new
        todo |= new
    return found


def test_imports_run_from_the_commands_down() -> None:
    """Command lines → loop → backend contract, spec, data, checkpoint, plots."""
    assert {"ganref.train"} <= COMMANDS
    above = COMMANDS | {"ganref.cli"}
    assert not _reach("ganref.training.loop") & above
    assert not _reach("ganref.cli") & COMMANDS
    lower = ("backend", "data", "draws", "metrics", "output", "spec", "training")
    for name in MODULES:
        if any(_within(name, f"ganref.{part}") for part in lower):
            assert not _reach(name) & above, name


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {name: _ours(path) & set(MODULES) - {name} for name, path in MODULES.items()}
    while free := {name for name, needs in graph.items() if not needs & set(graph)}:
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert not graph, f"circular imports among {sorted(graph)}"


def test_only_one_file_imports_mxnet() -> None:
    """The help that MXNet 1.9.1 needs stands in one place, so nothing may come in another way."""
    importers = {name for name, path in MODULES.items() if "mxnet" in _foreign(path)}
    assert importers <= {"ganref.mxnet.framework"}


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
    assert not [n for n in new if any(_within(n, e.module) for e in BACKENDS.values())]


def test_importing_ganref_takes_no_time() -> None:
    clock = "time.perf_counter()"
    code = f"import time; start = {clock}; import ganref; print({clock} - start)"
    # The best of a few: a busy neighbour is not what this is about.
    seconds = [float(_run(code)) for _ in range(5)]
    print(f"import ganref: {min(seconds):.3f} s")
    assert min(seconds) < 0.3


def test_loading_a_backend_brings_no_other(backend: str) -> None:
    modules = _loaded(f"import ganref; ganref.load_backend({backend!r})")
    others = {n for n in modules if n in FRAMEWORKS} - OWN[backend]
    assert not others
    entry = BACKENDS[backend].module
    may = ("ganref.backend", "ganref.draws", "ganref.spec", entry)
    for name in (n for n in modules if _within(n, "ganref") and n != "ganref"):
        assert any(_within(name, allowed) for allowed in may), name


# Backends line up.


def _public(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.ClassDef]:
    kinds = ast.FunctionDef, ast.ClassDef
    return [n for n in body if isinstance(n, kinds) and not n.name.startswith("_")]


def _signature(node: ast.FunctionDef) -> str:
    """Names, order, kinds and defaults of the arguments; annotations differ by framework."""
    arguments = ast.parse(ast.unparse(node.args).join(["def f(", "): ..."])).body[0]
    assert isinstance(arguments, ast.FunctionDef)
    for argument in ast.walk(arguments.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return f"{node.name}({ast.unparse(arguments.args)})"


def _outline(path: Path, drop: set[str]) -> list[str]:
    """The public names of a file in their order; functions, and the methods of `GAN`, with their
    arguments."""
    lines = []
    for node in _public(_tree(path).body):
        if node.name in drop:
            continue
        lines.append(node.name if isinstance(node, ast.ClassDef) else _signature(node))
        if node.name == "GAN" and isinstance(node, ast.ClassDef):
            methods = [n for n in _public(node.body) if isinstance(n, ast.FunctionDef)]
            lines += [f"GAN.{_signature(method)}" for method in methods]
    return lines


def test_backends_have_the_same_files(framework: str) -> None:
    here = {path.name for path in (PACKAGE / framework).glob("*.py")}
    assert here - MAY_HAVE == {path.name for path in _sources("numpy")}


@pytest.mark.parametrize("name", sorted(path.name for path in _sources("numpy")))
def test_backends_have_the_same_names_in_the_same_order(framework: str, name: str) -> None:
    oracle = PACKAGE / ("spec" if name == "losses.py" else "numpy") / name
    by_hand = BY_HAND.get(name, set())
    expected = _outline(oracle, by_hand)
    found = _outline(PACKAGE / framework / name, by_hand | ONLY_HERE.get((framework, name), set()))
    assert found == expected


def test_a_backend_keeps_the_contract(backend: str) -> None:
    """The names and arguments of the protocols; a backend may add defaults to arguments."""
    protocols = {n.name: n for n in _public(_tree(PACKAGE / "backend.py").body)}
    contract = [n for n in protocols["GAN"].body if isinstance(n, ast.FunctionDef)]
    (gan,) = (n for n in _public(_tree(PACKAGE / backend / "gan.py").body) if n.name == "GAN")
    methods = {n.name: n for n in _public(gan.body)}
    for wanted in contract:
        found = methods[wanted.name]
        assert isinstance(found, ast.FunctionDef)
        for kind in ("args", "kwonlyargs"):
            names = [[a.arg for a in getattr(f.args, kind)] for f in (found, wanted)]
            assert names[0] == names[1], f"GAN.{wanted.name}"
    init = ast.literal_eval(_assigned(PACKAGE / backend / "__init__.py", "__all__"))
    functions = {n.name for n in protocols["Backend"].body if isinstance(n, ast.FunctionDef)}
    assert set(init) == functions | {"GAN"}


def _assigned(path: Path, name: str) -> ast.expr:
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    raise AssertionError(f"{path} has no {name}")


def test_no_backend_knows_a_recipe(backend: str) -> None:
    """A recipe is data: no backend asks for its name, or for the tab it came from."""
    for path in _sources(backend):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Constant):
                assert node.value not in ganref.RECIPES, f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute) and node.attr in ("name", "tab"):
                assert not ast.unparse(node.value).endswith("recipe"), f"{path}:{node.lineno}"


# The project's own files.


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


def test_no_file_and_no_function_is_too_long_to_read() -> None:
    """A ceiling, not the aim: about 200 lines a file and 40 a function is the house's measure."""
    for path in MODULES.values():
        assert len(path.read_text().splitlines()) <= 400, path
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 80, f"{path}:{node.lineno} {node.name}"
