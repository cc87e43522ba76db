"""What workers are refused, each in one line; and what they compare, as threads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from told import TOLD

import ganref
from checks.kill_workers import ENGINES
from ganref import cli, train
from ganref.backend import BACKENDS
from ganref.parity.workers import environment, free_ports
from ganref.spec import UserError
from ganref.spec.engines import Engine, Place
from ganref.training import together
from ganref.training.run import Config
from ganref.training.watch import WorkersDiffer


@pytest.mark.parametrize(
    "words, says",
    [
        ("--workers 3", "3 workers cannot share a batch of 8 evenly"),
        ("--workers 3 --recipe dcgan32 --groups 2", "3 workers cannot share 2 groups of examples"),
        ("--workers 2 --recipe dcgan32", "train with --groups 2, which is another recipe"),
        ("--workers 2 --batch-size 9 --groups 2", "a batch of 9 is not cut into 2 equal groups"),
        ("--workers 2 --backend numpy", "numpy trains in one process; --workers is for --backend"),
        ("--workers 2 --backend nobody", "unknown backend 'nobody'"),
        ("--workers 0", "argument --workers"),
    ],
)
def test_workers_that_cannot_share(
    words: str, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    argv = [*words.split(), *("--run-dir", str(tmp_path / "run"))]
    argv += [] if "--backend" in words else ["--backend", ENGINES[0]]
    with pytest.raises(SystemExit) as caught:
        cli.run_main(train.main, "ganref.train", argv)
    (said,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2 and says in said and not (tmp_path / "run").exists()


def test_a_backend_without_an_engine_says_so(backend: str) -> None:
    if BACKENDS[backend].engine is None:
        with pytest.raises(UserError, match="no engine for more than one worker"):
            ganref.load_backend(backend).join(0, 2, "127.0.0.1:1", 1.0)


@pytest.mark.parametrize("name", [n for n in ENGINES if n in TOLD])
def test_variables_are_read_as_they_are_written(name: str) -> None:
    engine = BACKENDS[name].engine
    assert engine
    addresses = "127.0.0.1:29500", "127.0.0.1:29501"
    for rank in (0, 1):
        variables = engine.write(Place(rank, 2, rank, addresses))
        found = engine.read(variables)
        known = rank if name != "mxnet" else 0  # DMLC's variables do not say it
        assert found and (found.rank, found.size, found.local_rank) == (rank, 2, known)
        assert found.addresses[0] == addresses[0] and found.port == 29500
    assert engine.read({}) is None


def test_variables_that_make_no_sense() -> None:
    engine = Engine("RANK", "SIZE", ("HOST", "PORT"))
    place = {"RANK": "0", "SIZE": "2", "HOST": "a", "PORT": "1"}
    assert engine.read(place) == Place(0, 2, 0, ("a:1",))
    assert engine.read(place | {"SIZE": "1"}) is None
    for change, says in (
        ({"RANK": "2"}, "RANK is 2; of 2 workers they are 0 to 1"),
        ({"RANK": "x"}, "RANK is 'x'"),
        ({"PORT": "99999"}, "PORT names no port"),
    ):
        with pytest.raises(UserError, match=says):
            engine.read(place | change)
    del place["HOST"]
    with pytest.raises(UserError, match="HOST is not set"):
        engine.read(place)


# By hand, as a launcher of the framework's own would start them.


def _workers(name: str, port: int, ranks: tuple[int, ...], *more: list[str]) -> list[Any]:
    engine = BACKENDS[name].engine
    assert engine
    started, helping = [], []
    for helper in engine.helpers if len(ranks) > 1 else ():
        env = environment(**engine.write(Place(0, 2, 0, (f"127.0.0.1:{port}",))))
        command = [sys.executable, "-m", "ganref.train", "--backend", name]
        helping.append(
            subprocess.Popen(command, env=env | {engine.role: helper}, stderr=subprocess.DEVNULL)
        )
    for rank, own in zip(ranks, more, strict=True):
        addresses = tuple(f"127.0.0.1:{port + i}" for i in range(2))
        command = [sys.executable, "-m", "ganref.train", "--backend", name, "--quiet", *own]
        env = environment(**engine.write(Place(rank, 2, rank, addresses)))
        started.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True))
    found = [(*p.communicate(timeout=60), p.returncode) for p in started]
    for process in helping:  # they wait for workers that have left in another way
        process.kill()
        process.wait()
    return found


def _helped(name: str) -> bool:
    """Whether another process than the first worker waits for the others."""
    engine = BACKENDS[name].engine
    return bool(engine and engine.helpers)


@pytest.mark.parametrize("name", [n for n in ENGINES if n in TOLD])
def test_workers_of_different_runs(name: str, tmp_path: Any) -> None:
    base = ["--steps", "4", "--run-dir", str(tmp_path / "run")]
    first, second = _workers(name, free_ports(1)[0], (0, 1), base, [*base, "--lr-D", "0.04"])
    assert first[1].count("\n") == 1 and not second[1]
    assert "the workers differ in recipe.adam_D.lr: 0.04 for rank 1, 0.05 for rank 0" in first[1]
    assert first[2] == second[2] == 2 and not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [n for n in ENGINES if n in TOLD and not _helped(n)])
def test_a_port_in_use(name: str, tmp_path: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        base = ["--patience", "3", "--run-dir", str(tmp_path / "run")]
        ((_, said, code),) = _workers(name, port, (0,), base)
    assert code == 2 and said.count("\n") == 1 and f"127.0.0.1:{port} is in use" in said


@pytest.mark.parametrize("name", [n for n in ENGINES if n in TOLD])
def test_nobody_at_the_coordinator(name: str, tmp_path: Any) -> None:
    base = ["--patience", "3", "--run-dir", str(tmp_path / "run")]
    port = free_ports(1)[0]
    ((_, said, code),) = _workers(name, port, (1,), base)
    assert code == 2 and said.count("\n") == 1, said
    assert f"not all of 2 workers met at 127.0.0.1:{port} within 3 s" in said


# What they compare.


class _Threads:
    """Workers that are threads of this process."""

    def __init__(self, size: int) -> None:
        self.barrier, self.parts, self.size = threading.Barrier(size), [np.zeros(0)] * size, size

    def each(self, function: Callable[[Any], Any]) -> list[Any]:
        """What a function of a worker's peers makes, or raises, for each of them."""
        found: list[Any] = [None] * self.size

        def run(rank: int) -> None:
            try:
                found[rank] = function(_Peer(self, rank))
            except UserError as error:
                found[rank] = error

        threads = [threading.Thread(target=run, args=(rank,)) for rank in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return found


class _Peer:
    def __init__(self, all: _Threads, rank: int) -> None:
        self.all, self.rank, self.size, self.calls = all, rank, all.size, 0
        self.told, self.heard = np.zeros((2, 1 + all.size))

    def total(self, array: np.ndarray) -> np.ndarray:
        self.all.parts[self.rank] = array
        self.all.barrier.wait(20)
        whole = np.sum(self.all.parts, axis=0)
        self.all.barrier.wait(20)
        return whole


@pytest.mark.parametrize("name", [n for n in ENGINES if n in TOLD and not _helped(n)])
def test_nobody_else_comes(name: str, tmp_path: Any) -> None:
    base = ["--patience", "4", "--run-dir", str(tmp_path / "run")]
    ((_, said, code),) = _workers(name, free_ports(1)[0], (0,), base)
    assert code == 2 and said.count("\n") == 1 and "not all of 2 workers met at" in said


def test_bytes_go_around() -> None:
    texts = [b"", b"one", os.urandom(1001)]
    found = _Threads(3).each(lambda peer: together.gather(peer, texts[peer.rank]))
    assert found == [texts] * 3
    found = _Threads(3).each(lambda peer: together.broadcast(peer, texts[2 - peer.rank]))
    assert found == [texts[2]] * 3


def test_what_differs_is_named() -> None:
    for name, other in (("ganref", "0.0.9"), ("data", "8 examples"), ("batch", 16)):
        facts = {"versions": {"ganref": "1"}, "data": "9 examples", "recipe": {"batch": 8}}
        wrong = {
            "versions": {"ganref": other} if name == "ganref" else facts["versions"],
            "data": other if name == "data" else facts["data"],
            "recipe": {"batch": other} if name == "batch" else facts["recipe"],
        }
        found = _Threads(2).each(
            lambda peer, f=facts, w=wrong: together.agree(peer, w if peer.rank else f)
        )
        said = {str(error) for error in found}
        assert len(said) == 1 and name in said.pop().partition(":")[0]
    assert _Threads(2).each(lambda peer: together.agree(peer, facts)) == [None, None]


def test_a_worker_that_differs_is_named() -> None:
    states = [{"a": np.zeros(3), "b": np.arange(4.0) + (rank == 2) * 1e-15} for rank in range(3)]
    found = _Threads(3).each(lambda peer: together.check_same(peer, states[peer.rank], 1000))
    assert all(isinstance(error, WorkersDiffer) and error.exit_code == 4 for error in found)
    assert str(found[0]).startswith("rank 2 differs from rank 0 after step 1,000, first in b")
    same = _Threads(3).each(lambda peer: together.check_same(peer, states[0], 1))
    assert same == [None] * 3


def test_a_run_is_handed_out() -> None:
    """Configuration and state reach machines that have no run directory."""
    from ganref.spec.state import initial_state
    from ganref.training.checkpoint import Checkpoint

    config = Config(ganref.recipe("dcgan32").replace(width=4), steps=7)
    state = initial_state(config.recipe, ganref.initial_weights(config.recipe), "float32")
    saved = Checkpoint(config.recipe, state, 0, 3, "digits", "float32", "numpy")
    hand = together.hand_out
    found = _Threads(2).each(lambda p: hand(p, *((None, None) if p.rank else (config, saved))))
    for own, done, arrays in found:
        assert own == config and done == 3 and set(arrays) == set(state)
        assert all(np.array_equal(arrays[name], state[name]) for name in state)
    found = _Threads(2).each(lambda p: hand(p, None if p.rank else config, None))
    assert [f[1:] for f in found] == [(0, {}), (0, {})]
