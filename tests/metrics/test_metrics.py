"""The metrics against closed forms, SciPy, loops written out, and their known distributions."""

import math
import subprocess
import sys

import numpy as np
import pytest

from ganref import backend, evaluate
from ganref.data import Dataset, load, modes, points
from ganref.metrics import distances, two_sample
from ganref.spec import UserError, recipe

scipy_linalg = pytest.importorskip("scipy.linalg")
scipy_stats = pytest.importorskip("scipy.stats")


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def covariance(rng: np.random.Generator, d: int) -> np.ndarray:
    root = rng.normal(size=(d, d))
    return root @ root.T


# Fréchet distance


@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_frechet_agrees_with_scipy(d: int) -> None:
    rng = generator(d)
    mean1, mean2 = rng.normal(size=(2, d))
    cov1, cov2 = covariance(rng, d), covariance(rng, d)
    cross = np.trace(scipy_linalg.sqrtm(cov1 @ cov2)).real
    expected = np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2) - 2 * cross
    assert distances.frechet_gaussian(mean1, cov1, mean2, cov2) == pytest.approx(expected, rel=1e-7)


def test_frechet_in_closed_form() -> None:
    # Of commuting covariances: |m1 − m2|² + Σ (s1 − s2)².
    mean1, mean2 = np.array([1.0, 2.0]), np.array([4.0, 6.0])
    found = distances.frechet_gaussian(mean1, np.diag([4.0, 9.0]), mean2, np.diag([1.0, 25.0]))
    assert found == pytest.approx(25 + 1 + 4, rel=1e-12)
    assert distances.frechet_gaussian(mean1, np.zeros((2, 2)), mean2, np.eye(2)) == pytest.approx(
        27
    )


def test_frechet_is_a_distance() -> None:
    rng = generator(1)
    mean = rng.normal(size=3)
    cov1, cov2 = covariance(rng, 3), covariance(rng, 3)
    assert distances.frechet_gaussian(mean, cov1, mean, cov1) == pytest.approx(0, abs=1e-12)
    there = distances.frechet_gaussian(mean, cov1, -mean, cov2)
    assert distances.frechet_gaussian(-mean, cov2, mean, cov1) == pytest.approx(there, rel=1e-12)
    turn = scipy_stats.ortho_group.rvs(3, random_state=0)
    turned = (turn @ mean, turn @ cov1 @ turn.T, -turn @ mean, turn @ cov2 @ turn.T)
    assert distances.frechet_gaussian(*turned) == pytest.approx(there, rel=1e-10)


def test_frechet_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(UserError, match=r"\(d,\), \(d, d\)"):
        distances.frechet_gaussian(np.zeros(2), np.eye(2), np.zeros(3), np.eye(3))


