"""docs/checkpoint.md is enough: its readers, and its words on the checksum, on our files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as serialise

import ganref
from ganref.spec import UserError
from ganref.spec.state import state_shapes
from ganref.spec.steps import Trace
from ganref.training import checkpoint as ckpt
from ganref.training.log import Log

PAGE = (Path(__file__).parents[2] / "docs" / "checkpoint.md").read_text()


def _code(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 15
    return code


def _saved(path: Path, version: int = ckpt.FORMAT) -> ckpt.Checkpoint:
    """Of the toy, with spectral normalisation and an average; older ones have no log."""
    recipe = ganref.recipe("gaussian").replace(ema=0.9, spectral=True)
    gan = ganref.load_backend("numpy").create(recipe, ganref.initial_weights(recipe))
    log = Log(Trace(*np.arange(15.0).reshape(5, 3)), ('{"epoch": 1}',)) if version > 1 else None
    made = ckpt.Checkpoint(recipe, gan.state(), 2, 3, "gaussian", "float32", "numpy", {}, log)
    if version == ckpt.FORMAT:
        ckpt.save(path, made)
        return made
    meta: dict[str, Any] = {name: getattr(made, name) for name in ckpt.PLAIN}
    meta |= {"format": version, "recipe": ckpt.to_dict(recipe)}
    meta["sha256"] = _digest(meta, made.state)
    text = json.dumps(meta, sort_keys=True)
    path.write_bytes(serialise(made.state, metadata={"ganref": text}))
    return made


def _digest(about: dict[str, Any], tensors: dict[str, np.ndarray]) -> str:
    """As the page has it in words."""
    meta = {key: value for key, value in about.items() if key != "sha256"}
    shapes = [
        [name, tensors[name].dtype.name, list(tensors[name].shape)] for name in sorted(tensors)
    ]
    digest = hashlib.sha256(json.dumps([meta, shapes], sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def _python(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    names: dict[str, Any] = {}
    exec(_code("python"), names)
    return names["read"](path)


@pytest.mark.parametrize("version", ckpt.READ)
def test_the_reader_in_python_reads_what_ganref_reads(tmp_path: Path, version: int) -> None:
    path = tmp_path / "toy.safetensors"
    made = _saved(path, version)
    about, tensors = _python(path)
    loaded = ckpt.load(path)
    if version > 1:
        np.testing.assert_array_equal(tensors.pop("log.trace"), np.stack(made.log.trace))
        assert tuple(about["epochs"]) == made.log.epochs == loaded.log.epochs
    assert set(tensors) == set(loaded.state) == set(state_shapes(made.recipe))
    for name, array in loaded.state.items():
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].dtype == array.dtype and tensors[name].shape == array.shape
    assert about["recipe"]["name"] == "gaussian" and about["seed"] == 2 and about["step"] == 3
    assert set(about) == {*ckpt.PLAIN, "format", "recipe", "sha256"} | (
        {"epochs"} if version > 1 else set()
    )
    for key in about:
        assert f"`{key}`" in PAGE


def test_the_checksum_is_as_the_page_has_it(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    _saved(path)
    about, tensors = _python(path)
    assert _digest(about, tensors) == about["sha256"]


@pytest.mark.skipif(not shutil.which("node"), reason="node is not here")
def test_the_reader_in_javascript_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    _saved(path)
    told = "(key, value) => typeof value === 'bigint' ? Number(value)"
    told += " : ArrayBuffer.isView(value) ? Array.from(value) : value"
    code = f"{_code('js')}\nconsole.log(JSON.stringify(read({json.dumps(str(path))}), {told}));"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    about, tensors = _python(path)
    assert found["about"] == about and set(found["tensors"]) == set(tensors)
    for name, array in tensors.items():
        assert found["tensors"][name]["shape"] == list(array.shape)
        assert found["tensors"][name]["values"] == array.ravel().tolist()


def test_a_version_of_the_future_is_refused_with_a_line(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    _saved(path, 3)
    said = "checkpoint format 3; this"
    with pytest.raises(UserError, match=said):
        ckpt.load(path)
    with pytest.raises(ValueError, match=said):
        _python(path)
    if shutil.which("node"):
        code = f"{_code('js')}\nread({json.dumps(str(path))})"
        done = subprocess.run(["node", "-e", code], capture_output=True, text=True)
        assert done.returncode and said in done.stderr
