"""What the playground holds of ganref is ganref's: recipes, reference, networks, metrics; and its
words are there in each language."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from played import decoded
from test_numbers import node

import ganref
from docs import make_playground as playground
from ganref.data.points import modes
from ganref.metrics import distances

CURE = "run python -m docs.make_playground"


def _read(file: str) -> dict:
    return playground.read(playground.FOLDER / file)


def test_recipes_are_the_spec_s() -> None:
    assert _read("recipes.js") == json.loads(json.dumps(playground.recipes())), CURE


def test_the_reference_is_numpy_s() -> None:
    held, fresh = _read("reference.js"), playground.reference()
    assert held["weights"] == fresh["weights"] and held["Z"] == fresh["Z"], CURE
    for name in ("X", "loss_D", "loss_G"):  # their last bits may differ on another machine
        assert np.allclose(decoded(held[name]), decoded(fresh[name]), rtol=0, atol=1e-11), CURE


def _weights(name: str) -> dict[str, np.ndarray]:
    held, weights = _read("pretrained.js")[name], {}
    for network in playground.RECIPES[name].networks:
        flat, start = decoded(held[network.name], "<f4").astype(float), 0
        for p in network.params:
            size = int(np.prod(p.shape))
            weights[p.name] = flat[start : start + size].reshape(p.shape)
            start += size
        assert start == len(flat)
    return weights


def test_the_pretrained_toy_is_what_its_training_gives() -> None:
    """The toy is chaotic: after 2,500 steps rounding may have grown to 2e-4."""
    assert {name: e["step"] for name, e in _read("pretrained.js").items()} == playground.TRAINED
    state = playground.train("gaussian", playground.TRAINED["gaussian"]).state()
    for name, tensor in _weights("gaussian").items():
        assert np.allclose(tensor, state[name], atol=1e-3), CURE


@pytest.mark.parametrize("name, least, most", [("ring", 6, 8), ("collapse", 1, 5)])
def test_a_pretrained_ring_has_its_modes(name: str, least: int, most: int) -> None:
    """The recipe finds nearly all, the lab's plain GAN has lost most."""
    recipe = playground.RECIPES[name]
    gan = ganref.load_backend("numpy").create(recipe, _weights(name), "cpu", "float64")
    samples = gan.generate(np.random.default_rng(0).normal(size=(2500, recipe.latent_dim)))
    found = distances.mixture_metrics(samples, *modes("ring"))
    assert least <= found["modes_covered"] <= most


def test_metrics_are_ganref_s() -> None:
    """Modes covered, good samples and the Fréchet distance, on points of which some are far off."""
    rng = np.random.default_rng(1)
    centres, std = modes("ring")
    points = centres[rng.integers(5, size=400)] + 1.7 * std * rng.normal(size=(400, 2))
    points[:3] += 9
    other = rng.normal(size=(300, 2)) @ [[1, 2], [-0.1, 0.5]] + [1, 2]
    given = {"points": points.tolist(), "other": other.tolist(), "centres": centres.tolist()}
    found = node("metrics.js", given | {"std": std})
    wanted = distances.mixture_metrics(points, centres, std)
    assert found["covered"] == wanted["modes_covered"] == 5
    assert found["good"] == wanted["high_quality"]
    fits = distances.gaussian_fit(points), distances.gaussian_fit(other)
    assert np.isclose(found["frechet"], distances.frechet_gaussian(*fits[0], *fits[1]), rtol=1e-9)
    mean, cov = playground.B, playground.A.T @ playground.A
    assert np.allclose(found["toy"]["mean"], mean)
    assert np.allclose(found["toy"]["cov"], [cov[0, 0], cov[0, 1], cov[1, 1]])


def test_every_word_is_there_in_each_language() -> None:
    words = node("words.js")
    gaps = {
        lang: {n: set(re.findall(r"\{\w+\}", w)) for n, w in t.items()} for lang, t in words.items()
    }
    assert gaps["en"] == gaps["fr"]
    assert all(word.strip() for table in words.values() for word in table.values())
    same = {n for n, word in words["en"].items() if words["fr"][n] == word}
    assert same <= {"pause", "freeze_D", "freeze_G"}
    sources = [p.read_text() for p in playground.FOLDER.glob("*.js") if p.name != "words.js"]
    text = "\n".join([*sources, (playground.FOLDER / "index.html").read_text()])
    used = set(re.findall(r'say\("(\w+)"|data-(?:word|label|hint)="(\w+)"', text))
    assert {a or b for a, b in used} <= set(words["en"])
    unused = {n for n in words["en"] if not re.search(rf'["=]{re.escape(n)}["\'`]', text)}
    # Those whose names are put together: a tab, a loss, a choice.
    assert all(re.match(r"(tab|note|loss|freeze|start|recipe)_", n) for n in unused), unused
