"""What each difference between d2l's tabs does, as a number; docs/deviations.md quotes these.

The numbers are NumPy's: that the other backends do the same is for test_parity.py.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from cases import difference, draws, narrow
from published import TAB, loop
from told import TOLD

import ganref
from ganref.numpy.layers import Network
from ganref.spec import Recipe, formulas

TABS = ("pytorch", "tensorflow", "mxnet")
TOY, DCGAN = narrow("gaussian"), narrow("dcgan")


def _adam(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with other numbers in both optimisers."""
    adams = {n: dataclasses.replace(getattr(recipe, n), **changes) for n in ("adam_D", "adam_G")}
    return recipe.replace(**adams)


def _numpy(recipe: Recipe, weights: dict[str, np.ndarray] | None = None, dtype: str = "float64"):
    weights = weights or ganref.initial_weights(recipe)
    return ganref.load_backend("numpy").create(recipe, weights, dtype=dtype)


def _norm_of(tab: str) -> Recipe:
    """The narrow DCGAN with that tab's batch normalisation and nothing else of it."""
    return DCGAN.replace(norm=ganref.with_tab(DCGAN, tab).norm)


def _worst(found: dict, expected: dict, running: bool) -> float:
    names = [n for n in expected if ("running" in n) == running]
    return max((difference(found[n], expected[n]) for n in names), default=0.0)


# The spec's tabs against the frameworks' own layers, losses and optimisers.


# JAX has no tab at d2l.ai.
with_tab = pytest.mark.parametrize("framework", [name for name in TOLD if name in TAB])


@with_tab
@pytest.mark.parametrize("name", ["gaussian", "dcgan"])
def test_a_tab_is_what_its_framework_does(framework: str, name: str) -> None:
    """Keras and MXNet hold Adam's numbers as float32, which alone costs 6e-6 at β₂ = 0.999: these
    are numbers that a float32 holds exactly."""
    tab = ganref.with_tab(_adam(narrow(name), beta1=0.5, beta2=1 - 2**-10), TAB[framework])
    tab = _adam(tab, lr=2**-8)
    weights = ganref.initial_weights(tab)
    (X, Z), _ = draws(tab, 3)
    gan, page = _numpy(tab, weights), loop(framework, tab, weights)
    losses = np.array(gan.train_steps(X, Z))
    assert difference(page.train_steps(X, Z), losses) < 5e-7
    truth = page.weights()
    assert _worst(gan.state(), truth, running=False) < 5e-5
    assert _worst(gan.state(), truth, running=True) < 5e-6
    for other in ("aligned", *TABS) if name == "dcgan" else ():
        recipe = ganref.with_tab(DCGAN, other)
        how = {n: getattr(recipe.adam_D, n) for n in ("eps", "eps_form", "mean_gradients")}
        gan = _numpy(_adam(tab, **how).replace(norm=recipe.norm), weights)
        gan.train_steps(X, Z)
        far = max(_worst(gan.state(), truth, running) for running in (False, True))
        assert (far > 1e-2) == (other != tab.tab), other


@with_tab
def test_how_a_tab_draws_its_pictures(framework: str) -> None:
    """PyTorch's with batch statistics, which it moves by doing so; the others in inference mode.
    Looking at the shape of one sample of zeros has moved PyTorch's variances before training."""
    tab = ganref.with_tab(DCGAN, TAB[framework])
    page = loop(framework, tab, ganref.initial_weights(tab))
    trains = framework == "torch"
    Z = draws(tab, 1)[0][1][0]
    expected = _numpy(tab).generate(Z, batch_stats=trains)
    before = page.weights()
    assert difference(page.generate(Z), expected) < 1e-6
    assert (_worst(page.weights(), before, running=True) > 0) == trains
    page = loop(framework, tab, ganref.initial_weights(DCGAN))
    page.generate(np.zeros((1, 100, 1, 1)))
    (found,) = [a for n, a in page.weights().items() if n.endswith("generator.1.running_var")]
    assert found == pytest.approx(0.9 if trains else 1)
    assert found == pytest.approx(ganref.initial_weights(tab)["generator.1.running_var"])


# Rates and epochs.


def test_tensorflow_s_dcgan_has_a_tenth_of_the_rate_for_twice_the_epochs() -> None:
    dcgan = ganref.recipe("dcgan")
    (X, Z), _ = draws(DCGAN, 1)
    moved = {}
    for tab in ("aligned", *TABS):
        recipe = ganref.with_tab(dcgan, tab)
        changed = tab == "tensorflow"
        assert recipe.epochs == (40 if changed else 20)
        gan = _numpy(ganref.with_tab(DCGAN, tab))
        before = gan.state()["discriminator.12.weight"]
        gan.train_steps(X, Z)
        moved[tab] = np.abs(gan.state()["discriminator.12.weight"] - before).max()
    # Adam's first step is the rate, whatever the gradient: all the same but for epsilon.
    assert moved["aligned"] == pytest.approx(0.005, rel=1e-3)
    assert moved["tensorflow"] == pytest.approx(0.0005, rel=0.03)


