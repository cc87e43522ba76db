"""Recipes as plain JSON data and back, for run directories and checkpoints."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from .errors import UserError
from .schema import Recipe


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested dictionaries, lists, strings and numbers."""
    return dataclasses.asdict(recipe)


def from_dict(data: Any) -> Recipe:
    """The recipe that `to_dict` gave. Raises UserError for anything else: an unknown or missing
    field, a value of another type, numbers that a recipe refuses."""
    return _build(Recipe, data, "recipe")


def _build(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise UserError(f"{where} must be an object, not {value!r:.60}")
        hints = typing.get_type_hints(kind)
        if set(value) != set(hints):
            odd = sorted(set(value) ^ set(hints))[0]
            raise UserError(f"{where} has a missing or unknown field {odd!r}")
        return kind(**{k: _build(hints[k], v, f"{where}.{k}") for k, v in value.items()})
    if typing.get_origin(kind) is tuple:
        args = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            raise UserError(f"{where} must be a list, not {value!r:.60}")
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) != len(value):
            raise UserError(f"{where} must have {len(kinds)} entries, not {len(value)}")
        return tuple(_build(k, v, where) for k, v in zip(kinds, value, strict=True))
    if isinstance(kind, types.UnionType):
        kind = next(k for k in typing.get_args(kind) if k is not types.NoneType)
        return None if value is None else _build(kind, value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise UserError(f"{where} must be of type {kind.__name__}, not {value!r:.60}")
    return value
