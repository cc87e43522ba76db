"""What a backend offers, as lines that can be compared, and how much text two files share."""

from __future__ import annotations

import difflib
import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from ganref.backend import BACKENDS

FILES = ("framework", "layers", "losses", "optim", "peers", "steps", "gan", "fast")


def module(backend: str, file: str) -> ModuleType:
    """One file of a backend, imported."""
    return importlib.import_module(f"{BACKENDS[backend].module}.{file}")


def outline(backend: str, file: str, beside: set[str]) -> list[str]:
    """The public functions and classes of a file in their order, with parameters and the first
    paragraph of their docstrings; of classes the constructor and the methods too, without those
    `beside` and those that are the framework's own hooks: they override what its class has."""
    here = module(backend, file)
    offered = getattr(here, "__all__", None) or [n for n, v in vars(here).items() if _own(v, here)]
    lines = []
    for name in (n for n in offered if not n.startswith("_") and n not in beside):
        thing = getattr(here, name)
        if not inspect.isclass(thing):
            lines.append(f"{name}{_parameters(thing)}: {_summary(thing)}")
            continue
        lines.append(f"class {name}{_parameters(thing.__init__)}: {_summary(thing)}")
        for method, value in vars(thing).items():
            public = inspect.isfunction(value) and not method.startswith("_")
            hook = any(method in vars(base) for base in thing.__mro__[1:])
            if public and method not in beside and (not hook or method in COUNTED.get(name, ())):
                lines.append(f"{name}.{method}{_parameters(value)}: {_summary(value)}")
    return lines


# Methods that count although a framework's base class has them.
COUNTED = {"Adam": ("step",), "Network": ("run", "record")}


def common(one: str, other: str, file: str) -> tuple[int, int, int]:
    """(how many lines stand unchanged in both files, in their order; how many the shorter has, and
    the longer). Blank lines do not count."""
    first, second = (_lines(backend, file) for backend in (one, other))
    blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return sum(b.size for b in blocks), *sorted((len(first), len(second)))


def _lines(backend: str, file: str) -> list[str]:
    text = Path(module(backend, file).__file__ or "").read_text()
    return [line for line in text.splitlines() if line.strip()]


def _own(value: Any, here: ModuleType) -> bool:
    kinds = inspect.isfunction(value) or inspect.isclass(value)
    return kinds and value.__module__ == here.__name__


def _parameters(function: Any) -> str:
    """Names, order, kinds and defaults; annotations differ by framework."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def _summary(thing: Any) -> str:
    text = inspect.cleandoc(thing.__doc__ or "")
    return " ".join(text.partition("\n\n")[0].split())