# Initial weights.


@cache
def _first_samples(tab: str, training: bool) -> np.ndarray:
    """The first samples (8, 3, 64, 64) of the DCGAN at its full width."""
    recipe = ganref.with_tab(ganref.recipe("dcgan"), tab)
    net_G = Network(recipe.generator, ganref.initial_weights(recipe), np.dtype(np.float32), "cpu")
    (_, Z), _ = draws(DCGAN.replace(batch_size=8), 1)
    return net_G(Z[0].astype(np.float32), training, update_stats=False)[0]


def test_redrawing_gamma_and_beta_makes_the_first_samples_thirty_times_smaller() -> None:
    assert _first_samples("mxnet", True).std() == pytest.approx(0.206, rel=0.01)
    assert _first_samples("pytorch", True).std() == pytest.approx(0.0065, rel=0.02)


def test_tensorflow_s_first_samples_are_one_picture() -> None:
    """Small gammas and running variances of 1 shrink what depends on z by 1e8; beta is left."""
    spread = {tab: _first_samples(tab, True).std(0).mean() for tab in ("aligned", *TABS)}
    assert spread["mxnet"] == spread["aligned"] == pytest.approx(0.12, rel=0.1)
    assert spread["pytorch"] == pytest.approx(0.0015, rel=0.1)
    assert 1e-10 < spread["tensorflow"] < 1e-8
    assert _first_samples("tensorflow", True).std() == pytest.approx(0.005, rel=0.02)


def test_tensorflow_s_toy_generator_keeps_glorot_s_weights() -> None:
    stds = {}
    for tab in ("aligned", *TABS):
        recipe = ganref.with_tab(TOY, tab)
        drawn = [ganref.initial_weights(recipe, seed) for seed in range(200)]
        stds[tab] = np.std([w["generator.0.weight"] for w in drawn])
        biases = np.std([w["generator.0.bias"] for w in drawn])
        assert biases == pytest.approx(0.02 if tab == "pytorch" else 0, rel=0.1)
        # D is redrawn in TensorFlow too, its biases included.
        biases = np.std([w["discriminator.0.bias"] for w in drawn])
        assert biases == pytest.approx(0.02 if tab in ("pytorch", "tensorflow") else 0, rel=0.1)
    # U(±√(6/4)) has a standard deviation of √(1/2).
    assert stds.pop("tensorflow") == pytest.approx(0.5**0.5, rel=0.03)
    assert all(std == pytest.approx(0.02, rel=0.1) for std in stds.values())


# Adam.


def test_what_epsilon_counts() -> None:
    """eps of both forms in the same place, that of m̂ / (√v̂ + eps), by update."""
    tabs = {tab: ganref.with_tab(TOY, tab).adam_D for tab in ("aligned", *TABS)}
    eps = {tab: [adam.coefficients(t)[2] for t in (1, 10, 100, 5000)] for tab, adam in tabs.items()}
    assert eps["aligned"] == eps["pytorch"] == [1e-8] * 4
    assert np.divide(eps["mxnet"], 1e-8) == pytest.approx([31.6, 10.0, 3.24, 1.003], rel=1e-2)
    assert np.divide(eps["tensorflow"], 1e-7) == pytest.approx([31.6, 10.0, 3.24, 1.003], rel=1e-2)
    # The first step, in units of the rate, on a summed gradient of 1e-6.
    first = {}
    for tab, adam in tabs.items():
        g = 1e-6 / (TOY.batch_size if adam.mean_gradients else 1)
        first[tab] = g / (g + eps[tab][0])
    assert first["pytorch"] == pytest.approx(0.990, abs=1e-3)
    assert first["mxnet"] == pytest.approx(0.283, abs=1e-3)
    assert first["tensorflow"] == pytest.approx(0.240, abs=1e-3)


def _apart(recipe: Recipe, other: Recipe, steps: int = 100) -> np.ndarray:
    """How far the toy's losses have been apart up to each step (steps,), from equal weights."""
    (X, Z), _ = draws(TOY, steps)
    weights = ganref.initial_weights(TOY)
    a, b = (np.array(_numpy(r, weights).train_steps(X, Z)) for r in (recipe, other))
    return np.maximum.accumulate(np.abs(a / b - 1).max(0))


