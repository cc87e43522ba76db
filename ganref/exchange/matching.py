"""Whose tensors are whose: a recipe's networks and a file's layers, by structure and shape.

A recipe's width, channels and latent size are unknowns here. They are put into it as large primes,
so that a size in a shape says of which of them it is how many times; the file's layers then say
what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..spec.layers import BatchNorm, ConvTranspose, Layer, Shape
from ..spec.networks import Network
from ..spec.schema import Recipe
from .naming import Module, spec_shape

UNKNOWN = {"width": 1_000_003, "channels": 1_000_033, "latent_dim": 1_000_037}
BUDGET = 20_000  # layers that are tried
MANY = 100  # of theirs that are looked at for what is wrong

Sizes = dict[str, int]


@dataclass(frozen=True)
class Fit:
    """A file's layers as those of a network: by the index of ours, theirs; the unknown sizes; what
    of the file is left over; and the first of ours that no layer of theirs fits."""

    network: Network
    pairs: dict[int, Module]
    sizes: Sizes
    left: tuple[Module, ...] = ()
    missing: int | None = None

    @property
    def alike(self) -> list[tuple[str, str]]:
        """Theirs that shapes cannot tell from one another, pair by pair."""
        seen: dict[str, str] = {}
        found = []
        for module in self.pairs.values():
            if (key := str(sorted(module.shapes.items()))) in seen:
                found.append((seen[key], module.name))
            seen[key] = module.name
        return found


def unknown(recipe: Recipe) -> Recipe:
    """The recipe with its sizes unknown."""
    shape = (UNKNOWN["channels"], *recipe.data_shape[1:])
    return recipe.replace(
        width=UNKNOWN["width"], latent_dim=UNKNOWN["latent_dim"], data_shape=shape
    )


def known(recipe: Recipe, sizes: Sizes) -> Recipe:
    """The recipe with these sizes, and its own where the file does not say."""
    channels = sizes.get("channels", recipe.data_shape[0])
    others = {name: n for name, n in sizes.items() if name != "channels"}
    return recipe.replace(data_shape=(channels, *recipe.data_shape[1:]), **others)


def fits(
    network: Network, theirs: list[Module], layout: str, names: tuple[str, ...] = ()
) -> list[Fit]:
    """The ways in which the layers are all those of a network with unknown sizes, and nothing is
    left over: two at most, which differ in their sizes. `names` are those that a profile has for
    the layers, for what shapes cannot tell."""
    layers = weighted(network)
    if len(layers) != len(theirs):
        return []
    wanted = dict(zip(layers, names, strict=False))
    tried = 0

    def run(todo: list[int], pairs: dict[int, Module], sizes: Sizes) -> Iterator[Fit]:
        nonlocal tried
        if not todo:
            yield Fit(network, pairs, sizes)
            return
        index, seen = todo[0], set()
        left = without(theirs, pairs)
        for module in sorted(left, key=lambda m: m.name != wanted.get(index)):
            shapes = str(sorted(module.shapes.items()))
            tried += 1
            if shapes in seen or tried > BUDGET:  # one like it has been tried
                continue
            seen.add(shapes)
            more = unified(layers[index], module, layout, sizes)
            if more is not None:
                yield from run(todo[1:], pairs | {index: module}, more)

    found: list[Fit] = []
    for fit in run(list(layers), {}, {}):
        if fit.sizes not in [other.sizes for other in found]:
            found.append(fit)
        if len(found) > 1:
            break
    return found


def nearest(network: Network, theirs: list[Module], layout: str) -> Fit:
    """As many layers as can be had, from wherever one begins: what is missing or left over then is
    what is wrong."""
    layers, some = weighted(network), theirs[:MANY]
    best = Fit(network, {}, {}, tuple(theirs), next(iter(layers), None))
    for begin in layers:
        for first in some:
            sizes = unified(layers[begin], first, layout, {})
            if sizes is None:
                continue
            pairs = {begin: first}
            for index, layer in layers.items():
                for module in without(some, pairs) if index != begin else []:
                    if (more := unified(layer, module, layout, sizes)) is not None:
                        pairs[index], sizes = module, more
                        break
            if len(pairs) > len(best.pairs):
                missing = next((index for index in layers if index not in pairs), None)
                best = Fit(network, pairs, sizes, tuple(without(theirs, pairs)), missing)
    return best


def weighted(network: Network) -> dict[int, Layer]:
    """A network's layers with tensors, by their index."""
    return {i: layer for i, layer in enumerate(network.layers) if layer.params()}


def without(theirs: list[Module], pairs: dict[int, Module]) -> list[Module]:
    """Theirs that no layer of ours has taken."""
    return [m for m in theirs if not any(m is own for own in pairs.values())]


def unified(layer: Layer, module: Module, layout: str, sizes: Sizes) -> Sizes | None:
    """The sizes with which that layer of ours is that layer of theirs; None if there are none."""
    params = {p.name: p.shape for p in layer.params()}
    if set(params) != set(module.shapes):
        return None
    for name, shape in params.items():
        theirs = module.shapes[name]
        if not isinstance(layer, BatchNorm):
            theirs = spec_shape(layout, isinstance(layer, ConvTranspose), theirs)
        found = _equal(shape, theirs, sizes)
        if found is None:
            return None
        sizes = found
    return sizes


def _equal(ours: Shape, theirs: Shape, sizes: Sizes) -> Sizes | None:
    if len(ours) != len(theirs):
        return None
    for own, other in zip(ours, theirs, strict=True):
        name = next((n for n, prime in UNKNOWN.items() if own % prime == 0), None)
        if name is None:
            if own != other:
                return None
            continue
        times = own // UNKNOWN[name]
        if other % times or other == 0 or sizes.get(name, other // times) != other // times:
            return None
        sizes = sizes | {name: other // times}
    return sizes


def nearest_to(layer: Layer, left: tuple[Module, ...], layout: str, sizes: Sizes) -> Module | None:
    """Of those left over, the one that has most in common with a layer of ours."""
    params = {p.name: in_words(p.shape, sizes) for p in layer.params()}

    def common(module: Module) -> int:
        points = 4 * len(set(params) & set(module.shapes)) - 3 * len(
            set(module.shapes) ^ set(params)
        )
        for name in set(params) & set(module.shapes):
            shape = spec_shape(layout, isinstance(layer, ConvTranspose), module.shapes[name])
            points += 3 * (len(shape) == len(params[name]))
            points += sum(str(n) == own for n, own in zip(shape, params[name], strict=False))
        return points

    return max(left, key=common, default=None)


def in_words(shape: Shape, sizes: Sizes) -> tuple[str, ...]:
    """A shape with unknown sizes as people read it: those that are known in numbers."""
    words = []
    for n in shape:
        name = next((name for name, prime in UNKNOWN.items() if n % prime == 0), None)
        times = n // UNKNOWN[name] if name else n
        if name is None or name in sizes:
            words.append(str(times * sizes[name] if name else n))
        else:
            words.append(f"{times if times > 1 else ''}{name.removesuffix('_dim')}")
    return tuple(words)
