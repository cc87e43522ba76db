"""How the workers of a run find one another: by the variables that each framework's own launcher
sets, and nothing beside them.

    PyTorch      RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT      torchrun sets them
    TensorFlow   TF_CONFIG
    MXNet        DMLC_TASK_ID, DMLC_NUM_WORKER, DMLC_PS_ROOT_URI, DMLC_PS_ROOT_PORT, DMLC_ROLE
    JAX          JAX_PROCESS_ID, JAX_NUM_PROCESSES, JAX_LOCAL_DEVICE_IDS, JAX_COORDINATOR_ADDRESS

`Engine.read` says from them where a worker is, `Engine.write` gives them to one that is started.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .errors import UserError


@dataclass(frozen=True)
class Place:
    """Where a worker is: the `rank`th of `size`, the `local_rank`th on its machine. `addresses` are
    "host:port" of all of them, or of the first alone, which is where they meet."""

    rank: int
    size: int
    local_rank: int
    addresses: tuple[str, ...]

    @property
    def host(self) -> str:
        """The machine of the first worker."""
        return self.addresses[0].rpartition(":")[0]

    @property
    def port(self) -> int:
        """Where the first worker waits for the others."""
        return int(self.addresses[0].rpartition(":")[2])


@dataclass(frozen=True)
class Engine:
    """The names of a framework's variables. `address` is one variable, or two: host and port;
    `settings` are variables that keep it quiet, `local` those of workers on one machine."""

    rank: str
    size: str
    address: tuple[str, ...]
    local_rank: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    local: tuple[tuple[str, str], ...] = ()
    # `role` is a variable that is "worker", or one of the `helpers`: processes that do not train.
    role: str = ""
    helpers: tuple[str, ...] = ()

    def read(self, env: Mapping[str, str]) -> Place | None:
        """The place that these variables name; None for one that is alone. Raises UserError."""
        if self.rank not in env or self.size not in env or self.helps(env):
            return None
        rank, size = _count(env, self.rank), _count(env, self.size)
        local_rank = _count(env, self.local_rank) if self.local_rank in env else 0
        if size < 2:
            return None
        if rank >= size:
            raise UserError(f"{self.rank} is {rank}; of {size} workers they are 0 to {size - 1}")
        if missing := [name for name in self.address if name not in env]:
            raise UserError(f"{missing[0]} is not set; it says where worker 0 waits for the others")
        address = ":".join(env[name] for name in self.address)
        return Place(rank, size, local_rank, (checked(address, self.address[-1]),))

    def helps(self, env: Mapping[str, str]) -> bool:
        """Whether this process is there for the workers alone."""
        return bool(self.role) and env.get(self.role, "worker") in self.helpers

    def write(self, place: Place) -> dict[str, str]:
        """The variables of a worker at that place."""
        whole = place.addresses[0]
        parts = whole.rpartition(":")[::2] if len(self.address) == 2 else (whole,)
        named = {self.rank: str(place.rank), self.size: str(place.size)}
        if self.role:
            named[self.role] = "worker"
        if self.local_rank:
            named[self.local_rank] = str(place.local_rank)
        return dict(self.local) | named | dict(zip(self.address, parts, strict=True))

    def here(self, ports: Sequence[int]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """The variables of as many workers on this machine as there are ports, and those of the
        processes that help them."""
        size, addresses = len(ports), tuple(f"127.0.0.1:{port}" for port in ports)
        workers = [self.write(Place(rank, size, rank, addresses)) for rank in range(size)]
        return workers, [workers[0] | {self.role: helper} for helper in self.helpers]


class Peers(Protocol):
    """What `join` of a backend gives: the workers of a run, of which this is one. All of them call
    the same methods in the same order."""

    rank: int
    size: int
    calls: int  # how many sums have been begun
    told: np.ndarray  # (1 + size,): what goes with the next call's losses ...
    heard: np.ndarray  # ... and its sum over the workers

    def sum(self, grads: Any, weight: float) -> Any:
        """`weight` times the sums of all workers' gradients, the same bits for each of them; they
        go as one vector."""

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of all workers' arrays, in float64."""

    def close(self) -> None:
        """Leave the others."""


TORCH = Engine(
    "RANK",
    "WORLD_SIZE",
    ("MASTER_ADDR", "MASTER_PORT"),
    "LOCAL_RANK",
    settings=(("TORCH_CPP_LOG_LEVEL", "FATAL"),),
    local=(("GLOO_SOCKET_IFNAME", "lo"),),
)


JAX = Engine(
    "JAX_PROCESS_ID",
    "JAX_NUM_PROCESSES",
    ("JAX_COORDINATOR_ADDRESS",),
    "JAX_LOCAL_DEVICE_IDS",
    settings=(("TF_CPP_MIN_LOG_LEVEL", "3"),),
)


DMLC = Engine(
    "DMLC_TASK_ID",
    "DMLC_NUM_WORKER",
    ("DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT"),
    local=(("DMLC_NUM_SERVER", "1"), ("DMLC_NODE_HOST", "127.0.0.1")),
    role="DMLC_ROLE",
    helpers=("scheduler", "server"),
)


class _Cluster(Engine):
    """TensorFlow's way: one variable of JSON with every worker's address, and which this one is."""

    def read(self, env: Mapping[str, str]) -> Place | None:
        """The place that the variable names; None for one that is alone. Raises UserError."""
        (name,) = self.address
        if name not in env:
            return None
        try:
            found = json.loads(env[name])
            cluster, task = found["cluster"], found["task"]
            chiefs = list(cluster.get("chief", []))
            addresses = tuple(checked(a, name) for a in [*chiefs, *cluster.get("worker", [])])
            before = len(chiefs) if task["type"] == "worker" else 0
            rank, here = before + int(task["index"]), addresses[before + int(task["index"])]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise UserError(
                f"{name} is no cluster of workers with a task in it ({error!r:.60}); it would be"
                ' {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
            ) from None
        if len(addresses) < 2:
            return None
        machine = here.rpartition(":")[0]
        local = [a for a in addresses[:rank] if a.rpartition(":")[0] == machine]
        return Place(rank, len(addresses), len(local), addresses)

    def write(self, place: Place) -> dict[str, str]:
        """The variable of a worker at that place."""
        task = {"type": "worker", "index": place.rank}
        text = json.dumps({"cluster": {"worker": list(place.addresses)}, "task": task})
        return dict(self.local) | {self.address[0]: text}


TF_CONFIG = _Cluster(
    "TF_CONFIG",
    "the number of workers in TF_CONFIG",
    ("TF_CONFIG",),
    settings=(("TF_CPP_MIN_LOG_LEVEL", "3"),),
)


def settle(engine: Engine, place: Place, env: MutableMapping[str, str]) -> None:
    """Set what a worker at that place has to find before its framework is imported."""
    for name, value in engine.settings:
        env.setdefault(name, value)
    # One process a GPU, which is the first that it sees.
    gpus = env.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(64)))).split(",")
    env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[place.local_rank :][:1])


def checked(address: str, name: str) -> str:
    """An address "host:port". Raises UserError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise UserError(f"{name} names no port of a host: {address!r:.80}; host:29500 would be one")
    return address


def _count(env: Mapping[str, str], name: str) -> int:
    if not env[name].isdigit():
        raise UserError(f"{name} is {env[name]!r:.40}; it is a whole number from 0")
    return int(env[name])