def test_adam_hides_mean_gradients_but_for_epsilon() -> None:
    mean = _apart(_adam(TOY, mean_gradients=True), TOY)
    assert mean[0] == pytest.approx(1.1e-3, rel=0.1)
    assert mean[99] == pytest.approx(1.8e-2, rel=0.1)
    # A batch of 8 divides exactly, so without epsilon there is nothing left at all.
    tiny = _adam(TOY, eps=1e-30)
    assert not _apart(_adam(tiny, mean_gradients=True), tiny).any()


def test_epsilon_alone_moves_the_toy_by_a_tenth() -> None:
    for tab, by_then in (("tensorflow", 0.091), ("mxnet", 0.086)):
        adam = ganref.with_tab(TOY, tab).adam_D
        how = {n: getattr(adam, n) for n in ("eps", "eps_form", "mean_gradients")}
        assert _apart(_adam(TOY, **how), TOY)[99] == pytest.approx(by_then, rel=0.1), tab


# Batch normalisation.


def test_tensorflow_s_statistics_never_change() -> None:
    (X, Z), _ = draws(DCGAN, 3)
    tab, aligned = _numpy(_norm_of("tensorflow")), _numpy(DCGAN)
    for gan in (tab, aligned):
        before = gan.state()
        gan.train_steps(X, Z)
        after = gan.state()
        moved = [n for n in before if "running" in n and not np.array_equal(before[n], after[n])]
        assert len(moved) == (0 if gan is tab else 16)
    # The samples of training are those of inference, and another batch does not change them.
    assert np.array_equal(tab.generate(Z[0], batch_stats=True), tab.generate(Z[0]))
    assert difference(tab.generate(Z[0, :2]), tab.generate(Z[0])[:2]) < 1e-13
    together = aligned.generate(Z[0], batch_stats=True)[:2]
    assert difference(aligned.generate(Z[0, :2], batch_stats=True), together) > 0.1


def test_numbers_of_batch_normalisation() -> None:
    """What epsilon takes off the scale, and how much of the first statistics is left."""
    norms = {tab: ganref.with_tab(DCGAN, tab).norm for tab in TABS}
    lost = {tab: [1 - (v / (v + n.eps)) ** 0.5 for v in (0.04, 1)] for tab, n in norms.items()}
    # A batch's variance in the generator's first layer is 100 · 0.02² = 0.04 at the start.
    assert lost["pytorch"][0] == lost["mxnet"][0] == pytest.approx(1.25e-4, rel=0.01)
    assert lost["tensorflow"][0] == pytest.approx(1.23e-2, rel=0.01)
    # The running variance, which is what TensorFlow's tab divides by, is 1 for ever.
    assert lost["tensorflow"][1] == pytest.approx(5e-4, rel=0.01)
    steps = 40_597 // 256  # of an epoch of Pokemon
    assert norms["pytorch"].momentum ** steps == pytest.approx(6e-8, rel=0.05)
    assert norms["tensorflow"].momentum ** steps == pytest.approx(0.20, rel=0.05)


def test_the_variance_that_runs() -> None:
    """n/(n − 1), with n = 64 values of a channel in the narrow generator's first layer."""
    (X, Z), _ = draws(DCGAN, 1)
    grown = {}
    for tab in ("aligned", "mxnet"):
        gan = _numpy(_norm_of(tab))
        gan.train_steps(X, Z)
        grown[tab] = gan.state()["generator.1.running_var"] - 0.9
    assert grown["aligned"] / grown["mxnet"] == pytest.approx(64 / 63, rel=1e-9)


def test_pytorch_s_generator_takes_every_batch_in_twice() -> None:
    (X, Z), _ = draws(DCGAN, 1)
    gans = {tab: _numpy(_norm_of(tab)) for tab in ("aligned", "pytorch", "mxnet")}
    traces = {tab: np.array(gan.train_steps(X, Z)) for tab, gan in gans.items()}
    means = {tab: gan.state()["generator.1.running_mean"] for tab, gan in gans.items()}
    # r = 0.9 r + 0.1 b from 0: 0.1 b once, 0.19 b after the same batch again.
    assert means["pytorch"] / means["aligned"] == pytest.approx(1.9, rel=1e-9)
    assert np.array_equal(means["mxnet"], means["aligned"])
    # Training does not read the statistics; pictures in inference mode do.
    assert all(np.array_equal(trace, traces["aligned"]) for trace in traces.values())
    pictures = {tab: gan.generate(Z[0]) for tab, gan in gans.items()}
    apart = (pictures["pytorch"] - pictures["aligned"]).std() / pictures["aligned"].std()
    assert apart == pytest.approx(0.38, rel=0.05)


