"""Whether a class is what was asked for, on real digits, where the truth is known."""

import numpy as np
import pytest

from ganref.data import Dataset, load
from ganref.metrics import classes, features, fidelity, report
from ganref.spec import UserError, recipe

pytest.importorskip("sklearn")
MLP = recipe("mlp")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", MLP)


def test_digits_are_what_they_are(digits: Dataset) -> None:
    found = report.asked_of(MLP, digits, digits.array, digits.labels)
    assert found.accuracy > 0.99 and found.judge_accuracy >= 0.97
    judge = features.classifier(digits)
    for c, row in enumerate(found.rows):
        own = digits.array[digits.labels == c]
        assert (row.name, row.samples, row.real) == (str(c), len(own), len(own))
        assert row.accuracy == (judge.classify(own)[0] == c).mean()
        assert row.interval[0] < row.accuracy <= row.interval[1] and row.interval[1] > 0.98
        # Of a class to itself; of two halves, as far as chance puts 90 images of 64 features apart.
        assert row.frechet == pytest.approx(0, abs=1e-6) and 0.1 < row.halves < 3


def test_digits_that_are_called_otherwise_are_seen(digits: Dataset) -> None:
    """Every 3 and 5 under the other's name."""
    asked = digits.labels.copy()
    asked[digits.labels == 3], asked[digits.labels == 5] = 5, 3
    found = report.asked_of(MLP, digits, digits.array, asked)
    assert found.accuracy == pytest.approx(0.8, abs=0.01)
    judge = features.classifier(digits)
    images = {c: judge.features(digits.array[digits.labels == c]) for c in (3, 5)}
    expected = fidelity.frechet_distance(images[3], images[5])
    for c, other in ((3, 5), (5, 3)):
        row = found.rows[c]
        assert row.accuracy < 0.02 and row.taken_for == str(other)
        assert row.frechet == pytest.approx(expected) and row.frechet > 3 * row.halves


def test_what_a_class_is_mostly_taken_for(digits: Dataset) -> None:
    """Of the few that are wrong, not of all."""
    images = [digits.array[digits.labels == c][:n] for c, n in ((3, 60), (5, 7), (8, 3))]
    (row,) = report.asked_of(MLP, digits, np.concatenate(images), np.full(70, 3)).rows
    assert row.accuracy == pytest.approx(60 / 70, abs=0.03) and row.taken_for == "5"


def test_the_same_seed_says_the_same(digits: Dataset) -> None:
    first, again, other = (
        report.asked_of(MLP, digits, digits.array, digits.labels, seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert [row.halves for row in first.rows] != [row.halves for row in other.rows]
    assert [row.frechet for row in first.rows] == [row.frechet for row in other.rows]


def test_a_class_alone_and_with_its_name(digits: Dataset) -> None:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    named = Dataset("digits", digits.array, digits.labels, classes=words)
    threes = digits.array[digits.labels == 3][:40]
    judge, rng = features.classifier(digits), np.random.default_rng(0)
    (row,) = classes.asked_classes(judge, named, threes, np.full(40, 3), rng).rows
    assert (row.name, row.samples, row.frechet) == ("three", 40, None)  # 64 features need 65
    assert row.halves is not None


def test_what_cannot_be_told_is_said(digits: Dataset) -> None:
    with pytest.raises(UserError, match="no images of class 11, which was asked for"):
        report.asked_of(MLP, digits, digits.array[:3], np.array([1, 11, 2]))
    with pytest.raises(UserError, match="no labelled images"):
        report.asked_of(MLP, Dataset("folder", digits.array), digits.array[:2], np.zeros(2, int))
    with pytest.raises(UserError, match="the generator has diverged"):
        broken = np.full((2, 1, 28, 28), np.nan)
        report.asked_of(MLP, digits, broken, np.zeros(2, int))
