"""All metrics of one set of samples: which apply, what they say, and why the others do not."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..data import Dataset, modes, points
from ..spec.errors import DoesNotApply, UserError
from ..spec.schema import Recipe
from . import distances, fidelity, inception, two_sample
from .case import FEATURE_ROWS, Case, Result
from .classes import Asked, ClassRow, asked_classes, class_distance

FEWEST_COPIES = 20  # samples: the test's normal interval means nothing for fewer


def _toy(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    if case.dataset.name != "gaussian":
        raise DoesNotApply("only for the gaussian data, whose distribution is known")
    mean, cov = points.B, points.A.T @ points.A
    found = distances.toy_metrics(case.samples, mean, cov)
    real = generator.standard_normal(case.samples.shape) @ points.A + points.B
    return _beside(found, distances.toy_metrics(real, mean, cov))


def _mixture(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    if case.dataset.name not in ("ring", "grid"):
        raise DoesNotApply("only for the ring and grid data, whose modes are known")
    centres, std = modes(case.dataset.name)
    found = distances.mixture_metrics(case.samples, centres, std)
    chosen = generator.integers(len(centres), size=len(case.samples))
    real = centres[chosen] + std * generator.standard_normal(case.samples.shape)
    return _beside(found, distances.mixture_metrics(real, centres, std))


def _beside(found: dict[str, float], real: dict[str, float]) -> Iterable[Result]:
    for name, value in found.items():
        yield Result(name, value, note=f"as many points of the data give {real[name]:.3g}")


def _mmd(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    fake, real = case.drawn(case.test_rows, generator)
    found = two_sample.mmd_test(fake, real, generator)
    note = f"{len(fake):,} samples, {len(real):,} real examples"
    yield Result("mmd2", found.value, note=f"{note}; around 0 where nothing differs")
    yield Result("mmd_p", found.p, note=f"{note}; by 999 relabellings")


def _classifier_test(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    found = two_sample.classifier_test(*case.drawn(case.test_rows, generator), generator)
    yield Result("c2st_accuracy", found.value, found.interval, note="0.5 cannot tell, 1 always can")
    yield Result("c2st_p", found.p, note="the chance of as many hits by tossing a coin")


def _frechet(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    fake, real, note = case.features
    half = generator.permutation(len(real))
    value = fidelity.frechet_distance(real, fake)
    halves = real[half[::2]], real[half[1::2]]
    if min(map(len, halves)) > real.shape[1]:
        note += f"; two halves of the real ones: {fidelity.frechet_distance(*halves):.3g}"
    yield Result("frechet_distance", value, note=note)


def _kernel(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    fake, real, note = case.features
    value, interval = fidelity.kernel_distance(real, fake, generator)
    yield Result("kernel_distance", value, interval, note=f"{note}; interval: 95% of subsets")


def _precision_recall(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    fake, real, note = case.features
    for name, value in zip(
        ("precision", "recall"), fidelity.precision_recall(real, fake), strict=True
    ):
        yield Result(name, value, note=f"{note}; k = 3")


def _classes(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    judge, rows = case.classifier, case.class_rows
    _, confidence = case.told
    share = np.array([row.share for row in rows])
    shares = ", ".join(f"{row.name}: {row.share:.1%}" for row in rows)
    yield Result("classes_found", float((share >= 0.01).sum()), note=f"at least 1% each; {shares}")
    yield Result("rarest_class", float(share.min()), note="the smallest class's share")
    note = "0 is the data's shares; so much of the samples is of a class that has enough of them"
    yield Result("class_distance", class_distance(rows), note=note)
    error = 1.96 * float(confidence.std()) / len(confidence) ** 0.5
    mean = float(confidence.mean())
    note = f"a classifier with {judge.accuracy:.1%} of {judge.held_out:,} held-out images right"
    yield Result("confidence", mean, (max(mean - error, 0.0), min(mean + error, 1.0)), note=note)


def _copying(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    if not case.dataset.is_images:
        raise DoesNotApply("only for images")
    distances.as_rows(case.samples[:FEWEST_COPIES], FEWEST_COPIES)
    found = two_sample.copying(case.comparable, case.dataset.array, case.held_out, generator)
    beside = "held-out images" if case.held_out is not None else "training images left out in turn"
    note = f"nearer to the training images than {beside}; 0.5 as new as those, 1 copies"
    yield Result("copying", found.value, found.interval, note=note)
    yield Result("copying_p", found.p, note="two-sided, against 0.5")


def _inception(case: Case, generator: np.random.Generator) -> Iterable[Result]:
    if not case.dataset.is_images:
        raise DoesNotApply("only for images")
    fake, real = case.drawn(FEATURE_ROWS, generator)
    found = inception.distances(real, fake, device=case.device)
    note = f"{len(fake):,} samples, {len(real):,} real images"
    yield Result("fid", found["fid"], note=note)
    yield Result("kid", found["kid"], note=f"{note}; ± {found['kid_std']:.2g} over subsets")


@dataclass(frozen=True)
class Group:
    """Metrics that are computed together."""

    names: tuple[str, ...]
    source: str
    run: Callable[[Case, np.random.Generator], Iterable[Result]]


GROUPS = (
    Group(("mean_error", "cov_error", "frechet"), "Dowson and Landau 1982", _toy),
    Group(("modes_covered", "high_quality", "mode_kl"), "VEEGAN 2017; PacGAN 2018", _mixture),
    Group(("mmd2", "mmd_p"), "Gretton et al. 2012", _mmd),
    Group(("c2st_accuracy", "c2st_p"), "Lopez-Paz and Oquab 2017", _classifier_test),
    Group(("frechet_distance",), "Heusel et al. 2017", _frechet),
    Group(("kernel_distance",), "Bińkowski et al. 2018", _kernel),
    Group(("precision", "recall"), "Kynkäänniemi et al. 2019", _precision_recall),
    Group(
        ("classes_found", "rarest_class", "class_distance", "confidence"),
        "Guo et al. 2017",
        _classes,
    ),
    Group(("copying", "copying_p"), "Meehan et al. 2020", _copying),
    Group(("fid", "kid"), "Heusel et al. 2017; Bińkowski et al. 2018", _inception),
)


def evaluate_samples(
    recipe: Recipe,
    dataset: Dataset,
    samples: np.ndarray,
    seed: int = 0,
    held_out: np.ndarray | None = None,
    inception: bool = False,
    device: str = "cpu",
) -> list[Result]:
    """Every metric of the samples (n, *recipe.data_shape), those that do not apply with why.

    Image samples are floats in [-1, 1] or uint8. `held_out` are images like the data's that were
    not trained on, if there are any; `inception` asks for the standard FID and KID too, on that
    `device`. The same seed gives the same numbers. Raises UserError if no metric could apply:
    samples or data of another shape than the recipe's.
    """
    samples = np.asarray(samples)
    for shape, what in (
        (samples.shape[1:], "samples"),
        (dataset.shape, f"the {dataset.name} data"),
    ):
        if shape != recipe.data_shape:
            raise UserError(f"{recipe.name} makes {recipe.data_shape}, but {what} are {shape}")
    case = Case(recipe, dataset, samples, seed, held_out, inception, device)
    results: list[Result] = []
    for number, group in enumerate(GROUPS):
        if group.run is _inception and not inception:
            continue
        results += _attempt(case, group, number)
    return results


def classes_of(
    recipe: Recipe, dataset: Dataset, samples: np.ndarray, seed: int = 0
) -> list[ClassRow]:
    """A row for each class of the data, of samples as `evaluate_samples` takes them; none where the
    classes cannot be told, which the metrics say in words."""
    case = Case(recipe, dataset, np.asarray(samples), seed)
    with contextlib.suppress(UserError):
        return [] if case.diverged else case.class_rows
    return []


def asked_of(
    recipe: Recipe, dataset: Dataset, samples: np.ndarray, asked: np.ndarray, seed: int = 0
) -> Asked:
    """A row for each class, of samples as `evaluate_samples` takes them that were asked for as the
    classes `asked` (n,). Raises UserError where the classes cannot be told, or were never seen."""
    case = Case(recipe, dataset, np.asarray(samples), seed)
    if case.diverged:
        raise UserError(case.diverged)
    generator = case.generator(len(GROUPS))
    return asked_classes(case.classifier, dataset, case.comparable, asked, generator)


def _attempt(case: Case, group: Group, number: int) -> list[Result]:
    try:
        if case.diverged:
            raise UserError(case.diverged)
        found = list(group.run(case, case.generator(number)))
    except UserError as error:
        applies = not isinstance(error, DoesNotApply)
        return [
            Result(name, None, source=group.source, error=str(error), applies=applies)
            for name in group.names
        ]
    return [dataclasses.replace(result, source=group.source) for result in found]


def cheap_metrics(
    recipe: Recipe, dataset: Dataset, samples: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """The metrics that cost milliseconds, for a training loop: those of the toy and of mixtures,
    and the MMD of 500 examples. Metrics that cannot be computed are left out."""
    case = Case(recipe, dataset, np.asarray(samples), seed)
    if case.diverged:  # the loop tells that by itself
        return {}
    found = [r for i in (0, 1) for r in _attempt(case, GROUPS[i], i) if r.value is not None]
    values = {result.name: result.value for result in found if result.value is not None}
    generator = case.generator(2)
    with contextlib.suppress(UserError):
        values["mmd2"] = two_sample.mmd_test(*case.drawn(500, generator), generator, 0).value
    return values
