"""What frameworks call a layer's tensors. Only the last word of a name is read: which layer it is,
shapes say."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..spec.layers import Shape
from .arrays import Arrays

# By the word: the spec's own, and whether it is a normalisation's alone.
ROLES = {
    "weight": ("weight", False), "kernel": ("weight", False), "W": ("weight", False),
    "bias": ("bias", False), "b": ("bias", False),
    "gamma": ("weight", True), "scale": ("weight", True),
    "beta": ("bias", True), "shift": ("bias", True),
    "running_mean": ("running_mean", True), "moving_mean": ("running_mean", True),
    "mean": ("running_mean", True),
    "running_var": ("running_var", True), "moving_variance": ("running_var", True),
    "moving_var": ("running_var", True), "var": ("running_var", True),
}  # fmt: skip
_LAST = re.compile(rf"^(.*?)[./_:]?({'|'.join(sorted(ROLES, key=len, reverse=True))})(?::0)?$")
_NUMBERED = re.compile(r"^(.*)/vars/(\d+)$")  # Keras 3: in the order in which a layer made them
NORM = ("weight", "bias", "running_mean", "running_var")
PREFIXES = ("module.", "_orig_mod.")
OTHERS = ("optimizer", "top_level_model_weights")
SPOKEN = {"weight": ("numpy", "torch", "mxnet"), "kernel": ("tf", "jax"), "W": ("jax",)}
COUNTER = "num_batches_tracked"  # which no momentum of ours needs


@dataclass(frozen=True)
class Module:
    """One layer of theirs: its name; by the spec's word for a tensor, the file's, and its shape."""

    name: str
    tensors: dict[str, str]
    shapes: dict[str, Shape]

    @property
    def words(self) -> str:
        """Its tensors for a message."""
        found = (f"{self.tensors[role]} {self.shapes[role]}" for role in self.tensors)
        return ", ".join(found)[:160]


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts `main.10` behind `main.9`."""
    parts = re.split(r"(\d+)", name)
    return [(int(p[:18]), "") if p.isdecimal() and p.isascii() else (-1, p) for p in parts]


def stripped(arrays: Arrays) -> tuple[Arrays, str]:
    """Without what wrappers put before every name (DataParallel, torch.compile), as often as they
    did; and what that was."""
    taken = ""
    while arrays:
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in arrays)), None)
        if prefix is None:
            break
        arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
        taken += prefix
    return arrays, taken


def branches(arrays: Arrays) -> dict[str, Arrays]:
    """By the first word of their names, with what ends it: what lies under it, by what is left of
    its name."""
    found: dict[str, Arrays] = {}
    for name, array in arrays.items():
        first, end, rest = re.split("([./])", f"{name}.", maxsplit=1)
        key = first + end if rest else ""
        found.setdefault(key, {})[rest.removesuffix(".") or name] = array
    return found


def speaking(arrays: Arrays, layouts: tuple[str, ...]) -> tuple[str, ...]:
    """Of the layouts that a file can have, those in which kernels are called what they are here."""
    words = {match[2] for name in arrays if arrays[name].ndim > 1 and (match := _LAST.match(name))}
    said = {layout for word in words for layout in SPOKEN.get(word, ())}
    return tuple(layout for layout in layouts if layout in said) or layouts


def modules(arrays: Arrays) -> list[Module]:
    """The layers that tensors belong to, in the order of their names; one whose last word says
    nothing is a layer of its own."""
    grouped: dict[str, dict[str, str]] = {}
    for name in arrays:
        if name.startswith(OTHERS) or name.endswith(COUNTER):
            continue
        plain = name.removeprefix("arg:").removeprefix("aux:")
        if numbered := _NUMBERED.match(plain):
            grouped.setdefault(numbered[1], {})[numbered[2]] = name
        elif last := _LAST.match(plain):
            grouped.setdefault(last[1], {})[last[2]] = name
        else:
            grouped.setdefault(plain, {})["?"] = name
    found = []
    for name, own in grouped.items():
        for words in _apart(own, arrays):
            shapes = {role: arrays[full].shape for role, full in words.items()}
            found.append(Module(name, words, shapes))
    return sorted(found, key=lambda module: natural(module.name))


def _apart(own: dict[str, str], arrays: Arrays) -> list[dict[str, str]]:
    """One layer's tensors by the spec's names; two layers' where a normalisation has no name of its
    own (JAX)."""
    if all(word.isdecimal() for word in own):
        ordered = [own[word] for word in sorted(own, key=int)]
        return [dict(zip(NORM, ordered, strict=False))] if len(ordered) <= len(NORM) else [own]
    plain = {word: full for word, full in own.items() if word in ROLES and not ROLES[word][1]}
    multiplied = any(arrays[full].ndim > 1 for full in plain.values())
    parts = [plain, {w: f for w, f in own.items() if w not in plain}] if multiplied else [own]
    return [
        {ROLES[word][0] if word in ROLES else word: full for word, full in part.items()}
        for part in parts
        if part
    ]


def spec_shape(layout: str, transposed: bool, shape: Shape) -> Shape:
    """The shape that a kernel of that layout has in the spec's."""
    if layout not in ("tf", "jax") or len(shape) not in (2, 4):
        return shape
    if len(shape) == 2:
        return shape[::-1]
    order = (2, 3, 0, 1) if layout == "jax" and transposed else (3, 2, 0, 1)
    return tuple(int(n) for n in np.array(shape, object)[list(order)])
