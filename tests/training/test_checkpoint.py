"""Checkpoints: whole and unaltered, or refused in one line with nothing touched."""

import dataclasses
import errno
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from cases import narrow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as serialise

import ganref
from ganref import train
from ganref.spec import UserError
from ganref.training import checkpoint as ckpt
from ganref.training.checkpoint import Checkpoint


def _checkpoint(name: str = "gaussian", step: int = 3) -> Checkpoint:
    recipe = narrow(name)
    gan = ganref.load_backend("numpy").create(recipe, ganref.initial_weights(recipe))
    return Checkpoint(recipe, gan.state(), 0, step, recipe.data, "float32", "numpy", {})


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "step_00000003.safetensors"
    ckpt.save(path, _checkpoint())
    return path


def _refused(path: Path, *words: str) -> None:
    with pytest.raises(UserError) as caught:
        ckpt.load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize("name", ["gaussian", "dcgan32", "mlp", "ebgan"])
def test_round_trip(name: str, tmp_path: Path) -> None:
    saved = _checkpoint(name)
    ckpt.save(tmp_path / "a.safetensors", saved)
    found = ckpt.load(tmp_path / "a.safetensors")
    assert found.recipe == saved.recipe and found.step == 3
    assert set(found.state) == set(saved.state)
    for n, array in saved.state.items():
        assert np.array_equal(found.state[n], array) and found.state[n].dtype == array.dtype
    ckpt.save(tmp_path / "b.safetensors", found)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed(good: Path, tmp_path: Path, data: st.DataObject) -> None:
    blob = bytearray(good.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(blob) - 1))
    blob[bit // 8] ^= 1 << bit % 8
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(blob)
    _refused(path)


def test_other_text_for_the_same_numbers_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "capital.safetensors"
    blob = good.read_bytes()
    assert b"1e-08" in blob
    path.write_bytes(blob.replace(b"1e-08", b"1E-08", 1))  # one bit
    _refused(path, "altered")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_truncation_goes_unnoticed(good: Path, tmp_path: Path, data: st.DataObject) -> None:
    blob = good.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(blob[: data.draw(st.integers(0, len(blob) - 1))])
    _refused(path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(blob=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(tmp_path: Path, blob: bytes) -> None:
    path = tmp_path / "noise.safetensors"
    path.write_bytes(blob)
    _refused(path)


def _with(path: Path, changes: dict, meta: dict | None = None) -> None:
    """Write a checkpoint with tensors changed (None drops one) and its checksum made to fit."""
    base = _checkpoint()
    state = {n: a for n, a in (base.state | changes).items() if a is not None}
    body = {"format": ckpt.FORMAT, "recipe": ckpt.to_dict(base.recipe)}
    body |= {name: getattr(base, name) for name in ckpt.PLAIN} | (meta or {})
    body["sha256"] = ckpt._digest(body, state)
    path.write_bytes(serialise(state, metadata={"ganref": json.dumps(body, sort_keys=True)}))


def test_a_log_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    for trace in (np.zeros((5, 2)), np.zeros((4, 3)), np.zeros((5, 3), np.float32)):
        _with(path, {ckpt.TRACE: trace}, {"epochs": []})
        _refused(path, ckpt.TRACE)
    _with(path, {ckpt.TRACE: np.zeros((5, 3))}, {"epochs": [3]})
    _refused(path, "epochs")
    _with(path, {ckpt.TRACE: np.zeros((5, 3))})
    _refused(path, "epochs")
    os.mkfifo(tmp_path / "pipe.safetensors")
    _refused(tmp_path / "pipe.safetensors", "no file")


def test_tensors_that_do_not_fit(tmp_path: Path) -> None:
    first = "generator.0.weight"
    path = tmp_path / "bad.safetensors"
    for changes, words in (
        ({first: None}, (first, "missing")),
        (
            {"discriminator.9.weight": np.zeros(2, np.float32)},
            ("discriminator.9.weight", "not part"),
        ),
        ({first: np.zeros((3, 2), np.float32)}, (first, "(3, 2)", "(2, 2)")),
        ({first: np.full((2, 2), np.inf, np.float32)}, (first, "finite")),
        ({first: np.zeros((2, 2), np.int32)}, (first, "int32")),
        ({"generator.0.weight.v": np.full((2, 2), -1, np.float32)}, ("negative",)),
        ({"generator.step": np.array(-1)}, ("generator.step",)),
    ):
        _with(path, changes)
        _refused(path, *words)
    _with(path, {})
    assert ckpt.load(path).step == 3


def test_metadata_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    _with(path, {}, {"format": 3})
    _refused(path, "format", "3")
    for name, value in (("step", -1), ("step", "3"), ("step", True), ("seed", 0.5), ("seed", -1),
                        ("data", None), ("dtype", 4), ("versions", {"numpy": 1})):  # fmt: skip
        _with(path, {}, {name: value})
        _refused(path, name)
    _with(path, {}, {"recipe": ckpt.to_dict(narrow("mlp"))})
    _refused(path, "missing")
    _with(path, {}, {"recipe": {"name": "gaussian"}})
    _refused(path, "recipe")
    path.write_bytes(serialise(_checkpoint().state))
    _refused(path, "not a checkpoint of ganref")
    for text in ("[]", "[" * 100_000, '{"a":' * 100_000):
        path.write_bytes(serialise(_checkpoint().state, metadata={"ganref": text}))
        _refused(path)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    for name in ("model.safetensors", "model.pt"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Trap()))
        _refused(path, "safetensors")
    assert not (tmp_path / "sprung").exists()


def test_the_last_good_one_loads(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        ckpt.save_latest(tmp_path, dataclasses.replace(_checkpoint(), step=step), keep=0)
    newest = tmp_path / "step_00000003.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert ckpt.load_latest(tmp_path).step == 2
    (tmp_path / "latest.json").write_text("{")
    assert ckpt.load_latest(tmp_path).step == 2
    ckpt.save_latest(tmp_path, dataclasses.replace(_checkpoint(), step=4), keep=2)
    assert len(list(tmp_path.glob("step_*"))) == 2 and ckpt.load_latest(tmp_path).step == 4


def test_a_full_disk_leaves_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ckpt.save_latest(tmp_path, _checkpoint())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        ckpt.save_latest(tmp_path, _checkpoint(step=9))
    monkeypatch.undo()
    assert ckpt.load_latest(tmp_path).step == 3
    assert not list(tmp_path.glob(".*"))


def test_an_edited_or_mixed_run_is_refused_and_untouched(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    train.main(["--steps", "5", "--run-dir", str(run), "--quiet"])
    train.main(["--steps", "5", "--seed", "1", "--run-dir", str(other), "--quiet"])

    def files() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}

    config = run / "config.json"
    text = config.read_text()
    config.write_text(text.replace('"lr": 0.05', '"lr": 0.06'))
    assert config.read_text() != text
    before = files()
    with pytest.raises(UserError, match="edited"):
        train.main(["--resume", str(run), "--steps", "9", "--quiet"])
    assert files() == before
    config.write_text(text)
    shutil.copytree(other / "checkpoints", run / "checkpoints", dirs_exist_ok=True)
    before = files()
    with pytest.raises(UserError, match="another run"):
        train.main(["--resume", str(run), "--steps", "9", "--quiet"])
    assert files() == before
