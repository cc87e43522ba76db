"""A fake layer of GPUs under a framework: what it lists, what it says of its memory, what it is
asked for. Nothing is computed there."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

FREE = {0: 10**9, 1: 1000}  # bytes that are free: room on the first GPU, none on the second


def framework_of(backend: str) -> Any:
    return importlib.import_module(f"ganref.{backend}.framework")


def two_gpus(
    monkeypatch: pytest.MonkeyPatch, backend: str, capability: tuple[int, int] = (9, 0)
) -> Any:
    """The backend's framework, which now sees two GPUs of that compute capability; NumPy none."""
    framework = framework_of(backend)
    {"numpy": _nothing, "torch": _torch, "tf": _tf, "mxnet": _mxnet, "jax": _jax}[backend](
        monkeypatch, framework, capability
    )
    return framework


def _nothing(*_: Any) -> None:
    pass


def _torch(monkeypatch: pytest.MonkeyPatch, framework: Any, capability: tuple[int, int]) -> None:
    cuda = framework.torch.cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "device_count", lambda: 2)
    monkeypatch.setattr(cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(cuda, "mem_get_info", lambda d: (FREE[int(d.partition(":")[2])], 10**9))


def _tf(monkeypatch: pytest.MonkeyPatch, framework: Any, capability: tuple[int, int]) -> None:
    monkeypatch.setattr(framework, "_GPUS", ["one", "other"])
    details = lambda gpu: {"compute_capability": capability}  # noqa: E731
    monkeypatch.setattr(framework.tf.config.experimental, "get_device_details", details)
    local = [
        SimpleNamespace(name=f"/device:GPU:{i}", memory_limit=free) for i, free in FREE.items()
    ]
    monkeypatch.setattr(framework.device_lib, "list_local_devices", lambda: local)


def _mxnet(monkeypatch: pytest.MonkeyPatch, framework: Any, capability: tuple[int, int]) -> None:
    monkeypatch.setattr(framework, "_num_gpus", lambda: 2)
    monkeypatch.setattr(framework.mx.context, "gpu_memory_info", lambda i: (FREE[i], 10**9))


def _jax(monkeypatch: pytest.MonkeyPatch, framework: Any, capability: tuple[int, int]) -> None:
    real = framework.jax.local_devices
    gpus = [
        SimpleNamespace(
            compute_capability="{}.{}".format(*capability),
            memory_stats=lambda free=free: {
                "bytes_limit": free, "bytes_in_use": 0, "peak_bytes_in_use": free,
            },
        )
        for free in FREE.values()
    ]  # fmt: skip

    def local_devices(backend: str) -> list[Any]:
        return gpus if backend == "cuda" else real(backend=backend)

    monkeypatch.setattr(framework.jax, "local_devices", local_devices)
