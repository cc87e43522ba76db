"""Which classes of a labelled data set a generator makes, and how surely they are told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import need
from ..data import Dataset
from .features import Classifier


@dataclass(frozen=True)
class ClassRow:
    """One class: its `share` of the samples, at 95% between the two of `interval`; its share of the
    data; and the classifier's mean confidence in those samples, None where there are none."""

    name: str
    share: float
    interval: tuple[float, float]
    data_share: float
    confidence: float | None


def class_rows(
    judge: Classifier, dataset: Dataset, labels: np.ndarray, confidence: np.ndarray
) -> list[ClassRow]:
    """A row for each class, in the order of the labels, of images that the classifier has told:
    `labels` and `confidence` (n,) each, with Wilson's intervals (1927). Of real images it is wrong
    about `1 - judge.accuracy`; of bad ones nobody knows."""
    stats = need("scipy.stats", "scipy")
    real = np.asarray(dataset.labels)
    rows = []
    for c in judge.classes:
        told = labels == c
        share = stats.binomtest(int(told.sum()), len(told))
        low, high = share.proportion_ci(method="wilson")
        rows.append(
            ClassRow(
                name=dataset.classes[c] if 0 <= c < len(dataset.classes) else str(c),
                share=float(share.statistic),
                interval=(float(low), float(high)),
                data_share=float((real == c).mean()),
                confidence=float(confidence[told].mean()) if told.any() else None,
            )
        )
    return rows


def class_distance(rows: list[ClassRow]) -> float:
    """The total variation distance of the two sets of shares: half the sum of their differences, 0
    where they are equal, and the share of samples that would have to be of another class."""
    return sum(abs(row.share - row.data_share) for row in rows) / 2