def test_toy_metrics_of_known_errors() -> None:
    mean, cov = points.B, points.A.T @ points.A
    # Points whose sample mean and covariance are exactly those of the toy, then moved by (3, 4).
    rows = generator().normal(size=(50, 2))
    rows -= rows.mean(axis=0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T @ points.A + mean
    exact = distances.toy_metrics(rows, mean, cov)
    assert max(exact.values()) < 1e-12
    moved = distances.toy_metrics(rows + [3, 4], mean, cov)
    assert moved["mean_error"] == pytest.approx(5)
    assert moved["frechet"] == pytest.approx(25)
    wider = distances.toy_metrics((rows - mean) * 2 + mean, mean, cov)
    assert wider["cov_error"] == pytest.approx(3 * np.linalg.norm(cov))
    assert wider["frechet"] == pytest.approx(np.trace(cov))


# Mixtures


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_the_mixtures_themselves(name: str) -> None:
    centres, std = modes(name)
    found = distances.mixture_metrics(points.mixture(name, 3)[0], centres, std)
    n, m = points.MIXTURE_SIZE, len(centres)
    assert found["modes_covered"] == m
    # P(|x| ≤ 3 std) in the plane, within 4 standard errors.
    share = 1 - math.exp(-4.5)
    assert abs(found["high_quality"] - share) < 4 * math.sqrt(share * (1 - share) / n)
    # 2 n KL is chi-squared with m − 1 degrees of freedom for a uniform histogram.
    assert scipy_stats.chi2.sf(2 * n * found["mode_kl"], m - 1) > 1e-3
    assert scipy_stats.chi2.cdf(2 * n * found["mode_kl"], m - 1) > 1e-3


def test_mixture_metrics_count_by_hand() -> None:
    centres, std = modes("ring")
    # Mode 0 three times, mode 1 once; a point 3.1 std off mode 2 is in its histogram, not good.
    samples = np.stack(
        [centres[0], centres[0], centres[0], centres[1], centres[2] + [3.1 * std, 0]]
    )
    found = distances.mixture_metrics(samples, centres, std)
    assert found["modes_covered"] == 2
    assert found["high_quality"] == 0.8
    expected = sum(p * math.log(8 * p) for p in (0.6, 0.2, 0.2))
    assert found["mode_kl"] == pytest.approx(expected)
    samples[-1] = centres[2] + [2.9 * std, 0]
    assert distances.mixture_metrics(samples, centres, std)["modes_covered"] == 3


def test_one_mode_has_the_largest_divergence() -> None:
    centres, std = modes("grid")
    found = distances.mixture_metrics(np.repeat(centres[7:8], 100, axis=0), centres, std)
    assert found == {"modes_covered": 1, "high_quality": 1, "mode_kl": pytest.approx(math.log(25))}


# Maximum mean discrepancy


def test_mmd_agrees_with_the_sums_written_out() -> None:
    rng = generator(2)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)) + 1
    pooled = np.concatenate([x, y])
    distances = [np.linalg.norm(a - b) for i, a in enumerate(pooled) for b in pooled[:i]]
    scale = np.median(distances)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-np.sum((a - b) ** 2) / (2 * scale**2))

    xx = sum(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (7 * 6)
    yy = sum(k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / (5 * 4)
    xy = sum(k(a, b) for a in x for b in y) / (7 * 5)
    # The median of the squares is the square of the median up to the mean of two middle ones.
    assert two_sample.mmd_test(x, y, rng, 9).value == pytest.approx(xx + yy - 2 * xy, rel=1e-2)
    assert two_sample.mmd_test(x[:6], y, rng, 9).value == pytest.approx(_mmd2(x[:6], y), rel=1e-12)


def _mmd2(x: np.ndarray, y: np.ndarray) -> float:
    pooled = np.concatenate([x, y])
    squared = ((pooled[:, None] - pooled[None]) ** 2).sum(-1)
    kernel = np.exp(-squared / (2 * np.median(squared[np.triu_indices(len(pooled), 1)])))
    n, m = len(x), len(y)
    xx, yy, xy = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]
    within = (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - m) / (m * (m - 1))
    return within - 2 * xy.mean()


def test_mmd_of_gaussians_is_the_expectation() -> None:
    # E k(a, b) for a − b ~ N(δ, 2 I_d): (σ²/(σ² + 2))^(d/2) exp(−δ²/(2 (σ² + 2))).
    rng = generator(3)
    x, y = rng.normal(size=(2000, 1)), rng.normal(size=(2000, 1)) + 1.5
    pooled = np.concatenate([x, y])
    s2 = np.median((pooled - pooled.T)[np.triu_indices(4000, 1)] ** 2)
    expected = 2 * math.sqrt(s2 / (s2 + 2)) * (1 - math.exp(-(1.5**2) / (2 * (s2 + 2))))
    found = two_sample.mmd_test(x, y, rng, 99)
    assert found.value == pytest.approx(expected, rel=0.1)
    assert found.p == 1 / 100


def test_mmd_is_unbiased_and_its_p_values_uniform() -> None:
    rng = generator(4)
    found = [
        two_sample.mmd_test(*rng.normal(size=(2, 30, 2)), generator=rng, permutations=99)
        for _ in range(300)
    ]
    values = np.array([test.value for test in found])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(len(values))
    p = np.array([test.p for test in found])
    assert scipy_stats.kstest(p - 0.005, "uniform").pvalue > 1e-3
    assert abs((p <= 0.1).mean() - 0.1) < 4 * math.sqrt(0.09 / len(p))


def test_mmd_of_equal_points_is_zero() -> None:
    test = two_sample.mmd_test(np.ones((5, 2)), np.ones((6, 2)), generator(), 19)
    assert (test.value, test.p) == (pytest.approx(0, abs=1e-12), 1)


# The classifier two-sample test


def test_classifier_cannot_tell_equals_and_can_tell_others() -> None:
    rng = generator(5)
    x, y = rng.normal(size=(2, 600, 2))
    same = two_sample.classifier_test(x, y, rng)
    assert same.interval is not None
    assert same.interval[0] < 0.5 < same.interval[1]
    # The best classifier of N(0, I) and N((2, 0), I) hits Φ(1).
    moved = two_sample.classifier_test(x, y + [2, 0], rng)
    assert moved.interval is not None
    assert moved.interval[0] < scipy_stats.norm.cdf(1) < moved.interval[1]
    assert moved.p < 1e-6


def test_classifier_interval_and_p_are_the_exact_binomials() -> None:
    rng = generator(6)
    found = two_sample.classifier_test(
        rng.normal(size=(41, 3)), rng.normal(size=(50, 3)) + 0.5, rng
    )
    total = 2 * (41 - 41 // 2)
    exact = scipy_stats.binomtest(round(found.value * total), total, alternative="greater")
    assert found.p == pytest.approx(exact.pvalue, rel=1e-9)
    both = scipy_stats.binomtest(round(found.value * total), total).proportion_ci(0.95, "exact")
    assert found.interval == pytest.approx((both.low, both.high), rel=1e-9)


def test_classifier_p_values_are_uniform() -> None:
    rng = generator(7)
    p = np.array(
        [
            two_sample.classifier_test(*rng.normal(size=(2, 40, 2)), generator=rng).p
            for _ in range(60)
        ]
    )
    # Discrete, and the sum of hits of both classes: conservative at most by one hit.
    assert (p <= 0.05).mean() < 0.05 + 4 * math.sqrt(0.05 * 0.95 / len(p))
    assert scipy_stats.kstest(p, "uniform").pvalue > 1e-4


# Nearest neighbours and copying


def test_nearest_distances_agree_with_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.spatial import cKDTree

    rng = generator(8)
    queries, rows = rng.normal(size=(300, 4)), rng.normal(size=(250, 4)) + 1e6
    queries += 1e6
    expected = cKDTree(rows).query(queries, k=3)[0]
    monkeypatch.setattr(distances, "_BLOCK", 4096 * 64)  # several blocks of rows
    for k in (1, 3):
        assert distances.nearest_distances(queries, rows, k) == pytest.approx(expected[:, k - 1])
    own = cKDTree(rows).query(rows, k=3)[0][:, 2]
    found = distances.nearest_distances(rows, rows, 2, exclude=np.arange(len(rows)))
    assert found == pytest.approx(own)


def test_copying_tells_copies_from_new_examples() -> None:
    rng = generator(9)
    train, held_out, fresh = rng.normal(size=(3, 400, 3))
    copies = two_sample.copying(train + 1e-6, train, held_out, rng)
    assert copies.value == 1
    assert copies.p < 1e-6
    assert two_sample.copying(fresh + 100, train, held_out, rng).value == 0
    for others in (held_out, None):
        new = two_sample.copying(fresh, train, others, rng)
        assert new.interval is not None
        assert new.interval[0] < 0.5 < new.interval[1]
        assert new.p > 0.01
    # The statistic is Mann-Whitney's.
    near = distances.nearest_distances(fresh, train)
    far = distances.nearest_distances(held_out, train)
    u = scipy_stats.mannwhitneyu(far, near).statistic / (400 * 400)
    assert two_sample.copying(fresh, train, held_out, rng).value == pytest.approx(u)


def test_copying_counts_ties_half() -> None:
    rng = generator(10)
    train, held_out, fresh = rng.integers(0, 5, (3, 60, 3)).astype(float)
    near = distances.nearest_distances(fresh, train)
    far = distances.nearest_distances(held_out, train)
    assert len({*near, *far}) < 20  # of 120
    u = scipy_stats.mannwhitneyu(far, near).statistic / (60 * 60)
    assert two_sample.copying(fresh, train, held_out, rng).value == pytest.approx(u)


# Bad input


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        (np.zeros((1, 2)), "at least 2 samples are needed, not 1"),
        (np.zeros(5), "must be an array"),
        (np.array([[0, 1], [np.nan, 0], [np.inf, 0]]), "2 of 3 samples are not finite"),
    ],
)
def test_bad_samples_are_named(samples: np.ndarray, what: str) -> None:
    with pytest.raises(UserError, match=what):
        distances.gaussian_fit(samples)


