"""The few lines that open an export and make a picture of it: shown to people, and what is run."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.layers import Shape
from .layouts import shape_last
from .nets import Net

SIDE = 8  # of the square of samples
EXAMPLES = SIDE * SIDE


@dataclass(frozen=True)
class Way:
    """How one file is opened and run: lines of Python, and an expression of the input `{x}` that
    gives an array of NumPy's."""

    file: str
    imports: tuple[str, ...]
    load: tuple[str, ...]
    run: str


def lines(net: Net, way: Way, last: bool) -> list[str]:
    """Open a file and run it on 64 inputs; channels are `last` or first. It leaves both under the
    names that the network has for them."""
    shape = shape_last(net.spec.output_shape) if last else net.spec.output_shape
    words = f"  # {_shape(shape)}" + (", from {:g} to {:g}".format(*net.range) if net.range else "")
    return [
        *way.imports,
        "",
        *way.load,
        *_draw(net, last),
        f"{net.gives} = {way.run.format(x=net.takes)}{words}",
    ]


def snippet(net: Net, way: Way, last: bool) -> str:
    """The same with a picture of samples or, of a D, what it says of noise."""
    shape = shape_last(net.spec.output_shape) if last else net.spec.output_shape
    if net.takes == "X":
        picture = [_said(net)]
    elif len(shape) == 3:
        picture = _grid(net, shape, last)
    else:
        picture = [
            f"plt.scatter({net.gives}[:, 0], {net.gives}[:, -1])",
            f'plt.savefig("{net.stem}.png")',
        ]
    uses = ["import matplotlib.pyplot as plt"] if net.takes == "Z" else []
    return "\n".join([*uses, *lines(net, way, last), *picture]) + "\n"


def _draw(net: Net, last: bool) -> list[str]:
    shape = shape_last(net.spec.input_shape) if last else net.spec.input_shape
    whole = (EXAMPLES, *shape)
    kind = 'astype("float32")'
    if net.takes == "X":
        return [f"X = np.random.default_rng(0).uniform(-1, 1, {whole}).{kind}"]
    of = "standard_normal({})" if net.latent == "normal" else "uniform(-1, 1, {})"
    noise = "np.random.default_rng(0)." + of
    if not net.classes:
        return [f"Z = {noise.format(whole)}.{kind}"]
    size = max(net.spec.input_shape) - net.classes
    return [
        f"noise = {noise.format((EXAMPLES, size))}",
        f"labels = np.eye({net.classes})[np.arange({EXAMPLES}) % {net.classes}]",
        f"Z = np.concatenate([noise, labels], 1).reshape{whole}.{kind}",
    ]


def _grid(net: Net, shape: Shape, last: bool) -> list[str]:
    height, width, channels = shape if last else (*shape[1:], shape[0])
    axes = "(0, 2, 1, 3, 4)" if last else "(0, 3, 1, 4, 2)"
    tiles = f"{net.gives}.reshape({SIDE}, {SIDE}, *{net.gives}.shape[1:]).transpose{axes}"
    colours = "" if channels == 3 else "[..., :1].repeat(3, 2)"
    scaled = f"grid{colours}" if net.range == (0.0, 1.0) else f"grid{colours} / 2 + 0.5"
    return [
        f"grid = {tiles}.reshape({SIDE * height}, {SIDE * width}, {channels})",
        f'plt.imsave("{net.stem}.png", np.clip({scaled}, 0, 1))',
    ]


def _said(net: Net) -> str:
    if len(net.spec.output_shape) == 3 or net.spec.head == "energy":
        return "print(((Y - X) ** 2).reshape(len(X), -1).mean(1))  # the energies"
    return "print(Y[:, 0])"


def _shape(shape: Shape) -> str:
    return f"({', '.join(map(str, (EXAMPLES, *shape)))})"
