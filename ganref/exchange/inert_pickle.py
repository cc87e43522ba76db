"""Pickles as data: their opcodes are followed, and whatever they name is never looked up or called.

This is what `torch.load(weights_only=True)` does, and less: only what a state_dict is made of is
understood, PyTorch is not needed, and no opcode can ask for memory that the file does not have.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from ..spec.errors import UserError
from .pickle_words import CALLS, Named, Storage, Tensor, is_known, put, refusal

OPERATIONS = 2_000_000  # far more than any state_dict's, whose tensors are not in the pickle


class _Mark:
    pass


MARK = _Mark()


def load(stream: BinaryIO) -> Any:
    """What one pickle makes: dicts, lists, numbers, text, `Tensor`, and `Named` for all else.
    Raises UserError for what only running it could make, with its class, and for no pickle."""
    machine = _Machine()
    try:
        for count, (opcode, arg, _) in enumerate(pickletools.genops(stream)):
            if count > OPERATIONS:
                raise UserError(f"holds a pickle of more than {OPERATIONS:,} operations")
            if opcode.name == "STOP":
                return machine.stack.pop()
            if opcode.name not in _STEPS:
                raise UserError(f"holds a pickle with {opcode.name}, which no state_dict has")
            _STEPS[opcode.name](machine, arg)
    except UserError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, EOFError) as error:
        raise UserError(f"holds no whole pickle ({error!s:.60})") from None
    raise UserError("holds no whole pickle (it has no end)")


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def since_mark(self) -> list[Any]:
        """What was laid down since the last mark, taken off with it."""
        at = max(i for i, value in enumerate(self.stack) if value is MARK)
        taken = self.stack[at + 1 :]
        del self.stack[at:]
        return taken


def _global(machine: _Machine, name: str) -> None:
    if not is_known(name):
        raise refusal(name)
    machine.stack.append(Named(name))


def _reduce(machine: _Machine, _: Any) -> None:
    args, function = machine.stack.pop(), machine.stack.pop()
    if not isinstance(function, Named) or not isinstance(args, list):
        raise UserError("holds a pickle that calls what is no function")
    if function.name not in CALLS:
        raise refusal(function.name)
    machine.stack.append(CALLS[function.name](args))


def _build(machine: _Machine, _: Any) -> None:
    machine.stack.pop()  # a state_dict's versions of its modules, say
    if not isinstance(machine.stack[-1], (dict, Named, Tensor)):
        raise UserError("holds a pickle that gives a state to what has none")


def _persistent(machine: _Machine, _: Any) -> None:
    words = machine.stack.pop()
    if not isinstance(words, list) or len(words) < 5 or words[0] not in ("storage", b"storage"):
        raise UserError("holds a pickle that refers to what no state_dict does")
    kind, key, count = words[1], words[2], words[4]
    if not isinstance(kind, Named) or type(key) not in (str, int) or type(count) is not int:
        raise UserError("holds a storage that is none")
    machine.stack.append(Storage(kind.name, str(key), count))


def _set_items(machine: _Machine, _: Any) -> None:
    items = machine.since_mark()
    for pair in zip(items[::2], items[1::2], strict=True):
        put(machine.stack[-1], pair)


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    put(machine.stack[-1], (key, value))


def _append(machine: _Machine, items: list[Any]) -> None:
    if not isinstance(machine.stack[-1], list):
        raise UserError("holds a pickle that appends to what is no list")
    machine.stack[-1].extend(items)


def _make_dict(machine: _Machine, _: Any) -> None:
    items = machine.since_mark()
    made: dict[Any, Any] = {}
    for pair in zip(items[::2], items[1::2], strict=True):
        put(made, pair)
    machine.stack.append(made)


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        if len(machine.stack) < count:
            raise IndexError("an empty stack")
        taken = machine.stack[-count:]
        del machine.stack[-count:]
        machine.stack.append(taken)

    return step


def _pop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.since_mark()


def _memoize(machine: _Machine, arg: Any) -> None:
    machine.memo[len(machine.memo) if arg is None else int(arg)] = machine.stack[-1]


def _stack_global(machine: _Machine, _: Any) -> None:
    own, module = machine.stack.pop(), machine.stack.pop()
    _global(machine, f"{module}.{own}")


def _push(make: Callable[[Any], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, arg: machine.stack.append(make(arg))


def _same(arg: Any) -> Any:
    return arg


_VALUES = (
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING"
    " UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8"
)
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(_VALUES.split(), _push(_same)),
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, arg: None),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _memoize),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"),
                    lambda machine, arg: machine.stack.append(machine.memo[int(arg)])),
    **dict.fromkeys(("TUPLE", "LIST", "FROZENSET"),
                    lambda machine, arg: machine.stack.append(machine.since_mark())),
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_SET"), _push(lambda arg: [])),
    "NONE": _push(lambda arg: None),
    "NEWTRUE": _push(lambda arg: True),
    "NEWFALSE": _push(lambda arg: False),
    "MARK": _push(lambda arg: MARK),
    "EMPTY_DICT": _push(lambda arg: {}),
    "DICT": _make_dict,
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "APPEND": lambda machine, arg: _append(machine, [machine.stack.pop()]),
    "APPENDS": lambda machine, arg: _append(machine, machine.since_mark()),
    "ADDITEMS": lambda machine, arg: _append(machine, machine.since_mark()),
    "GLOBAL": lambda machine, arg: _global(machine, arg.replace(" ", ".", 1)),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
    "BINPERSID": _persistent,
}  # fmt: skip
