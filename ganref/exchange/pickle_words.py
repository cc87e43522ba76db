"""What the pickle of a state_dict may name and call, and what becomes of it instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..spec.errors import UserError

_PLAIN = (str, int, float, bool, bytes, type(None))


class Named(NamedTuple):
    """What a pickle names: a class or a function, as text."""

    name: str


class Storage(NamedTuple):
    """A run of numbers that lies elsewhere in the file: the class that PyTorch has for it, where,
    and how many."""

    kind: str
    key: str
    length: int


class Tensor(NamedTuple):
    """A view of a storage, in numbers (not bytes)."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def put(into: Any, pair: Any) -> None:
    """Lay a pair of key and value into a dictionary. Raises UserError if it is none."""
    key, value = pair
    if not isinstance(into, dict):
        raise UserError("holds a pickle that gives entries to what is no dictionary")
    # Only plain keys: to compare others could take longer than any file is long.
    into[key if type(key) in _PLAIN else object()] = value


def refusal(name: str) -> UserError:
    """Why an object of that class is not read, and what its owner does about it."""
    return UserError(
        f"holds an object of class {name:.80}, which only running its pickle could make, and ganref"
        " runs none; where that model is in memory, save its weights alone:"
        " `torch.save(model.state_dict(), 'weights.pth')`"
    )


def _tensor(args: list[Any]) -> Tensor:
    storage, offset, shape, strides = args[:4]
    numbers = [offset, *shape, *strides]
    whole = all(type(n) is int and n >= 0 for n in numbers) and len(shape) == len(strides)
    if not isinstance(storage, Storage) or not whole:
        raise UserError("holds a tensor whose place, shape or strides are none")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _dict(args: list[Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for pair in args[0] if args else []:
        put(made, pair)
    return made


def _inert(args: list[Any]) -> Named:
    return Named("a value")


# What a state_dict, or the dictionary that it lies in, calls; all else is refused by its name.
CALLS: dict[str, Callable[[list[Any]], Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_parameter": lambda args: args[0],
    "torch._utils._rebuild_parameter_with_state": lambda args: args[0],
    "torch.nn.parameter.Parameter": lambda args: args[0],
    "collections.OrderedDict": _dict,
    "collections.Counter": _inert,
    "collections.defaultdict": lambda args: {},
    "torch.Size": _inert,
    "torch.device": _inert,
    "builtins.set": _inert,
    "__builtin__.set": _inert,
    # NumPy's scalars, such as the losses and scores that checkpoints keep.
    "numpy.core.multiarray.scalar": _inert,
    "numpy._core.multiarray.scalar": _inert,
    "numpy.dtype": _inert,
    "_codecs.encode": _inert,
}
NAMES = {
    *CALLS, "builtins.dict", "__builtin__.dict", "builtins.list", "__builtin__.list",
    "torch.storage.UntypedStorage", "torch.storage.TypedStorage",
}  # fmt: skip
_STORAGE, _DTYPES = "Storage", ("float", "double", "half", "bfloat", "int", "uint", "long", "bool")


def is_known(name: str) -> bool:
    """Whether a state_dict's pickle may name that."""
    module, _, own = name.rpartition(".")
    known = name in NAMES or name.startswith("numpy.dtypes.")
    known |= module in ("torch", "torch.cuda") and own.endswith(_STORAGE)
    return known or (module == "torch" and own.startswith(_DTYPES))
