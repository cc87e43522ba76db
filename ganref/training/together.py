"""What the workers of a run tell one another: that they are of one run, and stay the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np

from ..spec.engines import Peers
from ..spec.serial import to_dict, typed
from .checkpoint import Checkpoint
from .run import Config
from .watch import Alike, WorkersDiffer

PACKED = 6  # bytes that a float64 holds as a whole number
DIGITS = 16  # of a tensor's digest


def gather(peers: Peers, data: bytes) -> list[bytes]:
    """Every worker's bytes, in the order of ranks."""
    own = np.zeros(peers.size)
    own[peers.rank] = len(data)
    lengths = [int(n) for n in peers.total(own)]
    rows = np.zeros((peers.size, -(-max(lengths) // PACKED)))
    rows[peers.rank] = _packed(data, rows.shape[1])
    whole = peers.total(rows)
    return [_unpacked(row)[:length] for row, length in zip(whole, lengths, strict=True)]


def broadcast(peers: Peers, data: bytes) -> bytes:
    """The first worker's bytes."""
    own = data if peers.rank == 0 else b""
    length = int(peers.total(np.array([len(own)]))[0])
    return _unpacked(peers.total(_packed(own, -(-length // PACKED))))[:length]


def _packed(data: bytes, count: int) -> np.ndarray:
    whole = np.frombuffer(data.ljust(count * PACKED, b"\0"), np.uint8).reshape(count, PACKED)
    return whole @ 256.0 ** np.arange(PACKED)


def _unpacked(numbers: np.ndarray) -> bytes:
    return numbers.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :PACKED].tobytes()


def agree(peers: Peers, facts: dict[str, Any]) -> None:
    """Raises UserError, the same for all workers, where one has other `facts` than the first."""
    flat = {name: str(value) for name, value in _flat(facts)}
    ours, *others = (json.loads(text) for text in gather(peers, json.dumps(flat).encode()))
    for rank, theirs in enumerate(others, 1):
        for name in ours | theirs:
            here, there = (found.get(name, "nothing") for found in (ours, theirs))
            if here != there:
                raise Alike(
                    f"the workers differ in {name}: {there:.80} for rank {rank}, {here:.80} for"
                    " rank 0; start all of them with the same options, versions and data"
                )


def _flat(facts: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in facts.items():
        inner = isinstance(value, dict)
        found += _flat(value, f"{before}{name}.") if inner else [(f"{before}{name}", value)]
    return found


def check_same(peers: Peers, state: dict[str, np.ndarray], step: int) -> None:
    """Raises WorkersDiffer where a worker's state is not the first one's, to the last bit."""
    digests = (hashlib.sha256(np.ascontiguousarray(a).tobytes()) for a in state.values())
    own = "".join(digest.hexdigest()[:DIGITS] for digest in digests)
    first, *others = gather(peers, own.encode())
    for rank, other in enumerate(others, 1):
        for i, name in enumerate(state):
            part = slice(i * DIGITS, (i + 1) * DIGITS)
            if first[part] != other[part]:
                raise WorkersDiffer(
                    f"rank {rank} differs from rank 0 after step {step:,}, first in {name}; all"
                    " workers are stopped, and the last checkpoint is what it was"
                )


def tell(peers: Peers, due: bool, signum: int) -> None:
    """What goes with the next call's losses: whether a checkpoint is due (the first worker's clock
    decides), and the signal that this worker has received."""
    peers.told[0] = due and peers.rank == 0
    peers.told[1 + peers.rank] = signum


def heard(peers: Peers) -> tuple[bool, int]:
    """What all have told in the last call: (whether a checkpoint is due, a signal or 0)."""
    return bool(peers.heard[0]), int(peers.heard[1:].max())


def hand_out(
    peers: Peers, config: Config | None, checkpoint: Checkpoint | None
) -> tuple[Config, int, dict[str, np.ndarray]]:
    """The first worker's run for all of them, whose machines may not have its directory: its
    configuration, the steps that are done, and the state ({} before the first)."""
    from safetensors.numpy import load, save

    asked: dict[str, Any] = {}
    if config is not None:
        asked = dataclasses.asdict(config) | {"recipe": to_dict(config.recipe)}
    done = checkpoint.step if checkpoint else 0
    text = broadcast(peers, json.dumps({"config": asked, "step": done}).encode())
    state = broadcast(peers, save(checkpoint.state) if checkpoint else b"")
    found = json.loads(text)
    return typed(Config, found["config"], "config"), found["step"], load(state) if state else {}
