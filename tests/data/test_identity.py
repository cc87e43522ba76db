"""What tells one data set from another."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import ganref
from ganref.data import Dataset, Identity, identity, load

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 3, 8, 8), np.uint8)
LABELS = np.arange(20) % 3


def of(array: np.ndarray, *rest: object) -> Identity:
    return Dataset("x", array, *rest).identity  # type: ignore[arg-type]


def test_one_line_and_json() -> None:
    found = of(np.broadcast_to(IMAGES[:1], (3786, 3, 8, 8)))
    assert str(found) == f"3,786 examples 3×8×8 uint8, {found.digest[:12]}…"
    assert len(found.digest) == 64
    for fields in (found.asdict(), dataclasses.asdict(found)):
        assert Identity(**json.loads(json.dumps(fields))) == found


def test_whatever_differs_has_another_digest() -> None:
    changed, turned = IMAGES.copy(), IMAGES[::-1]
    changed[7, 2, 7, 7] ^= 1
    other = LABELS.copy()
    other[5] += 1
    several = [
        of(IMAGES), of(changed), of(turned), of(IMAGES[:-1]), of(IMAGES.reshape(20, 3, 4, 16)),
        of(IMAGES, LABELS), of(IMAGES, other), of(IMAGES, LABELS, "", ("a", "b", "c")),
        of(IMAGES.astype(float)), of(IMAGES.astype(np.float32)), of(IMAGES[:0]),
    ]  # fmt: skip
    assert len({found.digest for found in several}) == len(several)


def test_the_way_the_numbers_lie_does_not_matter(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    last = np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for same in (np.load(tmp_path / "x.npy", "r"), last, np.asfortranarray(IMAGES)):
        assert of(same) == of(IMAGES)
    points = RNG.normal(size=(9, 2))
    assert of(points.astype(">f8")) == of(points)
    assert of(IMAGES, LABELS.astype(np.int32)) == of(IMAGES, LABELS)
    # One channel that stands for three.
    grey = np.broadcast_to(IMAGES[:, :1], IMAGES.shape)
    assert of(grey) == of(grey.copy())


def test_of_many_examples_some_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "WHOLE", 100)
    monkeypatch.setattr(identity, "SPREAD", 5)
    monkeypatch.setattr(identity, "_PIECE", 2 * IMAGES[0].nbytes)
    few = of(IMAGES)
    for i in range(20):
        changed = IMAGES.copy()
        changed[i] ^= 1
        assert (of(changed) != few) == (i in (0, 4, 9, 14, 19)), i
    assert of(IMAGES[:5]) != of(IMAGES[1:6])


def test_the_rule_is_what_it_was() -> None:
    """A digest is kept with a run: what it covers cannot change unseen."""
    digits = load("digits", ganref.recipe("mlp")).identity
    assert (digits.count, digits.shape, digits.dtype) == (1797, (1, 28, 28), "uint8")
    small = of(np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2), np.array([0, 1, 0]))
    assert small.digest == "122e20b2f54377ee6d6cd79796e654e4548af0b23aa64c3d297af0dcb2476208"
    assert load("gaussian", ganref.recipe("gaussian")).identity.count == 1000
