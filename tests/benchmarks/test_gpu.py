"""What benchmarks need on a GPU, under a fake layer of devices; and `benchmarks.gpu` on a CPU."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import two_gpus

import ganref
from benchmarks import command, report
from benchmarks.gpu import __main__ as gpu_main
from benchmarks.gpu import bounds, energy, plan, summary
from benchmarks.pages import training
from benchmarks.pages.drivers import DRIVERS
from benchmarks.speed import __main__ as speed_main
from benchmarks.speed import jobs, places, rounds
from benchmarks.speed.measure import COMPILE, PAGES, Variant
from ganref import data
from ganref.parity import gpus
from ganref.parity.workers import WorkerFailed
from ganref.spec import UserError

# What every timed variant has: its precision, its device, and the data where the loop has them.


@pytest.mark.parametrize("dtype", ["float32", "tf32"])
def test_a_page_runs_in_the_precision_and_on_the_device_asked_for(
    framework: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = two_gpus(monkeypatch, framework)
    device = "cpu" if framework == "jax" else "cuda:1"  # JAX takes no device that is not one
    asked, inside = [], []

    @contextlib.contextmanager
    def computing(dtype: str, device: str) -> Any:
        asked.append((dtype, device))
        inside.append(True)
        yield
        inside.pop()

    monkeypatch.setattr(here, "computing", computing)
    driver = DRIVERS[framework](dtype, device)
    with driver.running():
        assert asked == [(dtype, device)] and inside
    assert not inside and driver.dtype == "float32"


@pytest.mark.parametrize("mode", [*PAGES, *COMPILE])
def test_every_variant_is_made_in_its_precision_on_its_device(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(training, "create", lambda *args, **how: made.append(args[1:]))
    variant = Variant("numpy", mode, 1)
    create = lambda *args: made.append(args)  # noqa: E731
    variant.module = SimpleNamespace(create=create)  # type: ignore[assignment]
    toy = ganref.recipe("gaussian")
    variant.job = jobs.Job(toy, "tf32", "cuda:1", 0, 100, ())
    variant._create()
    (args,) = made
    assert args[0] == toy and args[2:4] == ("cuda:1", "tf32")
    assert mode in PAGES or args[4] == COMPILE[mode]


def test_weights_and_losses_are_seen_where_they_lie(framework: str, tmp_path: Path) -> None:
    toy = ganref.recipe("gaussian")
    dataset = data.load("gaussian", toy)
    job = jobs.draw(toy, dataset, "float32", "cpu", steps=3, held=True)
    path = jobs.save(job, tmp_path / "job")
    for mode in ("page", "off"):
        variant = Variant(framework, mode, 1)
        answer = variant.build(str(path))
        assert answer["held"] == (mode == "off") and len(answer["loss_D"]) == 3
        with places.watching(framework, variant.gan) as lain:
            variant._call()
        assert lain == {"losses": {"cpu"}, "weights": {"cpu"}}
        with pytest.raises(UserError, match="its losses should lie on cuda:0, not on cpu"):
            places.check(lain, "cuda:0")


def test_places_are_called_as_devices_are(framework: str) -> None:
    driver: Any = DRIVERS[framework]()
    gpu = {
        "torch": SimpleNamespace(device="cuda:1"),
        "tf": SimpleNamespace(device="/job:localhost/replica:0/task:0/device:GPU:1"),
        "mxnet": SimpleNamespace(ctx=SimpleNamespace(device_type="gpu", device_id=1)),
    }
    if framework in gpu:
        assert driver.place(gpu[framework]) == "cuda:1"
    with driver.running():
        assert driver.place(driver.tensor(np.zeros((2, 2)))) == "cpu"
    assert driver.place(0.5) == ""


def test_what_was_seen_nowhere_is_refused() -> None:
    with places.watching("a backend without a driver", None) as lain:
        pass
    places.check(lain, "cpu")  # nobody can look
    places.check({"losses": {"cuda:1"}, "weights": {"cuda:1"}}, "cuda:1")
    for lain, words in (
        ({"losses": set(), "weights": {"cuda:0"}}, "losses .* not on nowhere"),
        ({"losses": {"cuda:0"}, "weights": {"cpu", "cuda:0"}}, "weights .* not on cpu, cuda:0"),
    ):
        with pytest.raises(UserError, match=words):
            places.check(lain, "cuda:0")


@pytest.mark.parametrize("name", ["gaussian", "mlp"])
def test_held_data_and_their_rows_are_the_examples(name: str, tmp_path: Path) -> None:
    recipe = ganref.recipe(name)
    recipe = recipe if name == "gaussian" else recipe.replace(width=8, batch_size=64)
    dataset = data.load(recipe.data, recipe)
    assert jobs.draw(recipe, dataset, "float32", "cpu").data is None
    for steps in (None, 3):
        job = jobs.draw(recipe, dataset, "float32", "cuda:0", steps=steps)
        back = jobs.load(jobs.save(job, tmp_path / f"{name}-{steps}"))
        assert np.array_equal(back.data, dataset.array) and len(back.rows) == len(back.calls)
        held = data.Dataset("held", back.data)
        for rows, call in zip(back.rows, back.calls, strict=True):
            assert np.array_equal(held.batch(rows, "float32"), call.X)


def test_a_timed_call_gives_rows_where_data_are_held(tmp_path: Path) -> None:
    toy = ganref.recipe("gaussian")
    job = jobs.draw(toy, data.load("gaussian", toy), "float32", "cpu", held=True)
    variant = Variant("numpy", "fast", 1)
    variant.build(str(jobs.save(job, tmp_path / "job")))
    given = []
    real = variant.gan.train_steps
    variant.gan.train_steps = lambda X, *args, **how: (given.append(X), real(X, *args, **how))[1]
    variant.turn(0.0)
    assert all(X.dtype == np.int64 and X.ndim == 2 for X in given) and given
    variant.gan.hold = lambda data: False  # no room: as values, as the loop does
    variant.held = False
    variant._hold()
    variant.turn(0.0)
    assert given[-1].dtype == np.float32 and given[-1].ndim == 3


# Rates, shares, columns, who is left out.


class Asked:
    """A worker that answers at once."""

    def __init__(self, name: str, *_: Any) -> None:
        own = {"float32": 1e12, "bfloat16": 4e12}
        self.rates = own if name != "numpy" else {"float32": 1e9}
        devices = ["cpu"] if name in ("numpy", "mxnet") else ["cpu", "cuda:0"]
        self.hello = {"devices": {device: list(own) for device in devices}, "version": name}
        self.asked: list[dict[str, Any]] = []

    def ask(self, do: str, **how: Any) -> Any:
        self.asked.append(how)
        if do == "matmul":
            return {"flops_per_s": self.rates[how["dtype"]]}
        return {"steps": 1, "seconds": 1.0, "finite": True}

    def close(self) -> None:
        pass


def test_each_row_is_held_against_the_peak_of_its_own_precision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rounds, "SETTLE", 0)
    about = {"backend": "torch", "batch_size": 4, "flops_per_example": 2.5e11, "recipe": "dcgan",
             "steps_per_call": 1, "run_steps": 1, "width": 8,
             **dict.fromkeys(("startup_s", "create_s", "first_call_s"), 1.0)}  # fmt: skip
    rows = [about | {"mode": d, "dtype": d, "rounds": []} for d in ("float32", "bfloat16")]
    how = rounds.Settings("cuda:0", "float32", 1, 2, 0.0, 0, False)
    workers: Any = {0: Asked("torch"), 1: Asked("torch")}
    rates: rounds.Rates = {}
    rounds._rounds(rows, workers, {"torch": Asked("torch")}, how, rates)  # type: ignore[dict-item]
    result = {"rows": rows, "matmul_flops_per_s": rates, "settings": {},
              "environment": {"versions": {}}}  # fmt: skip
    speed_main._write(result, argparse.Namespace(out=tmp_path))
    assert rates == {"float32": {"torch": [1e12] * 2}, "bfloat16": {"torch": [4e12] * 2}}
    assert [row["share_of_matmul"] for row in rows] == [1.0, 0.25]
    line = report.rates_line(rates)
    assert "float32 torch 1,000.0; bfloat16 torch 4,000.0" in line


def test_numpy_makes_no_products_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    workers: dict[str, Asked] = {}
    monkeypatch.setattr(rounds, "Worker", lambda n, *_: workers.setdefault(n, Asked(n)))
    monkeypatch.setattr(rounds, "_require_page", lambda *_: None)
    monkeypatch.setattr(rounds, "_build", lambda *_: None)
    monkeypatch.setattr(rounds, "SETTLE", 0)
    toy = ganref.recipe("gaussian")
    judge: Any = SimpleNamespace(folder=Path("/nowhere"), examine=lambda *_: [])
    monkeypatch.setattr(rounds.jobs, "save", lambda job, path: path)
    how = rounds.Settings("cuda:0", "float32", 1, 1, 0.0, 0, False)
    rates: rounds.Rates = {}
    with contextlib.suppress(KeyError, TypeError):  # nothing was really measured
        rounds.measure(toy, [("numpy", "off"), ("torch", "off")], how, judge, rates)
    assert rates == {"float32": {"torch": [1e12]}}
    assert not any("dtype" in how for how in workers["numpy"].asked)


def test_what_has_no_gpu_is_left_out_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "Worker", Asked)
    monkeypatch.setattr(gpus, "found", lambda: [gpus.GPU("H100", "", "", 9.0)])
    found = command.with_device(["numpy", "torch", "mxnet", "jax"], "cuda:0")
    assert found == dict.fromkeys(("torch", "jax"), ["float32", "bfloat16"])
    said = capsys.readouterr().err
    assert "numpy is left out: it has no cuda:0 here, but cpu\n" in said
    assert "mxnet is left out: it has no cuda:0 here, but cpu; its last build for CUDA has" in said
    with pytest.raises(UserError, match="no backend here has a device 'cuda:7'"):
        command.with_device(["numpy", "torch"], "cuda:7")


def test_the_default_command_on_a_gpu_times_what_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "Worker", Asked)
    monkeypatch.setattr(command, "is_installed", lambda name: name in ("numpy", "torch"))
    timed = []

    def measure(shape: Any, asked: Any, *_: Any) -> list[Any]:
        timed.extend(asked)
        return []

    monkeypatch.setattr(rounds, "measure", measure)
    monkeypatch.setattr(speed_main.charts, "bars", lambda *_: None)
    monkeypatch.setattr(speed_main.charts, "curves", lambda *_: False)
    assert speed_main.main(["--device", "cuda", "--out", str(tmp_path)]) == 0
    assert timed == [("torch", "page"), ("torch", "fast")]


def test_host_and_device_have_a_column_each() -> None:
    spread = dict.fromkeys(("median", "min", "max"), 1.0)
    row = {"recipe": "dcgan", "backend": "torch", "mode": "fast", "batch_size": 8, "width": 8,
           "step_s": spread, "examples_per_s": spread, "run_s": 1.0, "share_of_matmul": None,
           "peak_memory": 2**30, "device_memory": 2**21, "diverged": False}  # fmt: skip
    head, cells = report.table([row]).splitlines()
    assert head.split()[-3:] == ["host", "device", "input"]
    assert "1,024 MiB   2 MiB" in cells
    assert report.table([row | {"device_memory": None}]).splitlines()[1].split()[-2:] == ["-", "-"]


# One command.


def test_the_plan_has_the_most_valuable_first() -> None:
    here = {"torch": ["float32", "tf32", "bfloat16"], "jax": ["float32"]}
    todo = plan.measurements(plan.FULL, here)
    names = [what.name for what in todo]
    assert len(names) == len(set(names))
    assert names[:4] == ["tests, torch", "tests, jax", "peaks, torch", "peaks, jax"]
    assert names[4] == "dcgan width 64 batch 1024, torch fast bfloat16"
    own = [what for what in todo if isinstance(what, plan.Training)]
    assert {what.recipe.batch_size for what in own} == {1024, 256, 64, 8}
    assert {w.dtype for w in own if w.backend == "jax"} == {"float32"}
    assert not [w for w in own if w.mode == "page" and w.dtype == "bfloat16"]
    assert todo[2] == plan.Peaks("torch", ("float32", "tf32", "bfloat16"))
    # All that a goal asks for comes before the smaller batches.
    last = max(i for i, w in enumerate(own) if w.recipe.batch_size == 1024)
    assert all(w.recipe.batch_size in (1024, 8) for w in own[: last + 1])


def test_bytes_of_a_step_are_counted_by_hand() -> None:
    G = 2 * (8 * (2 + 2) + 6)  # forward, and to the weights
    D = 6 * (8 * (2 + 5) + 15) + 8 * (8 * (5 + 3) + 18) + 8 * (8 * (3 + 1) + 4)
    expected = 4 * (G + D) + 4 * 7 * 43
    toy = ganref.recipe("gaussian")
    assert bounds.bytes_per_step(toy, "float32") == expected == bounds.bytes_per_step(toy, "tf32")
    assert bounds.bytes_per_step(toy, "bfloat16") == 2 * (G + D) + 4 * 7 * 43


def test_the_dry_run_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plan, "SMALL", plan.Sizes(("numpy",), 4, (2,), 0.01, 2, 10.0))
    dry = ["--device", "cpu", "--threads", "1", "--out", str(tmp_path)]
    assert gpu_main.main(dry) == 0
    result = json.loads((tmp_path / "gpu.json").read_text())
    found = result["measurements"]
    assert list(found) == [
        "tests, numpy", "peaks, numpy", "gaussian batch 8, numpy fast float32",
        "dcgan width 4 batch 2, numpy fast float32", "gaussian batch 8, numpy page float32",
    ]  # fmt: skip
    assert found["tests, numpy"]["right"]
    assert found["tests, numpy"]["same_bits_after_resume"] == {"toy": True, "convolutions": True}
    for row in summary.rows(found):
        assert len(row["rounds"]) == 2 and 0 < row["share_of_peak"] < 1
        assert all(verdict["passed"] for verdict in row["gate"])
        assert row["first_step_s"] > row["startup_s"] > 0 and row["bytes_per_step"] > 0
        assert row["joules_per_example"] is row["device_memory"] is None
    out = capsys.readouterr().out
    assert "agrees with NumPy" in out and "not measured" in out and "no longer fits" not in out
    assert (tmp_path / "gpu.png").stat().st_size > 0

    def measure(*_: Any) -> Any:
        raise AssertionError("it is there already")

    monkeypatch.setattr(gpu_main.Bench, "measure", measure)
    assert gpu_main.main(dry) == 0
    assert json.loads((tmp_path / "gpu.json").read_text())["measurements"] == found
    assert capsys.readouterr().err.count("there already") == 5
    other = result | {"gpus": ["another one"]}
    (tmp_path / "gpu.json").write_text(json.dumps(other))
    with pytest.raises(UserError, match="has results of another one; choose another --out"):
        gpu_main.main(dry)
    (tmp_path / "gpu.json").write_text("{}")
    with pytest.raises(UserError, match="no result of benchmarks.gpu"):
        gpu_main.main(dry)


def test_what_no_longer_fits_is_left_and_what_failed_is_tried_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    todo = plan.measurements(plan.FULL, {"torch": ["float32"]})[:4]
    tests, peaks, *trainings = todo
    written: list[list[str]] = []
    result: dict[str, Any] = {"measurements": {peaks.name: {"why": "it fell"}}, "took": {}}

    class Bench:
        timeout = examining = 0.0

        def measure(self, what: Any) -> dict[str, Any]:
            if what is tests:
                raise WorkerFailed("no GPU\nanswers")
            return {"flops_per_s": {}, "bytes_per_s": None}

    found = result["measurements"]
    end = time.perf_counter() + trainings[0].seconds - 1  # room for a peak, not for a training
    tests = todo[0] = SimpleNamespace(name="tests, torch", backend="torch", seconds=1.0)  # type: ignore
    left = gpu_main._measure(todo, Bench(), result, end, lambda: written.append(list(found)))  # type: ignore
    assert found[tests.name] == {"why": "no GPU\nanswers"} and "why" not in found[peaks.name]
    assert left == [f"{what.name}: takes some 25 s" for what in trainings]
    assert written == [[peaks.name, tests.name]] * 2  # after each of them


def _trained(backend: str, mode: str, dtype: str, step: float, share: float = 0.5) -> Any:
    row = {"recipe": "dcgan", "width": 64, "batch_size": 1024, "device": "cuda:0"}
    own = {"backend": backend, "mode": mode, "dtype": dtype, "step_s": {"median": step}}
    return row | own | {"share_of_peak": share}


def test_goals_are_told_beside_what_was_measured() -> None:
    found = {
        "a": _trained("torch", "page", "float32", 0.060),
        "b": _trained("torch", "fast", "bfloat16", 0.012, 0.39),
        "c": _trained("jax", "fast", "bfloat16", 0.013),
    }
    toy = _trained("torch", "fast", "float32", 59e-6)
    found["d"] = toy | {"recipe": "gaussian", "width": None, "batch_size": 8}
    plain, share, small, apart = summary.goals(found)
    assert plain.endswith("5.00 times, reached") and share.endswith("39.0%, MISSED")
    assert small.endswith("59.0 µs, reached") and apart.endswith("8.3% apart, reached")
    found["c"]["step_s"] = {"median": 0.0145}
    assert summary.goals(found)[3].endswith("20.8% apart, MISSED")
    assert all(line.endswith("not measured") for line in summary.goals({}))


def test_shares_are_of_the_measured_peak_and_of_memory() -> None:
    row = _trained("torch", "fast", "bfloat16", 0.5) | {"flops_per_s": 2e14, "bytes_per_step": 1e11}
    found = {
        "one": {"flops_per_s": {"float32": 5e13, "bfloat16": 4e14}, "bytes_per_s": 2e12},
        "other": {"flops_per_s": {"bfloat16": 3e14}, "bytes_per_s": None},
        "row": row, "gone": {"why": "it fell"},
    }  # fmt: skip
    summary.add_shares(found)
    assert row["share_of_peak"] == 0.5 and row["share_of_memory"] == pytest.approx(0.1)


def test_energy_is_counted_by_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([0, 1000, 6000])
    asked = []
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda i: asked.append(i),
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(readings),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with energy.metered("cuda:1") as meter:
        assert meter["joules"] is None
    assert meter["joules"] == 5.0 and asked == [5]
    with energy.metered("cpu") as meter:
        pass
    assert meter["joules"] is None


def test_energy_without_nvml_is_what_the_driver_says_of_the_power(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 100.0; echo 300.0; echo '[N/A]'; exec sleep 60\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with energy.metered("cuda:0") as meter:
        time.sleep(0.5)
    assert 100 < meter["joules"] < 1000  # 200 W for half a second, and a little more
    monkeypatch.setenv("PATH", "/nowhere")
    with energy.metered("cuda:0") as meter:
        pass
    assert meter["joules"] is None


@pytest.mark.parametrize(
    "visible, device, expected",
    [("", "cuda:1", 1), ("2", "cuda:0", 2), ("2", "cuda:1", None), ("GPU-ab", "cuda:0", None),
     ("", "cpu", None), ("", "cuda", 0)],
)  # fmt: skip
def test_the_driver_numbers_gpus_by_itself(
    visible: str, device: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert energy.physical(device) == expected