def test_too_few_or_other_shapes_are_named() -> None:
    rng = generator()
    with pytest.raises(UserError, match="at least 20 real examples are needed, not 3"):
        two_sample.classifier_test(np.zeros((30, 2)), np.zeros((3, 2)), rng)
    with pytest.raises(UserError, match="2 features, the real examples 3"):
        two_sample.mmd_test(np.zeros((30, 2)), np.zeros((30, 3)), rng)
    with pytest.raises(UserError, match="3 features, the modes 2"):
        distances.mixture_metrics(np.zeros((4, 3)), *modes("ring"))


def test_a_missing_package_is_named_with_its_cure() -> None:
    with pytest.raises(UserError, match="pip install no-such-package"):
        backend.need("no_such_package", "no-such-package")


def test_import_brings_numpy_alone() -> None:
    code = (
        "import sys, ganref.evaluate; print([m for m in ('scipy', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# The assembly


def _by_name(results: list[evaluate.Result]) -> dict[str, evaluate.Result]:
    return {result.name: result for result in results}


def test_the_toy_is_evaluated_and_the_rest_says_why_not() -> None:
    r = recipe("gaussian")
    data = load("gaussian", r, 0)
    samples = points.gaussian(9, 500)
    results = evaluate.evaluate_samples(r, data, samples, seed=1)
    assert results == evaluate.evaluate_samples(r, data, samples, seed=1)
    found = _by_name(results)
    expected = distances.toy_metrics(samples, points.B, points.A.T @ points.A)
    assert {name: found[name].value for name in expected} == expected
    assert found["mmd_p"].value is not None
    assert found["modes_covered"].error == "only for the ring and grid data, whose modes are known"
    assert found["frechet_distance"].error == "only for images"
    assert all((r.value is None) != (r.error is None) and r.source for r in results)
    lines = evaluate.table(results).splitlines()
    others = [r.name for r in results if not r.applies]
    assert len(lines) == len(results) - len(others) + 1
    assert lines[-1].endswith(", ".join(others)) and "frechet_distance" in others
    assert not any("\n" in (result.error or "") for result in results)
    assert evaluate.as_json(results)[0]["name"] == "mean_error"


def test_the_ring_is_evaluated() -> None:
    r = recipe("ring")
    data = load("ring", r, 0)
    centres, std = modes("ring")
    found = _by_name(evaluate.evaluate_samples(r, data, np.repeat(centres[:3], 300, axis=0)))
    assert found["modes_covered"].value == 3
    assert found["high_quality"].value == 1
    assert found["mmd_p"].value == 0.001
    assert found["mode_kl"].note.startswith("as many points of the data give")


def test_metrics_that_apply_survive_those_that_do_not() -> None:
    r = recipe("gaussian")
    found = _by_name(evaluate.evaluate_samples(r, load("gaussian", r, 0), points.gaussian(3, 10)))
    assert found["frechet"].value is not None
    assert found["c2st_accuracy"].error == "at least 20 samples are needed, not 10"


def test_diverged_samples_are_said_to_be() -> None:
    r = recipe("gaussian")
    samples = points.gaussian(3, 3000)
    samples[7] = np.nan  # the tests draw 2,000, and may miss it
    for result in evaluate.evaluate_samples(r, load("gaussian", r, 0), samples):
        assert result.value is None
        assert "1 of 3,000 samples are not finite" in (result.error or "")
    assert evaluate.cheap_metrics(r, load("gaussian", r, 0), samples) == {}


def test_samples_of_another_shape_are_refused() -> None:
    r = recipe("gaussian")
    with pytest.raises(UserError, match=r"makes \(2,\), but samples are \(3,\)"):
        evaluate.evaluate_samples(r, load("gaussian", r, 0), np.zeros((50, 3)))
    images = Dataset("digits", np.zeros((9, 1, 28, 28), np.uint8))
    with pytest.raises(UserError, match="the digits data are"):
        evaluate.evaluate_samples(r, images, np.zeros((50, 2)))


def test_cheap_metrics_are_the_same_figures() -> None:
    r = recipe("ring")
    data = load("ring", r, 0)
    samples = points.mixture("ring", 4, 400)[0]
    cheap = evaluate.cheap_metrics(r, data, samples)
    centres, std = modes("ring")
    assert cheap.pop("mmd2") == pytest.approx(0, abs=0.01)
    assert cheap == distances.mixture_metrics(samples, centres, std)
