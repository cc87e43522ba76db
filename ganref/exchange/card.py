"""What stands beside an export in words: where its weights are from, what goes in and comes out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from .. import __version__
from ..output import strict_json
from ..spec.groups import in_words
from ..spec.schema import Recipe
from .layouts import shape_last
from .nets import Net
from .snippets import snippet
from .verify import Check, script_name

Told = tuple[Net, list[Check]]


@dataclass(frozen=True)
class Origin:
    """Where weights are from: the run, its data (`identity` says which they were, where it is
    known) and what it was made with."""

    recipe: Recipe
    step: int
    seed: int
    data: str
    identity: str
    backend: str
    versions: dict[str, str]
    metrics: dict[str, Any] = field(default_factory=dict)


def card(origin: Origin, target: ModuleType, nets: list[Told]) -> str:
    """A model card in Markdown, of networks and what their files gave."""
    recipe = origin.recipe
    parts = [
        f"# {recipe.name} in {target.TITLE}",
        f"Exported by ganref {__version__} with {_version(target)}. The recipe is after"
        f" {recipe.source}; the weights are those of a run of it.",
        "## Where the weights are from",
        "\n".join(f"- {name}: {text}" for name, text in _facts(origin)),
        *(part for net, checks in nets for part in _of_net(net, checks, target)),
        "## What to know",
        "Every file was opened in a fresh process without ganref and run on"
        f" {nets[0][1][0].examples} examples. What it gave differs from ganref's NumPy by the"
        " numbers above, relative to the output's largest number.",
        "The data have a licence of their own; ganref's, MIT, is of the program.",
    ]
    return "\n\n".join(parts) + "\n"


def verified(origin: Origin, target: ModuleType, nets: list[Told]) -> str:
    """The same numbers as JSON."""
    checks = [dataclasses.asdict(check) for _, found in nets for check in found]
    about = {"recipe": origin.recipe.name, "step": origin.step, "seed": origin.seed}
    with_what = {"ganref": __version__, "framework": _version(target)}
    told = {"target": target.TITLE, **about, "versions": with_what}
    return strict_json.dumps(told | {"checks": checks}, 1) + "\n"


def _facts(origin: Origin) -> list[tuple[str, str]]:
    recipe = origin.recipe
    widths = f"width {recipe.width}, " if recipe.stack != "toy" else ""
    rows = [
        ("recipe", f"{recipe.name}, {recipe.tab} semantics, {widths}latent {recipe.latent_dim}"),
        *([("classes", f"{recipe.classes} ({recipe.conditional})")] if recipe.classes else []),
        ("loss", recipe.loss.name),
        ("data", f"{origin.data} ({origin.identity or 'the checkpoint does not say which'})"),
        ("seed", f"{origin.seed:,}"),
        ("steps", f"{origin.step:,} of {in_words(recipe)}"),
        ("trained with", ", ".join(f"{n} {v}" for n, v in sorted(origin.versions.items()))
         or origin.backend),
    ]  # fmt: skip
    numbers = [f"{name} {value:.4g}" for name, value in origin.metrics.items()]
    return [*rows, *([("in its last epoch", ", ".join(numbers))] if numbers else [])]


def _of_net(net: Net, checks: list[Check], target: ModuleType) -> list[str]:
    ways = target.ways(net)
    rows = [f"| `{check.file}` | {check.relative:.1e} |" for check in checks]
    others = [
        f"`{way.file}` opens with\n\n```python\n" + "\n".join((*way.imports, *way.load)) + "\n```"
        for way in ways[1:]
    ]
    code = snippet(net, ways[0], target.LAST)
    return [
        f"## The {net.stem}",
        "\n".join(["| file | difference from NumPy |", "| --- | --- |", *rows]),
        f"- input `{net.takes}`: {_shape(net.spec.input_shape, target)}, float32{_drawn(net)}\n"
        f"- output `{net.gives}`: {_shape(net.spec.output_shape, target)}, float32{_span(net)}",
        target.signature(net),
        *net.notes,
        f"This is `{script_name(net)}`:\n\n```python\n{code}```",
        *others,
    ]


def _shape(shape: tuple[int, ...], target: ModuleType) -> str:
    sizes = shape_last(shape) if target.LAST else shape
    where = "last" if target.LAST else "first"
    words = f" (images, channels {where})" if np.prod(shape[1:]) > 1 else ""
    return f"(batch, {', '.join(map(str, sizes))}){words}"


def _drawn(net: Net) -> str:
    return {"normal": ", from N(0, 1)", "uniform": ", from U(-1, 1)", "": ""}[net.latent]


def _span(net: Net) -> str:
    if net.range:
        return ", from {:g} to {:g}".format(*net.range)
    return ", any numbers"


def _version(target: ModuleType) -> str:
    framework = target.framework()
    return f"{framework.__name__} {framework.__version__}"
