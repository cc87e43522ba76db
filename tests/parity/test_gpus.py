"""The doctor, `compare` and Inception's features where there are GPUs, under a fake layer."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import two_gpus
from told import TOLD

import ganref
from ganref import compare as command
from ganref import data, doctor
from ganref.metrics import report
from ganref.parity import gpus, lockstep, trial
from ganref.parity.driven import Driven

H100 = "NVIDIA H100 80GB HBM3, 550.54, 81559 MiB, 9.0"


def _driver(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    said = SimpleNamespace(returncode=0, stdout="\n".join(lines) + "\n")
    monkeypatch.setattr(gpus.subprocess, "run", lambda *_, **__: said)


# What the driver lists.


def test_the_driver_lists_gpus_whatever_frameworks_see(monkeypatch: pytest.MonkeyPatch) -> None:
    _driver(monkeypatch, H100, "Tesla K80, 470.1, 11441 MiB, [N/A]")
    first, second = gpus.found()
    assert first == gpus.GPU("NVIDIA H100 80GB HBM3", "550.54", "81559 MiB", 9.0)
    assert second.capability == 0.0

    def missing(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(gpus.subprocess, "run", missing)
    assert gpus.found() == []


def test_mxnets_last_build_is_not_for_newer_gpus() -> None:
    new, old = (gpus.GPU("a GPU", "", "", capability) for capability in (9.0, 8.6))
    words = gpus.too_new("mxnet", [old, new])
    assert "no code for GPUs after compute capability 8.6, and this one is 9.0" in words
    assert gpus.too_new("mxnet", [old]) == gpus.too_new("torch", [new]) == ""


# The doctor.


@pytest.mark.parametrize("case", ["TOY", "IMAGES"])
def test_what_the_doctor_tries_agrees_on_a_processor(framework: str, case: str) -> None:
    chosen = getattr(trial, case)
    assert chosen.difference(framework, "cpu") < chosen.agrees


def test_the_doctor_takes_steps_on_every_gpu(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_gpus(monkeypatch, framework)
    asked = []

    def losses(case: trial.Case, backend: str, device: str) -> Any:
        asked.append((case, backend, device))
        if device == "cuda:1":
            raise RuntimeError("CUDA error: no kernel image\nis available")
        return np.ones((2, case.steps))

    monkeypatch.setattr(trial.Case, "losses", losses)
    trials = trial.probe(framework)["trials"]
    for device in ("cuda:0", "cuda:1"):
        assert (trial.TOY, framework, device) in asked
    assert (trial.IMAGES, framework, "cuda:0") in asked
    assert trials["cuda:0"] == {"differences": [0.0, 0.0]}
    assert trials["cuda:1"] == {"why": "RuntimeError: CUDA error: no kernel image is available"}


def _diagnosed(monkeypatch: pytest.MonkeyPatch, trials: dict[str, Any]) -> tuple[bool, str]:
    found = {
        "version": "PyTorch 9", "devices": list(trials), "dtypes": ["float32"], "trials": trials,
        "import_seconds": 1.0, "first_steps_seconds": 1.0,
    }  # fmt: skip
    said = SimpleNamespace(returncode=0, stdout=json.dumps(found))
    monkeypatch.setattr(trial.subprocess, "run", lambda *_, **__: said)
    monkeypatch.setattr(trial, "is_installed", lambda name: True)
    monkeypatch.setattr(gpus, "found", lambda: [gpus.GPU("a GPU", "", "", 9.0)])
    return trial.diagnose("torch")


def test_the_doctor_says_of_every_device_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"cpu": {"differences": [1e-15]}, "cuda:0": {"differences": [1e-15, 3e-12]}}
    works, line = _diagnosed(monkeypatch, good)
    assert works and "agrees with NumPy to 1e-15 on cpu" in line
    assert "agrees with NumPy to 3e-12 on cuda:0" in line
    works, line = _diagnosed(monkeypatch, good | {"cuda:0": {"why": "RuntimeError: no kernel"}})
    assert not works and line.startswith("broken") and "fails on cuda:0 (RuntimeError" in line
    rounded = {"differences": [1e-15, 1e-3]}  # convolutions in TF32, say
    works, line = _diagnosed(monkeypatch, good | {"cuda:0": rounded})
    assert not works and "DISAGREES with NumPy to 1e-03 on cuda:0" in line
    works, line = _diagnosed(monkeypatch, good | {"cuda:0": {"differences": [None, 0.0]}})
    assert not works and "DISAGREES" in line


def test_the_doctor_names_gpus_and_what_mxnet_has_no_code_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _driver(monkeypatch, H100)
    monkeypatch.setattr(trial.subprocess, "run", _answering(gpus.subprocess.run))
    monkeypatch.setattr(trial, "is_installed", lambda name: True)
    monkeypatch.setattr(doctor, "BACKENDS", ["mxnet"])
    assert doctor.main([]) == 0
    out = capsys.readouterr().out
    assert "GPU 0  NVIDIA H100 80GB HBM3, compute capability 9.0" in out
    assert "no code for GPUs after compute capability 8.6, and this one is 9.0" in out


def _answering(driver: Any) -> Any:
    found = {
        "version": "MXNet 1.9.1", "devices": ["cpu"], "dtypes": ["float32"],
        "trials": {"cpu": {"differences": [0.0]}},
        "import_seconds": 1.0, "first_steps_seconds": 1.0,
    }  # fmt: skip
    answer = SimpleNamespace(returncode=0, stdout=json.dumps(found))
    return lambda command, **how: driver(command) if command[0] == "nvidia-smi" else answer


# Comparisons.


class Here:
    """A process that `lockstep` asks, in this one; where it was told to be, it is on the CPU."""

    devices = {"numpy": ["cpu"], "torch": ["cpu", "cuda:0"], "tf": ["cpu"], "jax": ["cpu"]}
    told: dict[str, str] = {}

    def __init__(self, module: str, name: str, threads: str) -> None:
        self.name, self.driven = name, Driven(name, "")

    def send(self, do: str, *args: Any) -> None:
        if do == "devices":
            self.answer: Any = self.devices[self.name]
            return
        if do == "create":
            recipe, weights, where, *how = args
            self.told[self.name] = where
            args = recipe, weights, "cpu", *how
        self.answer = getattr(self.driven, do)(*args)

    def receive(self) -> Any:
        return self.answer

    def close(self) -> None:
        pass


@pytest.mark.skipif("torch" not in TOLD, reason="one of the two")
def test_a_comparison_on_a_gpu_has_numpy_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockstep, "Worker", Here)
    toy = ganref.recipe("gaussian")
    found = lockstep.compare(toy, ["numpy", "torch"], 2, device="cuda")
    assert Here.told == {"numpy": "cpu", "torch": "cuda:0"} and found["agrees"]
    assert found["devices"] == Here.told
    assert "without cuda:0, on the processor beside the others: numpy" in command.table(found)
    plain = lockstep.compare(toy, ["numpy", "torch"], 2)
    assert Here.told == {"numpy": "cpu", "torch": "cpu"}
    assert "beside" not in command.table(plain)


@pytest.mark.skipif("torch" not in TOLD, reason="one of the two")
def test_a_comparison_on_what_nobody_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockstep, "Worker", Here)
    with pytest.raises(ganref.UserError, match="no backend here has a device 'cuda:7'"):
        lockstep.compare(ganref.recipe("gaussian"), ["numpy", "torch"], 2, device="cuda:7")


# Features.


@pytest.mark.skipif("torch" not in TOLD, reason="PyTorch's features")
@pytest.mark.parametrize("device, there", [("cuda:1", True), ("cuda:1", False), ("cpu", True)])
def test_inceptions_features_are_of_the_device_asked_for(
    device: str, there: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    torch = pytest.importorskip("torch")
    from ganref.metrics import inception

    seen: dict[str, Any] = {"current": None}

    def calculated(**how: Any) -> dict[str, float]:
        seen["cuda"] = how["cuda"], seen["current"]
        kid = "kernel_inception_distance_"
        return {"frechet_inception_distance": 1.5, kid + "mean": 0.25, kid + "std": 0.125}

    @contextlib.contextmanager
    def current(device: str) -> Any:
        seen["current"] = device
        yield

    monkeypatch.setattr(
        inception, "_need",
        lambda module: SimpleNamespace(URL_INCEPTION_V3="/w.pth", calculate_metrics=calculated),
    )  # fmt: skip
    monkeypatch.setattr(inception, "_check_weights", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "device", current)
    recipe = ganref.recipe("dcgan32")
    images = np.zeros((8, *recipe.data_shape), np.uint8)
    dataset = data.Dataset("some", images)
    found = report.evaluate_samples(recipe, dataset, images, inception=True, device=device)
    assert {r.name: r.value for r in found}["fid"] == 1.5
    on_gpu = there and device != "cpu"
    assert seen["cuda"] == (on_gpu, "cuda:1" if on_gpu else None)
