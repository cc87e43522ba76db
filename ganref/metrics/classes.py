"""Which classes of a labelled data set a generator makes, how surely they are told, and whether
they are those that were asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import need
from ..data import Dataset
from ..spec.errors import UserError
from .features import Classifier
from .fidelity import frechet_distance


@dataclass(frozen=True)
class ClassRow:
    """One class: its `share` of the samples, at 95% between the two of `interval`; its share of the
    data; and the classifier's mean confidence in those samples, None where there are none."""

    name: str
    share: float
    interval: tuple[float, float]
    data_share: float
    confidence: float | None


@dataclass(frozen=True)
class AskedRow:
    """One class of which `samples` samples were asked for: the share that a classifier tells as
    that class, at 95% between the two of `interval`; what it most often takes the others for, None
    where there are none; and the Fréchet distance of the samples to the `real` images of the
    class, beside that of two halves of these (None for fewer than the features need)."""

    name: str
    samples: int
    accuracy: float
    interval: tuple[float, float]
    taken_for: str | None
    frechet: float | None
    real: int
    halves: float | None


@dataclass(frozen=True)
class Asked:
    """A row for each class that was asked for, and the classifier that told them: the share of
    `held_out` real images that it had right."""

    judge_accuracy: float
    held_out: int
    rows: tuple[AskedRow, ...]

    @property
    def accuracy(self) -> float:
        """The mean of the classes' shares."""
        return sum(row.accuracy for row in self.rows) / len(self.rows)


def class_rows(
    judge: Classifier, dataset: Dataset, labels: np.ndarray, confidence: np.ndarray
) -> list[ClassRow]:
    """A row for each class, in the order of the labels, of images that the classifier has told:
    `labels` and `confidence` (n,) each, with Wilson's intervals (1927). Of real images it is wrong
    about `1 - judge.accuracy`; of bad ones nobody knows."""
    real = np.asarray(dataset.labels)
    rows = []
    for c in judge.classes:
        told = labels == c
        share, interval = _share(told)
        rows.append(
            ClassRow(
                name=_name(dataset, c),
                share=share,
                interval=interval,
                data_share=float((real == c).mean()),
                confidence=float(confidence[told].mean()) if told.any() else None,
            )
        )
    return rows


def class_distance(rows: list[ClassRow]) -> float:
    """The total variation distance of the two sets of shares: half the sum of their differences, 0
    where they are equal, and the share of samples that would have to be of another class."""
    return sum(abs(row.share - row.data_share) for row in rows) / 2


def asked_classes(
    judge: Classifier,
    dataset: Dataset,
    samples: np.ndarray,
    asked: np.ndarray,
    generator: np.random.Generator,
) -> Asked:
    """A row for each class, in the order of the labels, of samples (n, C, H, W) of uint8 that were
    asked for as the classes `asked` (n,), with Wilson's intervals (1927).

    The distances are of the classifier's features (Heusel et al. 2017) and are biased upwards where
    images are few: compare them with the halves', and between runs of one data set. Raises
    UserError if a class was asked for that the data do not have.
    """
    if strange := sorted(set(asked.tolist()) - set(judge.classes.tolist())):
        raise UserError(f"{dataset.name} has no images of class {strange[0]}, which was asked for")
    real = np.asarray(dataset.labels)
    told, _ = judge.classify(samples)
    rows = []
    for c in np.unique(asked):
        mine = asked == c
        accuracy, interval = _share(told[mine] == c)
        others, counts = np.unique(told[mine & (told != c)], return_counts=True)
        fake = judge.features(samples[mine])
        own = judge.features(np.asarray(dataset.array[np.flatnonzero(real == c)]))
        order = generator.permutation(len(own))
        rows.append(
            AskedRow(
                name=_name(dataset, c),
                samples=int(mine.sum()),
                accuracy=accuracy,
                interval=interval,
                taken_for=_name(dataset, others[counts.argmax()]) if len(others) else None,
                frechet=_distance(own, fake),
                real=len(own),
                halves=_distance(own[order[::2]], own[order[1::2]]),
            )
        )
    return Asked(judge.accuracy, judge.held_out, tuple(rows))


def _distance(real: np.ndarray, fake: np.ndarray) -> float | None:
    """The Fréchet distance, or None where one of both has too few rows for it."""
    enough = min(len(real), len(fake)) > real.shape[1]
    return frechet_distance(real, fake) if enough else None


def _name(dataset: Dataset, label: int) -> str:
    return dataset.classes[label] if 0 <= label < len(dataset.classes) else str(label)


def _share(hits: np.ndarray) -> tuple[float, tuple[float, float]]:
    """The share of hits (n,), and Wilson's interval."""
    found = need("scipy.stats", "scipy").binomtest(int(hits.sum()), len(hits))
    low, high = found.proportion_ci(method="wilson")
    return float(found.statistic), (float(low), float(high))
