"""Short-run convergence: what the toy is for, on every backend."""

import math

import numpy as np
import pytest

import ganref
from ganref import data
from ganref.draws import batches, rng
from ganref.metrics import distances
from ganref.spec import recipe as recipe_of
from ganref.training import history

MEAN = np.array([1.0, 2.0])
A = np.array([[1.0, 2.0], [-0.1, 0.5]])
COVARIANCE = A.T @ A

# A generator that learned nothing but the mean is at tr(C) = 5.26; the untrained one at 10.2.
BOUND = 1.0


def frechet_after(backend: str, seed: int = 0, epochs: int = 20, spoil=None) -> tuple[float, list]:
    """(distance of 10,000 samples to the data's distribution, last losses per example)."""
    recipe = recipe_of("gaussian")
    weights = ganref.initial_weights(recipe, seed)
    gan = ganref.load_backend(backend).create(recipe, weights)
    if spoil:
        spoil(gan)
    source = batches.Source(recipe, data.load("gaussian", recipe, seed), seed, "float32")
    for steps in batches.plan(source, 0, epochs * source.steps_per_epoch, None):
        batch = source.draw(steps)
        trace = gan.train_trace(batch.X, batch.Z, Z_G=None, masks={})
    noise = rng.latent(recipe, rng.Stream(seed, rng.EVALUATION), range(1), (10_000,))[0]
    mean, covariance = distances.gaussian_fit(gan.generate(noise))
    distance = distances.frechet_gaussian(mean, covariance, MEAN, COVARIANCE)
    return distance, history.per_example(recipe, trace)


def test_the_toy_learns_its_gaussian(backend: str, capsys: pytest.CaptureFixture) -> None:
    distance, (loss_D, loss_G, *_) = frechet_after(backend)
    with capsys.disabled():
        print(f"\n{backend}: Fréchet distance {distance:.3f}", end=", ")
        print(f"loss_D {loss_D:.4f}, loss_G {loss_G:.4f}")
    assert distance < BOUND
    assert loss_D == pytest.approx(math.log(2), abs=0.1)
    assert loss_G == pytest.approx(math.log(2), abs=0.1)


@pytest.mark.parametrize("what", ["G held still", "G climbs", "D held still"])
def test_a_broken_update_fails_the_bound(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(gan) -> None:
        trainer = gan.trainer_D if what.startswith("D") else gan.trainer_G
        step = trainer.step
        if what.endswith("still"):
            monkeypatch.setattr(trainer, "step", lambda grad, batch: None)
        else:
            monkeypatch.setattr(trainer, "step", lambda grad, batch: step(-grad, batch))

    distance, _ = frechet_after("numpy", spoil=spoil)
    assert not distance < BOUND


def test_it_is_not_one_lucky_seed(capsys: pytest.CaptureFixture) -> None:
    distances = sorted(frechet_after("numpy", seed)[0] for seed in range(10))
    with capsys.disabled():
        print(f"\nFréchet distances of ten seeds: {', '.join(f'{d:.2f}' for d in distances)}")
    assert np.median(distances) < BOUND
