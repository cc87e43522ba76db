"""python -m ganref.page RECIPE: a script or notebook to start from, which needs no ganref."""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path

from . import __version__, cli
from .backend import BACKENDS, need
from .output.files import results_in, write_atomically
from .spec import RECIPES, UserError

LICENCE = f"# From ganref {__version__}. Copyright (c) 2026 The ganref authors, MIT License."


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.page", description=__doc__)
    p.add_argument("recipe", help=f"one of {', '.join(pages())}")
    p.add_argument(
        "--framework", default="torch", help=f"one of {', '.join(BACKENDS)} (default torch)"
    )
    p.add_argument(
        "-o", "--out", type=cli.path, help="a .py, or a .ipynb (default RECIPE_FRAMEWORK.py)"
    )
    return p


def main(argv: list[str] | None = None) -> int:
    """Write the copy and say where. Raises UserError."""
    args = parser().parse_args(argv)
    name = named(args.recipe, args.framework)
    out = args.out or Path(f"{name}.py")
    if out.suffix not in (".py", ".ipynb"):
        raise UserError(f"--out must end in .py or .ipynb, not {out.suffix or out}")
    if out.exists():
        raise UserError(f"{out} is there already; choose another --out")
    text = copy(name)
    if out.suffix == ".ipynb":
        text = notebook(text)
    with results_in(out.parent):
        write_atomically(out, text.encode())
    print(f"{args.recipe} in {args.framework}: {out}")
    return 0


def pages() -> dict[str, list[str]]:
    """The recipes that have pages, and in which frameworks."""
    files = {entry.name for entry in resources.files("ganref.pages").iterdir()}
    found = {
        recipe: [f for f in BACKENDS if f"{_stem(recipe, f)}.py" in files] for recipe in RECIPES
    }
    return {recipe: frameworks for recipe, frameworks in found.items() if frameworks}


def named(recipe: str, framework: str) -> str:
    """The name of a page. Raises UserError, naming those there are, if there is none."""
    there = pages()
    if recipe not in there:
        raise UserError(f"no page of recipe {recipe!r}; there are {', '.join(there)}")
    if framework not in there[recipe]:
        frameworks = ", ".join(there[recipe])
        raise UserError(f"no page of {recipe} in {framework!r}; there are {frameworks}")
    return _stem(recipe, framework)


def _stem(recipe: str, framework: str) -> str:
    return f"{recipe.replace('-', '_')}_{framework}"


def copy(name: str) -> str:
    """A page's text, its first cell with a line that says where it is from."""
    text = (resources.files("ganref.pages") / f"{name}.py").read_text(encoding="utf-8")
    title, gap, rest = text.partition("\n\n")
    return f"{title}\n#\n{LICENCE}{gap}{rest}"


def notebook(text: str) -> str:
    """The same as a notebook. Raises UserError if jupytext is not installed."""
    jupytext = need("jupytext", "jupytext", "a notebook", "docs")
    return jupytext.writes(jupytext.reads(text, "py:percent"), "ipynb")


if __name__ == "__main__":
    cli.run_main(main, "ganref.page")
