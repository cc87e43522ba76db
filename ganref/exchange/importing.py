"""From what files hold to the state of a run: which network is which, and the map of tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..spec.errors import UserError
from ..spec.schema import Recipe
from .arrays import Arrays, Found
from .matching import Fit, fits, in_words, known, nearest, nearest_to, unknown, weighted
from .naming import branches, modules, speaking, stripped
from .profiles import NETS, Profile

NAMED = {"G": "generator", "D": "discriminator"}
DEPTH = 3
MANY = 40  # parts that are looked at for what is wrong


class Part(NamedTuple):
    """Tensors that may be a network: where they lie in the file, what the file has before each of
    their names, and what of that came from wrappers."""

    path: str
    before: str
    arrays: Arrays
    wrapped: str = ""

    @property
    def within(self) -> list[Part]:
        """The parts that lie in it, if it is made of nothing else."""
        parted = branches(self.arrays)
        if "" in parted:
            return []
        path = f"{self.path}." if self.path else ""
        return [
            _part(path + name.rstrip("./"), self.before + name, arrays)
            for name, arrays in parted.items()
        ]


def _part(path: str, before: str, arrays: Arrays) -> Part:
    own, wrapped = stripped(arrays)
    return Part(path, before + wrapped, own, wrapped)


@dataclass(frozen=True)
class Matched:
    """A network that was found: G or D, how its layers are the recipe's, and in which layout."""

    net: str
    part: Part
    fit: Fit
    layout: str


def parts_of(found: Found, part: str | None) -> list[Part]:
    """What may be a network in a file, the whole first. Raises UserError if the part that is asked
    for is not there."""
    parts = [_part(path, f"{path}." if path else "", arrays) for path, arrays in found.nets.items()]
    if part is None:
        return parts
    deep = [p for own in parts for p in (own, *_below(own, DEPTH))]
    taken = [p for p in deep if p.path == part]
    if not taken:
        first = [p.path for p in parts if p.path] or [p.path for own in parts for p in own.within]
        there = ", ".join(first) or "none by name"
        raise UserError(f"has no part {part!r:.60}; there is {there:.200}")
    return taken[:1]


def _below(part: Part, depth: int) -> list[Part]:
    if depth == 0:
        return []
    return [p for own in part.within for p in (own, *_below(own, depth - 1))]


def matched(
    found: Found, recipe: Recipe, profile: Profile, net: str | None, part: str | None
) -> list[Matched]:
    """The networks of that recipe in a file. Raises UserError where there is none, something is
    left over, or shapes fit in several ways."""
    made: list[Matched] = []
    tried: list[Part] = []
    others: list[Part] = []
    for own in parts_of(found, part):
        _take(own, found.layouts, recipe, profile, made, tried, others, DEPTH)
    if not made:
        raise UserError(_why(tried, found.layouts, recipe))
    for role in NETS:
        several = [own.part.path for own in made if own.net == role]
        if len(several) > 1 and (net in (None, role)):
            raise UserError(
                f"holds several networks that fit {role}: {', '.join(several)}; say which with"
                " --part"
            )
    if others and net is None and part is None:
        names = [p.before + name for p in others for name in p.arrays]
        raise UserError(
            f"leaves {', '.join(names)[:160]} over, which is in neither network; --part takes one"
            " of a file's networks"
        )
    wanted = [own for own in made if net in (None, own.net)]
    if not wanted:
        raise UserError(
            f"holds {made[0].net} by its shapes ({NAMED[made[0].net]}), not {net}; leave --net out"
        )
    return wanted


def _take(
    own: Part,
    layouts: tuple[str, ...],
    recipe: Recipe,
    profile: Profile,
    made: list[Matched],
    tried: list[Part],
    others: list[Part],
    depth: int,
) -> None:
    """Add a part's networks to `made`: of it as a whole, else of what lies in it."""
    ways = ways_of(own, layouts, recipe, profile)
    if len(ways) > 1:
        # A D that normalises throughout has the shapes of a G whose latent is a single number.
        ways = [way for way in ways if way.fit.sizes.get("latent_dim") != 1] or ways
    if len(ways) > 1:
        raise UserError(_several(ways))
    if ways:
        made.append(ways[0])
        return
    tried.append(own)
    within = own.within if depth else []
    inner: list[Matched] = []
    rest: list[Part] = []
    for part in within:
        _take(part, layouts, recipe, profile, inner, tried, rest, depth - 1)
    made += inner
    if inner:
        others += rest
    elif modules(own.arrays):
        others.append(own)


def ways_of(own: Part, layouts: tuple[str, ...], recipe: Recipe, profile: Profile) -> list[Matched]:
    """How a part could be G or D, in each layout that its file can have."""
    theirs, asked = modules(own.arrays), unknown(recipe)
    layouts = speaking(own.arrays, layouts)
    return [
        Matched(net, own, fit, layout)
        for net, network in zip(NETS, asked.networks, strict=True)
        for layout in layouts
        for fit in fits(network, theirs, layout, profile.layers(net))
    ]


def _several(whole: list[Matched]) -> str:
    words = []
    for own in whole:
        sizes = ", ".join(f"{name} {n}" for name, n in own.fit.sizes.items())
        words.append(f"{own.net} with {sizes}, kernels as in {own.layout}")
    return f"fits in several ways: {'; '.join(words)[:300]}; name the network with --net"


def _why(tried: list[Part], layouts: tuple[str, ...], recipe: Recipe) -> str:
    """What is missing or left over, as G and as D, where most of a network fits."""
    words = []
    for net, network in zip(NETS, unknown(recipe).networks, strict=True):
        ways = [
            (nearest(network, modules(part.arrays), layout), layout)
            for part in tried[:MANY]
            for layout in layouts
        ]
        if ways:
            best = max(ways, key=lambda way: len(way[0].pairs))  # of equals, the whole
            words.append((len(best[0].pairs) / len(weighted(network)), _lack(net, *best)))
    if not words:
        return "holds no layers"
    most = max(share for share, _ in words)
    near = "; ".join(text for share, text in words if share > most - 0.25)
    return f"does not fit recipe {recipe.name}: {near}"


def _lack(net: str, fit: Fit, layout: str) -> str:
    if fit.missing is None:
        left = ", ".join(module.words for module in fit.left)
        return f"as its {net}, {left[:200]} is left over; all else fits"
    layer = fit.network.layers[fit.missing]
    shapes = (
        f"{fit.network.name}.{fit.missing}.{p.name} ({', '.join(in_words(p.shape, fit.sizes))})"
        for p in layer.params()
    )
    other = nearest_to(layer, fit.left, layout, fit.sizes)
    have = f"; the nearest that is left is {other.words}" if other else "; nothing is left"
    count = f"{len(fit.pairs)} of {len(weighted(fit.network))}"
    return f"as its {net}, {count} layers fit, and {', '.join(shapes)} is missing{have}"


def sized(recipe: Recipe, found: list[Matched]) -> Recipe:
    """The recipe with the sizes of all networks. Raises UserError where they differ."""
    sizes: dict[str, int] = {}
    for own in found:
        for name, n in own.fit.sizes.items():
            if sizes.setdefault(name, n) != n:
                raise UserError(
                    f"G and D have another {name} each ({sizes[name]} and {n}); a recipe has one:"
                    " import one of them with --net"
                )
    return known(recipe, sizes)
