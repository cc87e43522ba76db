"""Workers on two machines: network namespaces with a wire between them, where one may make them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_training_together import EVERY, TOY, _alone, _apart
from told import TOLD

from checks.kill_workers import until_saved
from ganref.backend import BACKENDS
from ganref.parity.workers import environment
from ganref.spec.engines import Place
from ganref.training.checkpoint import load_latest
from ganref.training.watch import LOST

# Whose engine goes by the addresses that it is given.
ABLE = [name for name in EVERY if name in TOLD and name in ("torch", "tf", "jax")]
HOSTS = "10.203.7.1", "10.203.7.2"
WIRE = "ganref0"
ETC = Path("/etc/netns")  # what `ip netns exec` has a machine find in /etc


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def machines() -> Iterator[list[str]]:
    """The names of two that reach one another and nothing else."""
    names = [f"ganref-{os.getpid()}-{i}" for i in (0, 1)]
    if not shutil.which("ip"):
        pytest.skip("iproute2 is not installed")
    try:
        for name in names:
            _ip("netns", "add", name)
        peer = ("peer", "name", WIRE, "netns", names[1])
        _ip("link", "add", WIRE, "netns", names[0], "type", "veth", *peer)
        for name, host in zip(names, HOSTS, strict=True):
            (ETC / name).mkdir(parents=True)
            (ETC / name / "hosts").write_text(
                f"127.0.0.1 localhost\n{host} {socket.gethostname()}\n"
            )
            _ip("-n", name, "address", "add", f"{host}/24", "dev", WIRE)
            for device in (WIRE, "lo"):
                _ip("-n", name, "link", "set", device, "up")
        yield names
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"no network namespaces here: {error}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
            shutil.rmtree(ETC / name, ignore_errors=True)


def _begin(engine: str, machines: list[str], folder: Path, *more: object) -> list[subprocess.Popen]:
    """A worker on each machine, as a launcher of the framework's own starts them; each machine has
    a disk of its own."""
    found = BACKENDS[engine].engine
    assert found
    addresses = tuple(f"{host}:29500" for host in HOSTS)
    started = []
    for rank, machine in enumerate(machines):
        own = found.write(Place(rank, 2, 0, addresses))
        own = {k: v for k, v in own.items() if k not in dict(found.local)}
        own |= {"GLOO_SOCKET_IFNAME": WIRE} if engine == "torch" else {}
        words = [sys.executable, "-m", "ganref.train", "--backend", engine, "--quiet"]
        words += [*map(str, more), "--run-dir", str(folder / f"machine{rank}")]
        started.append(
            subprocess.Popen(
                ["ip", "netns", "exec", machine, *words],
                env=environment(**own), stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
    return started


@pytest.mark.parametrize("engine", ABLE)
def test_two_machines_train_as_one(engine: str, machines: list[str], tmp_path: Path) -> None:
    both = _begin(engine, machines, tmp_path, *TOY)
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0 and not said, said
    assert not (tmp_path / "machine1").exists()
    _alone("--backend", engine, *TOY, "--compile", "off", "--run-dir", tmp_path / "one")
    assert _apart(tmp_path / "one", tmp_path / "machine0") < 1e-12


def test_a_machine_that_nobody_finds_is_told_so(machines: list[str], tmp_path: Path) -> None:
    """JAX's gloo goes by names, and many a Linux has its own at 127.0.1.1."""
    if "jax" not in TOLD:
        pytest.skip("no JAX")
    (ETC / machines[1] / "hosts").write_text(f"127.0.0.1 {socket.gethostname()}\n")
    first, second = _begin("jax", machines, tmp_path, "--patience", 8, "--steps", 4)
    said = [process.communicate(timeout=60)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (2, 2), said
    assert "where no other machine finds it" in said[1] and said[1].count("\n") == 1


@pytest.mark.parametrize("engine", ABLE[:1])
def test_the_wire_is_cut(engine: str, machines: list[str], tmp_path: Path) -> None:
    """Both stop, and the last checkpoint is there to go on from."""
    more = "--steps", 100_000, "--checkpoint-every", 5, "--patience", 4
    both, run = _begin(engine, machines, tmp_path, *more), tmp_path / "machine0"
    until_saved(both[0], run)
    _ip("-n", machines[1], "link", "set", WIRE, "down")
    start = time.monotonic()
    said = [process.communicate(timeout=60)[1] for process in both]
    assert time.monotonic() - start < 20
    assert [process.returncode for process in both] == [LOST, LOST], said
    assert "rank 1 gave no sign of life for 4 s" in said[0]
    load_latest(run / "checkpoints")