def test_mxnet_s_discriminator_takes_the_fake_batch_in_first() -> None:
    """The statistics change in backward, which begins with what came last."""
    (X, Z), _ = draws(DCGAN, 1)
    aligned, mxnet = _numpy(DCGAN), _numpy(_norm_of("mxnet"))
    conv = aligned.net_D.layers[0]
    fake_X = aligned.generate(Z[0], batch_stats=True)
    real, fake = (conv.forward(x, False)[0].mean((0, 2, 3)) for x in (X[0], fake_X))
    for gan, expected in ((aligned, 0.09 * real + 0.1 * fake), (mxnet, 0.1 * real + 0.09 * fake)):
        gan.update_D(X[0], Z[0])
        assert difference(gan.state()["discriminator.1.running_mean"], expected) < 1e-12
    # Scores of the real batch, as inference mode gives them.
    assert difference(mxnet.discriminate(X[0]), aligned.discriminate(X[0])) < 0.05


def test_pictures_in_training_mode_are_not_those_of_inference() -> None:
    """PyTorch's tab never leaves training mode: at the start, with running statistics still 0 and
    1, its pictures have 57 times the contrast."""
    training, inference = (_first_samples("aligned", mode) for mode in (True, False))
    assert training.std() / inference.std() == pytest.approx(57, rel=0.03)


# The other sources.


def test_rows_that_fill_no_batch() -> None:
    """Examples per epoch that wait for another one: of Pokemon, MNIST and the toy."""
    sizes = {"dcgan": 40_597, "mlp": 60_000, "gaussian": 1_000}
    left = {name: n % ganref.recipe(name).batch_size for name, n in sizes.items()}
    assert left == {"dcgan": 149, "mlp": 96, "gaussian": 0}


def test_concatenated_batches_are_the_same_loss_where_nothing_mixes_rows() -> None:
    """The MLP's source sends 2B rows through D at once; ganref sends B twice, halving the sum."""
    recipe = narrow("mlp")
    (X, Z), more = draws(recipe, 1)
    gan = _numpy(recipe)
    masks = {name: mask[0] for name, mask in more["masks"].items()}
    fake_X = gan.generate(Z[0])
    rows = {name: np.concatenate(mask[:2]) for name, mask in masks.items()}
    output, _ = gan.net_D(np.concatenate([X[0], fake_X]), masks=rows)
    labels = np.repeat([1.0, 0.0], len(fake_X))
    together = (formulas.softplus(output) - labels * output).mean()
    assert gan.update_D(X[0], Z[0], masks=masks) == pytest.approx(together, rel=1e-13)


def test_dropout_in_evaluation_is_louder_than_the_examples() -> None:
    """At the start D's logits differ by 0.020 among examples, and by 0.032 among masks."""
    recipe = ganref.recipe("mlp")
    (X, _), more = draws(recipe, 1)
    weights = ganref.initial_weights(recipe)
    net_D, x = (
        Network(recipe.discriminator, weights, np.dtype(np.float32), "cpu"),
        X[0].astype("f4"),
    )
    inference, _ = net_D(x, training=False)
    passes = [
        net_D(x, masks={name: mask[0, i] for name, mask in more["masks"].items()})[0]
        for i in range(recipe.passes)
    ]
    assert inference.std() == pytest.approx(0.020, rel=0.1)
    assert np.std(passes, axis=0, ddof=1).mean() == pytest.approx(0.032, rel=0.2)


def test_a_sigmoid_then_a_logarithm_lose_what_logits_keep() -> None:
    """The loss of a fake with logit 17, in float32: 17, but 100 and no gradient from BCELoss, which
    cuts the logarithm off at −100."""
    o = np.array([17], np.float32)
    probability = 1 / (1 + np.exp(-o))
    assert probability.dtype == np.float32 and probability == 1
    with np.errstate(divide="ignore"):
        assert -np.maximum(np.log(1 - probability), -100) == 100
    assert not probability * (1 - probability)  # what the sigmoid multiplies the gradient by
    assert formulas.bce(o, 0) == pytest.approx(17)
    assert formulas.sigmoid(o) == pytest.approx(1)  # and the derivative of that


def test_data_from_0_to_1_give_a_generator_with_tanh_away() -> None:
    """The MLP's source has images in [0, 1]: half of what G draws cannot be one of them."""
    recipe = ganref.recipe("mlp")
    (_, Z), _ = draws(recipe, 1)
    fake = _numpy(recipe, dtype="float32").generate(Z[0])
    assert (fake < 0).mean() == pytest.approx(0.5, abs=0.03)
    # A latent of U(−1, 1), as T. Silva's notebook has it, is smaller than the text's N(0, 1).
    uniform = draws(narrow("dcgan32").replace(latent="uniform", batch_size=64), 1)[0][1]
    assert uniform.std() == pytest.approx(3**-0.5, rel=0.02)
