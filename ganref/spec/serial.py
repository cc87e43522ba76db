"""Recipes as plain JSON data and back, for run directories and checkpoints."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from .errors import UserError
from .losses import LOSSES, Loss
from .schema import Recipe

# Fields that recipes and losses were once written without: then they were what they are unless
# somebody says otherwise.
LATER = {"D_updates", "spectral", "power", "r2", "gp", "clip", "conditional", "classes", "groups"}
# Of these, what is written only where it says something: other recipes are the text they were.
SELDOM = ("conditional", "classes")
# Until kinds had fields of their own, every loss was written with those of all of them.
ONCE_ALL = {"generator": "non_saturating", "real_label": 1.0, "margin": 1.0, "repelling": 0.0}


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested dictionaries, lists, strings and numbers; a loss with its `kind`."""
    data = dataclasses.asdict(recipe)
    if not recipe.conditional:
        data = {name: value for name, value in data.items() if name not in SELDOM}
    if recipe.norm.groups == 1:
        data["norm"] = {name: value for name, value in data["norm"].items() if name != "groups"}
    return data | {"loss": {"kind": recipe.loss.name} | data["loss"]}


def from_dict(data: Any) -> Recipe:
    """The recipe that `to_dict` gave. Raises UserError for anything else: an unknown or missing
    field, a value of another type, numbers that a recipe refuses."""
    return typed(Recipe, data, "recipe")


def _loss(value: Any, where: str) -> Loss:
    if not isinstance(value, dict):
        raise UserError(f"{where} must be an object, not {value!r:.60}")
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in LOSSES:
        raise UserError(f"{where} is of unknown kind {kind!r:.60}; there are {', '.join(LOSSES)}")
    own = {field.name for field in dataclasses.fields(LOSSES[kind])}
    rest = {name: number for name, number in value.items() if name != "kind"}
    rest = _absent(LOSSES[kind], rest) | rest
    if set(rest) == set(ONCE_ALL) | {field.name for field in dataclasses.fields(Loss)}:
        for name in set(rest) - own:
            if rest.pop(name) != ONCE_ALL[name]:
                raise UserError(f"{where}.{name} is not a number of a loss of kind {kind}")
    return typed(LOSSES[kind], rest, where)


def _absent(kind: Any, value: dict[str, Any]) -> dict[str, Any]:
    return {f.name: f.default for f in dataclasses.fields(kind) if f.name in LATER - set(value)}


def typed(kind: Any, value: Any, where: str) -> Any:
    """The value as that kind: a frozen dataclass of its fields, a tuple, a dict, or what JSON has.
    Raises UserError, naming `where`, for anything else."""
    if kind is Loss:
        return _loss(value, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise UserError(f"{where} must be an object, not {value!r:.60}")
        value = _absent(kind, value) | value
        types_of = typing.get_type_hints(kind)
        hints = {field.name: types_of[field.name] for field in dataclasses.fields(kind)}
        if set(value) != set(hints):
            odd = sorted(set(value) ^ set(hints))[0]
            raise UserError(f"{where} has a missing or unknown field {odd!r}")
        return kind(**{k: typed(hints[k], v, f"{where}.{k}") for k, v in value.items()})
    if typing.get_origin(kind) is tuple:
        args = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            raise UserError(f"{where} must be a list, not {value!r:.60}")
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) != len(value):
            raise UserError(f"{where} must have {len(kinds)} entries, not {len(value)}")
        return tuple(typed(k, v, where) for k, v in zip(kinds, value, strict=True))
    if typing.get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise UserError(f"{where} must be an object, not {value!r:.60}")
        of = typing.get_args(kind)[1]
        return {name: typed(of, item, f"{where}.{name}") for name, item in value.items()}
    if isinstance(kind, types.UnionType):
        kind = next(k for k in typing.get_args(kind) if k is not types.NoneType)
        return None if value is None else typed(kind, value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise UserError(f"{where} must be of type {kind.__name__}, not {value!r:.60}")
    return value
