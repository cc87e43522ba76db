"""Standard FID and KID: what the optional package is handed; one line where it cannot work."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from ganref.data import Dataset, load
from ganref.metrics import inception
from ganref.spec import UserError, recipe

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", recipe("mlp"))


def test_inception_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: Dataset
) -> None:
    images = digits.array[:5]
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UserError, match=r"pip install .*\[inception\]"):
        inception.distances(images, images)
    seen = _fake_fidelity(monkeypatch, tmp_path)
    with pytest.raises(UserError, match=r"weights are not at .*inception\.pth; download https://"):
        inception.distances(images, images)
    assert not seen


def test_inception_that_is_broken_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: Dataset
) -> None:
    images = digits.array[:5]
    (tmp_path / "torch_fidelity.py").write_text("raise RuntimeError('nms does not exist\\nat all')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch_fidelity", raising=False)
    with pytest.raises(
        UserError, match=r"broken \(nms does not exist\); reinstall the torchvision"
    ):
        inception.distances(images, images)


def test_weights_are_checked_before_they_are_unpickled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: Dataset
) -> None:
    pytest.importorskip("torch.utils.data")
    images, content = digits.array[:5], b"weights"
    name = f"weights-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    seen = _fake_fidelity(monkeypatch, tmp_path, f"https://example.org/{name}")
    file = tmp_path / "checkpoints" / name
    file.parent.mkdir()
    file.write_bytes(b"half of them")
    with pytest.raises(UserError, match="is damaged or something else; download https://"):
        inception.distances(images, images)
    assert not seen
    file.write_bytes(content)
    assert inception.distances(images, images)["fid"] == 1.5
    assert seen["feature_extractor_weights_path"] == str(file)
    with pytest.raises(UserError, match="at least 2 samples"):
        inception.distances(images, images[:1])


def test_inception_hands_over_the_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: Dataset
) -> None:
    pytest.importorskip("torch.utils.data")
    seen = _fake_fidelity(monkeypatch, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "inception.pth").touch()
    found = inception.distances(digits.array[:8], digits.batch(np.arange(6)))
    assert found == {"fid": 1.5, "kid": 0.25, "kid_std": 0.125}
    assert seen["kid_subset_size"] == 6
    assert (len(seen["input1"]), len(seen["input2"])) == (6, 8)
    tensor = seen["input1"][3]
    assert str(tensor.dtype) == "torch.uint8"
    assert np.array_equal(tensor.numpy(), np.repeat(digits.array[3], 3, axis=0))


def _fake_fidelity(
    monkeypatch: pytest.MonkeyPatch, cache: Path, url: str = "https://example.org/inception.pth"
) -> dict[str, object]:
    seen: dict[str, object] = {}

    def calculate_metrics(**arguments: object) -> dict[str, float]:
        seen.update(arguments)
        kid = "kernel_inception_distance_"
        return {"frechet_inception_distance": 1.5, kid + "mean": 0.25, kid + "std": 0.125}

    package = types.ModuleType("torch_fidelity")
    package.calculate_metrics = calculate_metrics  # type: ignore[attr-defined]
    inner = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    inner.URL_INCEPTION_V3 = url  # type: ignore[attr-defined]
    hub = types.ModuleType("torch.hub")
    hub.get_dir = lambda: str(cache)  # type: ignore[attr-defined]
    for module in (package, inner, hub):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen
