"""TensorFlow's checkpoints (`tf.train.Checkpoint`, and the variables of a SavedModel), without
TensorFlow. Optimisers are not looked at."""

from __future__ import annotations

from pathlib import Path

from ..output.files import read_file
from ..spec.errors import UserError
from .arrays import Found, Raw, from_bytes, settle, size_of
from .naming import ROLES
from .wire import message, numbers, signed, table, text, varint

TYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64",
         10: "bool", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32",
         23: "uint64"}  # fmt: skip
STRING = 7
GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE, SLOT = "/.ATTRIBUTES/VARIABLE_VALUE", ".OPTIMIZER_SLOT"

Entry = dict[int, list]


def prefix_of(path: Path) -> Path | None:
    """What a checkpoint's files begin with, if that path means one: a file of it, their beginning,
    the folder of the newest, or a SavedModel."""
    name = path.name.partition(".data-")[0].removesuffix(".index")
    if (path.parent / f"{name}.index").is_file():
        return path.parent / name
    if path.is_dir() and (path / "variables" / "variables.index").is_file():
        return path / "variables" / "variables"
    if path.is_dir() and (path / "checkpoint").is_file():
        first = read_file(path / "checkpoint").decode(errors="replace").partition("\n")[0]
        newest = first.partition('"')[2].rpartition('"')[0]
        found = path / Path(newest).name  # wherever the folder was when that was written
        if newest and found.with_name(f"{found.name}.index").is_file():
            return found
    return None


def read_checkpoint(prefix: Path) -> Found:
    """Raises UserError if its files are damaged, or not all there."""
    try:
        entries = {k.decode(): message(v) for k, v in table(
            read_file(prefix.with_name(f"{prefix.name}.index"))).items()}  # fmt: skip
        header = entries.pop("", {})
        shards = _shards(prefix, numbers(header.get(1, [1]))[0])
        named = _named(entries, shards)
        raws = {name: _tensor(entries[key], shards, name) for name, key in named.items()}
        copied = sum(raw.array.nbytes for raw in raws.values())
        if copied > sum(len(shard) for shard in shards):
            raise ValueError("tensors that lie over one another")
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"is no whole checkpoint of TensorFlow ({error!s:.80})") from None
    return settle("a checkpoint of TensorFlow", ("tf",), {"": raws})


def _shards(prefix: Path, count: int) -> list[bytes]:
    names = [f"{prefix.name}.data-{i:05d}-of-{count:05d}" for i in range(min(count, 1000))]
    for name in names:
        if not prefix.with_name(name).is_file():
            raise UserError(f"lacks {name}, which holds its numbers; bring it along")
    return [read_file(prefix.with_name(name)) for name in names]


def _bytes(entry: Entry, shards: list[bytes], name: str) -> memoryview:
    shard, start, size = (numbers(entry.get(field, [0]))[0] for field in (3, 4, 5))
    if not 0 <= shard < len(shards) or start < 0 or not 0 <= size <= len(shards[shard]) - start:
        raise UserError(f"tensor {name!r:.80} lies beyond the end of its file")
    return memoryview(shards[shard])[start : start + size]


def _tensor(entry: Entry, shards: list[bytes], name: str) -> Raw:
    kind = numbers(entry.get(1, [0]))[0]
    dims = message(entry[2][0]).get(2, []) if 2 in entry else []
    shape = tuple(signed(numbers(message(dim).get(1, [0]))[0]) for dim in dims)
    dtype = TYPES.get(kind, f"of type {kind}")
    size_of(dtype, shape, name)
    return from_bytes(dtype, shape, _bytes(entry, shards, name), name)


def _named(entries: dict[str, Entry], shards: list[bytes]) -> dict[str, str]:
    """By the way that leads to it through the objects that were saved: each tensor's key. A key
    alone may name an optimiser, which has the variables too."""
    if GRAPH not in entries:
        plain = {k: e for k, e in entries.items() if numbers(e.get(1, [0]))[0] != STRING}
        return {key.removesuffix(VALUE): key for key in plain if _is_net(key)}
    found: dict[str, str] = {}
    called: dict[
        str, str
    ] = {}  # a SavedModel has lists of variables, which say what they are called
    nodes = [message(node) for node in message(_graph(entries[GRAPH], shards)).get(1, [])]
    todo, seen = [(0, "")], {0}
    while todo:
        at, path = todo.pop(0)
        for child in map(message, nodes[at].get(1, [])):
            name, to = text(child[2][0]), numbers(child.get(1, [0]))[0]
            own = f"{path}/{name}" if path else name
            if not _is_net(own) or not 0 <= to < len(nodes) or len(own) > 400:
                continue
            role = name.lstrip("_")
            for attribute in map(message, nodes[to].get(2, [])):
                key = text(attribute[3][0])
                full = text(attribute[2][0]) if 2 in attribute else ""
                if key in entries and role in ROLES:
                    found.setdefault(f"{path}/{role}", key)
                elif key in entries and full.rpartition("/")[2] in ROLES:
                    called.setdefault(full, key)
            if to not in seen:
                seen.add(to)
                todo.append((to, own))
    return found or called


def _is_net(name: str) -> bool:
    return SLOT not in name and "optimizer" not in name and not name.startswith("save_counter")


def _graph(entry: Entry, shards: list[bytes]) -> memoryview:
    """The one string of that tensor: its length, four bytes of a checksum, itself."""
    data = _bytes(entry, shards, GRAPH)
    length, at = varint(data, 0)
    if at + 4 + length != len(data):
        raise ValueError("a graph of another length")
    return data[at + 4 :]
