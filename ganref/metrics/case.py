"""What is evaluated, and one result of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..data import Dataset
from ..draws.rng import EVALUATION, Stream
from ..spec.errors import DoesNotApply
from ..spec.schema import Recipe
from . import classes, distances, features

# Kernel matrices and the nets of the two-sample tests grow with the rows they see.
TEST_ROWS, TEST_NUMBERS = 2000, 2**23
FEATURE_ROWS = 10_000
_FIRST_STEP = features.CLASSIFIER_STEP + 16  # of the evaluation stream: one for each group


@dataclass(frozen=True)
class Result:
    """One metric. `interval` is at 95% unless the note says otherwise; `error` says in one line
    why there is no value, and `applies` whether such data could have one."""

    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    source: str = ""
    note: str = ""
    error: str | None = None
    applies: bool = True


@dataclass(frozen=True, eq=False)
class Case:
    """What is evaluated, and what several metrics share."""

    recipe: Recipe
    dataset: Dataset
    samples: np.ndarray
    seed: int = 0
    held_out: np.ndarray | None = None
    inception: bool = False
    device: str = "cpu"  # for the features that are a framework's

    def generator(self, group: int) -> np.random.Generator:
        """The randomness of one group of metrics, whatever the others draw."""
        return Stream(self.seed, EVALUATION).at(_FIRST_STEP + group)

    @cached_property
    def diverged(self) -> str:
        """What to say if some samples are not finite, or so large that their squares' squares would
        not be."""
        bad = sum(not np.isfinite(sample).all() for sample in self.samples)
        if bad:
            what = f"{bad:,} of {len(self.samples):,} samples are not finite"
        elif (largest := float(np.abs(self.samples).max(initial=0.0))) > distances.FAR:
            what = f"samples reach {largest:.2g}, too far out to be measured"
        else:
            return ""
        return f"{what}; the generator has diverged"

    @cached_property
    def comparable(self) -> np.ndarray:
        """The samples as the data are: images as uint8, since a test would tell the floats of a
        generator from whole numbers by that alone."""
        return features.to_uint8(self.samples) if self.dataset.is_images else self.samples

    def drawn(self, limit: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(samples, real examples), at most `limit` of each."""
        rows = distances.subset(len(self.samples), limit, generator)
        real = distances.subset(len(self.dataset), limit, generator)
        return self.comparable[rows], self.dataset.array[real]

    @property
    def test_rows(self) -> int:
        """How many of each a two-sample test sees."""
        return min(TEST_ROWS, max(200, TEST_NUMBERS // int(np.prod(self.dataset.shape))))

    @cached_property
    def classifier(self) -> features.Classifier:
        """The data's own classifier: of one seed, so that runs compare."""
        return features.classifier(self.dataset)

    @cached_property
    def told(self) -> tuple[np.ndarray, np.ndarray]:
        """(labels, confidence), (n,) each, of the samples by that classifier."""
        return self.classifier.classify(self.comparable)

    @cached_property
    def class_rows(self) -> list[classes.ClassRow]:
        """The classes of the samples, as the data's own classifier tells them."""
        return classes.class_rows(self.classifier, self.dataset, *self.told)

    @cached_property
    def features(self) -> tuple[np.ndarray, np.ndarray, str]:
        """(features of samples (n, d), of real images (m, d), what they are in words)."""
        if not self.dataset.is_images:
            raise DoesNotApply("only for images")
        extract: Callable[[np.ndarray], np.ndarray]
        if self.dataset.labels is not None:
            extract, kind = self.classifier.features, "a classifier's features"
        else:
            extract = features.principal_components(self.dataset.array)
            kind = "principal components"
        fake, real = (extract(x) for x in self.drawn(FEATURE_ROWS, self.generator(-1)))
        return fake, real, f"{kind}; {len(fake):,} samples, {len(real):,} real images"
