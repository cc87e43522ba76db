"""A network as a picture (SVG): its tensors, and what is done between one and the next."""

from __future__ import annotations

import math
from html import escape
from typing import NamedTuple

from ganref.spec import Network
from ganref.spec.layers import Conv, Dense, Flatten, Reshape, Shape

from .tables import name, padding, shape

STEP, MIDDLE, LINE = 122, 150, 13  # from column to column; of all pictures; of words
FEW = 8  # units that are drawn one by one


class Stage(NamedTuple):
    """What is done (a line each), and the shape that comes out."""

    words: tuple[str, ...]
    out: Shape
    code: bool = False


def stages(network: Network) -> list[Stage]:
    """The layers, with those that have no weights of their own added to the one before."""
    found: list[Stage] = []
    for i, layer in enumerate(network.layers):
        out, words = network.shapes[i + 1], (name(layer),)
        if isinstance(layer, Conv):
            side = f"{layer.kernel}×{layer.kernel}"
            kind = "ConvTranspose" if name(layer) != "Conv" else "Conv"
            words = f"{kind} {side}", f"stride {layer.stride}", f"pad {padding(layer)}"
            words = words[0], words[1], words[2].replace(" before, ", "+").replace(" after", "")
        own = isinstance(layer, (Conv, Dense)) or not found
        if own:
            found.append(Stage(words, out))
        else:
            last = found[-1]
            shown = last.words if isinstance(layer, (Reshape, Flatten)) else last.words + words
            found[-1] = Stage(shown, out, last.code)
        if i == network.code:
            found[-1] = found[-1]._replace(code=True)
    return found


def draw(network: Network) -> str:
    """The picture; its colours are the stylesheet's."""
    steps = stages(network)
    shapes = [network.input_shape, *(step.out for step in steps)]
    small = all(len(s) == 1 and s[0] <= FEW for s in shapes)
    half = max(_half(s, small) for s in shapes)
    words, below = MIDDLE - half - 14, MIDDLE + half + 22
    top = words - LINE * max(len(step.words) for step in steps)
    width = STEP * len(shapes)
    said = ", ".join(f"{' '.join(s.words)} gives {shape(s.out)}" for s in steps)
    label = f"{network.name}: {shape(network.input_shape)} goes in; {said}"
    parts = [
        f'<svg class="network {network.name}" viewBox="0 {top:.0f} {width} {below + 20 - top:.0f}" '
        f'style="min-width: {0.78 * width:.0f}px; max-width: {1.15 * width:.0f}px" '
        f'role="img" aria-label="{escape(label)}">'
    ]
    xs = [STEP * (i + 0.5) for i in range(len(shapes))]
    for i, step in enumerate(steps):
        parts.append(_wires(xs[i], shapes[i][0], xs[i + 1], shapes[i + 1][0]) if small else "")
        parts.append(_arrow(xs[i], shapes[i], xs[i + 1], shapes[i + 1]) if not small else "")
        parts.append(_words((xs[i] + xs[i + 1]) / 2, words, step.words))
    coded = [False, *(step.code for step in steps)]
    for x, s, code in zip(xs, shapes, coded, strict=True):
        picture = _units(x, s[0]) if small else _tensor(x, s)
        parts.append(f'<g class="code">{picture}</g>' if code else picture)
        parts.append(f'<text class="shape" x="{x:.0f}" y="{below:.0f}">{shape(s)}</text>')
    ends = [(xs[0], _meaning(network, 0)), (xs[-1], _meaning(network, 1))]
    ends += [(x, "code") for x, code in zip(xs, coded, strict=True) if code]
    parts += [f'<text class="end" x="{x:.0f}" y="{below + 15:.0f}">{t}</text>' for x, t in ends]
    return "".join(parts) + "</svg>"


def _meaning(network: Network, end: int) -> str:
    if network.head == "samples":
        return ("noise z", "sample G(z)")[end]
    return ("x", "copy of x" if network.head == "energy" else "logit o")[end]


def _words(x: float, y: float, words: tuple[str, ...]) -> str:
    """What is done, above the arrow."""
    kinds = "op", *["how"] * len(words)
    lines = [
        f'<text class="{kind}" x="{x:.0f}" y="{y - LINE * up:.0f}">{escape(word)}</text>'
        for up, word, kind in zip(range(len(words))[::-1], words, kinds, strict=False)
    ]
    return "".join(lines)


def _half(s: Shape, small: bool) -> float:
    """How far a picture reaches above and below the middle."""
    if small:
        return 12 * (s[0] - 1) + 10
    _, height, depth = _size(s)
    return (height + 0.5 * depth) / 2


def _size(s: Shape) -> tuple[float, float, float]:
    """(width, height, depth) of a tensor's picture: logarithms, since it is 1 to 1,024."""
    if len(s) == 1:
        return 12, 12 + 10 * math.log2(s[0]), 0
    return 8 + 10.5 * math.log2(s[2]), 8 + 10.5 * math.log2(s[1]), 3 + 3.6 * math.log2(s[0])


def _tensor(x: float, s: Shape) -> str:
    """A bar for a vector; a box as deep as it has channels for an image."""
    w, h, d = _size(s)
    if math.prod(s) == 1:
        return f'<circle class="front" cx="{x:.1f}" cy="{MIDDLE}" r="8"/>'
    dx, dy = 0.75 * d, 0.5 * d
    left, top = x - (w + dx) / 2, MIDDLE - (h - dy) / 2
    box = f'x="{left:.1f}" y="{top:.1f}" width="{w:.1f}" height="{h:.1f}"'
    front = f'<rect class="front" {box} rx="2"/>'
    if not d:
        return front
    lid = f"M{left:.1f} {top:.1f}l{dx:.1f} {-dy:.1f}h{w:.1f}l{-dx:.1f} {dy:.1f}z"
    side = f"M{left + w:.1f} {top:.1f}l{dx:.1f} {-dy:.1f}v{h:.1f}l{-dx:.1f} {dy:.1f}z"
    return f'<path class="lid" d="{lid}"/><path class="side" d="{side}"/>{front}'


def _arrow(x: float, s: Shape, x2: float, s2: Shape) -> str:
    """From one picture to the next."""
    (w, _, d), (w2, _, d2) = _size(s), _size(s2)
    start, end = x + (w + 0.75 * d) / 2 + 5, x2 - (w2 + 0.75 * d2) / 2 - 5
    head = f"M{end - 6:.1f} {MIDDLE - 4}l6 4l-6 4"
    return f'<path class="arrow" d="M{start:.1f} {MIDDLE}H{end:.1f}{head}"/>'


def _heights(n: int) -> list[float]:
    return [MIDDLE + 24 * (i - (n - 1) / 2) for i in range(n)]


def _units(x: float, n: int) -> str:
    circles = (f'<circle class="front" cx="{x:.1f}" cy="{y:.1f}" r="8"/>' for y in _heights(n))
    return "".join(circles)


def _wires(x: float, n: int, x2: float, m: int) -> str:
    """Every unit with every unit of the next column."""
    ends = ((y, y2) for y in _heights(n) for y2 in _heights(m))
    lines = "".join(f"M{x:.1f} {y:.1f}L{x2:.1f} {y2:.1f}" for y, y2 in ends)
    return f'<path class="wires" d="{lines}"/>'
