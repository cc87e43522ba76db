"""How good images are, on features that need no download.

Images are (n, C, H, W), uint8 or floats in [-1, 1]. The features are the last hidden layer of a
small classifier trained on the real labelled images, or principal components where there are no
labels. They are no Inception features: compare numbers of one data set and shape only, and see
`ganref.metrics.inception` for numbers that compare with published ones. Needs scikit-learn,
imported late.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..backend import need
from ..data import Dataset
from ..draws.rng import EVALUATION, Stream
from ..output import pictures
from ..spec.errors import DoesNotApply, UserError
from .distances import subset

SIDE = 16  # larger images are averaged down to this before a classifier sees them
BLOCK = 1024  # images that are floats at a time
HIDDEN = (128, 64)
FOLDS = 5
MOST_TRAINED = 20_000  # images: enough for the features, and a minute less than 60,000
CLASSIFIER_STEP = 2**32  # of the evaluation stream, beyond what any other draw uses


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images (n, C, H, W) as uint8, the precision of real ones; floats are in [-1, 1].

    Raises UserError for another number of axes, and for what a picture would only cut off: values
    that are not finite or far out of range.
    """
    images = np.asarray(images)
    if images.ndim != 4:
        raise UserError(f"images must be an array (n, C, H, W), not one of shape {images.shape}")
    if images.dtype == np.uint8:
        return images
    low, high = float(images.min(initial=0)), float(images.max(initial=0))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError("some samples are not finite; the generator has diverged")
    if max(-low, high) > 1.001:
        raise UserError(f"images as floats are in [-1, 1], not up to {max(-low, high):.3g}")
    return pictures.to_uint8(images)


def _averaging(size: int, side: int) -> np.ndarray:
    """The matrix (side, size) that averages pixels over `side` equal parts of a row."""
    edges = np.arange(side + 1) * size / side
    pixels = np.arange(size)
    ends = np.minimum(pixels + 1, edges[1:, None]) - np.maximum(pixels, edges[:-1, None])
    return np.clip(ends, 0, None) * side / size


def small_rows(images: np.ndarray) -> np.ndarray:
    """Images (n, C, H, W) as float64 rows (n, d) in [-1, 1], at most 16 pixels high and wide."""
    images = to_uint8(images)
    height, width = images.shape[2:]
    down = _averaging(height, min(SIDE, height))
    across = _averaging(width, min(SIDE, width))
    small = np.empty((*images.shape[:2], len(down), len(across)))
    for i in range(0, len(images), BLOCK):
        small[i : i + BLOCK] = down @ (images[i : i + BLOCK] / 127.5 - 1) @ across.T
    return small.reshape(len(images), -1)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network for the classes of a data set, and how good it is.

    `accuracy` is the share of real images that were classified rightly while held out, `held_out`
    their number. Its confidence is the largest probability after dividing the logits by
    `temperature`, which is fitted on held-out images: of real images about which it is 80% sure,
    it gets 80% right.
    """

    classes: np.ndarray
    accuracy: float
    held_out: int
    temperature: float
    shape: tuple[int, ...]
    scale: float
    model: Any = field(repr=False)

    def classify(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(labels (n,), confidence (n,)) of images (n, C, H, W). Raises UserError for another
        shape."""
        log_p = _log_softmax(_forward(self.model, self._rows(images))[1] / self.temperature)
        return self.classes[log_p.argmax(axis=1)], np.exp(log_p.max(axis=1))

    def features(self, images: np.ndarray) -> np.ndarray:
        """The last hidden layer's output (n, 64), float64, with a mean square of 1 over the real
        images: distances of data sets are then of one order."""
        return _forward(self.model, self._rows(images))[0] / self.scale

    def _rows(self, images: np.ndarray) -> np.ndarray:
        if np.shape(images)[1:] != self.shape:
            raise UserError(f"the classifier takes {self.shape}, not {np.shape(images)[1:]}")
        return small_rows(images)


