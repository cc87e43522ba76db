"""Pages are to be read: they are short and plain, and their cells line up between frameworks."""

from __future__ import annotations

import ast
import re

import pytest
from subjects import ALL, recipe_of, source

from benchmarks.pages.drivers import DRIVERS

SET_UP = ["Data", "Generator", "Discriminator", "Initialisation"]
CELLS = [*SET_UP, "Loss", "Updates", "Training", "Picture"]
LAYERS = ["up", "down", "norm"]
# These have neither layers nor optimisers: a page has to say how to go through a network (in NumPy
# also how to go back), with functions of its own; JAX's also hand on what they change.
PLAIN = ["numpy", "jax"]


def _cells(name: str) -> list[tuple[str, str]]:
    """The cells of a page, each as its kind and its text."""
    parts = re.split(r"^# %%(.*)\n", source(name), flags=re.MULTILINE)
    assert parts[0] == "", "something stands before the first cell"
    return list(zip((kind.strip() for kind in parts[1::2]), parts[2::2], strict=True))


def _defined(code: str) -> list[str]:
    """The functions of a cell with what they take, without those that only make layers."""
    functions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    taken = {f.name: ", ".join(a.arg for a in f.args.args) for f in functions}
    return [f"{name}({args})" for name, args in taken.items() if name not in LAYERS]


@pytest.mark.parametrize("name", ALL)
def test_words_and_code_take_turns_in_the_same_order(name: str) -> None:
    cells = _cells(name)
    assert [kind for kind, _ in cells] == ["[markdown]", ""] * (1 + len(CELLS))
    words = [text.splitlines() for kind, text in cells if kind]
    assert words[0][0].startswith("# # ")
    assert [lines[0] for lines in words[1:]] == [f"# ## {cell}" for cell in CELLS]
    for lines in words:
        assert all(line.startswith("#") for line in lines if line), lines
        assert any(line.rstrip().endswith(".") for line in lines)
    assert cells[-1][1].startswith('if __name__ == "__main__":')


@pytest.mark.parametrize("name", ALL)
def test_tabs_line_up(name: str) -> None:
    """The pages of a recipe say the same around what frameworks say in ways of their own."""
    recipe, framework = recipe_of(name)
    others = [other for other in ALL if recipe_of(other)[0] == recipe]
    first = next(other for other in others if recipe_of(other)[1] not in PLAIN)
    for (kind, text), (_, other) in list(zip(_cells(name), _cells(first), strict=True))[2:]:
        if kind:
            assert text == other
        elif framework not in PLAIN:
            assert _defined(text) == _defined(other)
        else:
            assert set(_defined(other)) <= set(_defined(text))


@pytest.mark.parametrize("name", ALL)
def test_a_page_is_short_and_plain(name: str) -> None:
    lines = source(name).splitlines()
    read = [line for line in lines if line.strip() and not line.startswith("# %%")]
    framework = recipe_of(name)[1]
    assert 60 <= len(read) <= (140 if framework == "jax" else 130)
    assert max(map(len, lines)) <= 100
    tree = ast.parse(source(name))
    imported = {
        module.split(".")[0]
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert "ganref" not in imported and "argparse" not in imported
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert classes == ([] if framework in [*PLAIN, "torch"] else ["Adam"])


def test_no_page_takes_a_framework_s_name() -> None:
    """A copy of it in the current folder would be imported in the framework's place."""
    assert not {"numpy", "torch", "tensorflow", "mxnet", "keras", "jax"} & set(ALL)
    assert {recipe_of(name)[1] for name in ALL} <= set(DRIVERS)
