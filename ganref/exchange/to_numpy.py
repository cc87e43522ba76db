"""NumPy: an `.npz` under the spec's names, and the lines that run it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..backend import need
from .nets import Net
from .snippets import Way

TITLE = "NumPy"
LAST = False  # where an image's channels are
KEPT = ("stride", "padding", "eps", "slope", "shape")  # what a layer's weights do not say


def framework() -> ModuleType:
    """The framework. Raises UserError, with the cure, if it is not here."""
    return need("numpy", "numpy")


def build(net: Net) -> Any:
    """The network in the framework's own layers, in inference mode: what `chain.py` reads."""
    layers = [
        {"kind": type(layer).__name__}
        | {name: getattr(layer, name) for name in KEPT if hasattr(layer, name)}
        for layer in net.spec.layers
    ]
    return net.weights | {"layers": np.array(json.dumps([net.spec.name, layers]))}


def save(net: Net, own: Any, folder: Path) -> None:
    """Write its files. Raises whatever the framework does where the disk refuses."""
    np.savez(folder / f"{net.stem}.npz", **own)
    text = (resources.files("ganref.exchange") / "chain.py").read_text(encoding="utf-8")
    (folder / "chain.py").write_text(text, encoding="utf-8")


def ways(net: Net) -> list[Way]:
    """How each of its files is opened and run; the first is what people are shown."""
    load = f'net = np.load("{net.stem}.npz")'
    return [
        Way(
            f"{net.stem}.npz",
            ("import chain", "import numpy as np"),
            (load,),
            "chain.forward(net, {x})",
        )
    ]


def signature(net: Net) -> str:
    """What the framework calls input and output."""
    return f"`forward` of `chain.py` takes the file and `{net.takes}`; any batch."