@lru_cache(maxsize=2)
def classifier(dataset: Dataset, seed: int = 0) -> Classifier:
    """A classifier of the data's own classes, the same for the same seed; it is kept for the next
    call.

    Its accuracy and temperature (Guo et al. 2017) come from 5-fold cross-validation (one fold of
    more than 5,000 images), the classifier itself from all images, 20,000 at most. Raises
    UserError for data without labels or with too few images of a class.
    """
    selection = need("sklearn.model_selection", "scikit-learn")
    if dataset.labels is None or not dataset.is_images:
        raise DoesNotApply(f"{dataset.name} has no labelled images, so its classes cannot be told")
    generator = Stream(seed, EVALUATION).at(CLASSIFIER_STEP)
    chosen = subset(len(dataset.array), MOST_TRAINED, generator)
    rows, labels = small_rows(dataset.array[chosen]), np.asarray(dataset.labels)[chosen]
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2 or counts.min() < FOLDS:
        raise UserError(f"{dataset.name} needs 2 classes with at least {FOLDS} images each")
    state = int(generator.integers(2**31))
    folder = selection.StratifiedKFold(FOLDS, shuffle=True, random_state=state)
    folds = list(folder.split(rows, labels))
    held_out, logits = [], []
    for train, test in folds if len(rows) <= 5000 else folds[:1]:
        held_out.append(test)
        logits.append(_forward(_fit(rows[train], labels[train], state), rows[test])[1])
    model = _fit(rows, labels, state)
    truth, out = np.searchsorted(classes, labels[np.concatenate(held_out)]), np.concatenate(logits)
    return Classifier(
        classes=classes,
        accuracy=float((out.argmax(axis=1) == truth).mean()),
        held_out=len(truth),
        temperature=_temperature(out, truth),
        shape=dataset.array.shape[1:],
        scale=float(np.sqrt((_forward(model, rows)[0] ** 2).mean())),
        model=model,
    )


def _fit(rows: np.ndarray, labels: np.ndarray, state: int) -> Any:
    network = need("sklearn.neural_network", "scikit-learn").MLPClassifier
    model = network(
        HIDDEN,
        alpha=1e-3,
        batch_size=min(64, len(rows)),
        learning_rate_init=2e-3,
        max_iter=60 if len(rows) <= 5000 else 20,
        random_state=state,
    )
    # One thread: the products are small, and the sums do not depend on the number of cores.
    limits = need("threadpoolctl", "threadpoolctl").threadpool_limits(1, "blas")
    with limits, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is meant to stop there
        return model.fit(rows, labels)


def _forward(model: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(features of the last hidden layer, logits), which scikit-learn does not hand out."""
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        rows = np.maximum(rows @ weight + bias, 0)
    logits = rows @ model.coefs_[-1] + model.intercepts_[-1]
    if logits.shape[1] == 1:  # scikit-learn gives two classes one logit
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    return rows, logits


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of the smallest mean negative log-likelihood."""

    def loss(log_t: float) -> float:
        return -float(_log_softmax(logits / np.exp(log_t))[np.arange(len(truth)), truth].mean())

    minimise = need("scipy.optimize", "scipy").minimize_scalar
    return float(np.exp(minimise(loss, bounds=(-3, 3), method="bounded").x))


def principal_components(
    images: np.ndarray, most: int = 64, limit: int = 10_000, seed: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """The function from images (n, C, H, W) to their first `most` principal components (n, d).

    They are fitted on these real images, `limit` of them at most, and scaled to a mean square of 1
    over them. Raises UserError for fewer than 2.
    """
    if len(images) < 2:
        raise UserError(f"principal components need at least 2 images, not {len(images)}")
    generator = Stream(seed, EVALUATION).at(CLASSIFIER_STEP + 1)
    rows = small_rows(images[subset(len(images), limit, generator)])
    mean = rows.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(rows - mean, rowvar=False))
    axes = vectors[:, np.argsort(values)[::-1][: min(most, len(rows) - 1)]]
    axes /= np.sqrt((((rows - mean) @ axes) ** 2).mean()) or 1.0
    return lambda images: (small_rows(images) - mean) @ axes
