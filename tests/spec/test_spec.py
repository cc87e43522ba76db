"""The numbers of the sources, and what the spec refuses."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import ganref
from ganref.spec import RECIPES, TABS, Adam, Network, UserError, num_parameters, on_data
from ganref.spec.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Reshape,
)
from ganref.spec.losses import LOSSES, BinaryCrossEntropy, Loss, Margin
from ganref.spec.serial import from_dict, to_dict

COUNTS = {
    "gaussian": (6, 37),
    "dcgan": (3_576_704, 2_765_696),
    "dcgan-nyu": (3_576_704, 2_765_568),
    "mlp": (1_486_352, 1_460_225),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts(name: str) -> None:
    assert num_parameters(ganref.recipe(name)) == COUNTS[name]


def test_parameter_counts_of_dcgan32_in_colour() -> None:
    recipe = ganref.recipe("dcgan32").replace(data_shape=(3, 32, 32))
    assert num_parameters(recipe) == (4_935_171, 1_034_113)


def test_shapes_of_the_sources() -> None:
    dcgan = ganref.recipe("dcgan")
    assert dcgan.generator.shapes[0] == (100, 1, 1)
    assert dcgan.generator.output_shape == (3, 64, 64)
    assert dcgan.generator.shapes[1] == (512, 4, 4)
    assert dcgan.discriminator.output_shape == (1, 1, 1)
    # The block examples of d2l.ai's DCGAN.
    assert ConvTranspose(3, 20, 4, 2, (1, 1)).out_shape((3, 16, 16)) == (20, 32, 32)
    assert ConvTranspose(3, 20, 4, 1, (0, 0)).out_shape((3, 1, 1)) == (20, 4, 4)
    assert Conv(3, 20, 4, 2, (1, 1)).out_shape((3, 16, 16)) == (20, 8, 8)
    # "same", k5 s2, both ways.
    assert Conv(1, 2, 5, 2, (1, 2)).out_shape((1, 32, 32)) == (2, 16, 16)
    assert ConvTranspose(1, 2, 5, 2, (1, 2)).out_shape((1, 16, 16)) == (2, 32, 32)


def test_work_of_dcgan_is_that_of_eleven_passes() -> None:
    recipe = ganref.recipe("dcgan")
    passes = 3 * recipe.generator.flops + 8 * recipe.discriminator.flops
    assert recipe.flops_per_example == pytest.approx(passes, rel=0.01)
    assert recipe.flops_per_example == pytest.approx(2.29e9, rel=0.01)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_json_and_print(name: str) -> None:
    recipe = ganref.recipe(name)
    assert from_dict(json.loads(json.dumps(to_dict(recipe)))) == recipe
    text = recipe.summary()
    assert name in text and f"{recipe.generator.num_parameters:,}" in text


def _broken() -> dict[str, object]:
    toy = ganref.recipe("gaussian")
    return {
        "sizes": lambda: Dense(0, 2),
        "padding": lambda: Conv(1, 1, 3, 1, (3, 3)),
        "pair": lambda: Conv(1, 1, 3, 1, (0, 2)),
        "kernel": lambda: Conv(1, 1, 5).out_shape((1, 3, 3)),
        "slope": lambda: LeakyReLU(1.5),
        "rate": lambda: Dropout(1.0),
        "momentum": lambda: BatchNorm(3, momentum=1.0),
        "numbers": lambda: Reshape((2, 2)).out_shape((5,)),
        "generator.1": lambda: Network("generator", (2,), (Dense(2, 3), Dense(2, 1)), "samples"),
        "one number": lambda: Network("d", (2,), (Dense(2, 3),), "logits"),
        "positive": lambda: Adam(-0.1),
        "beta1": lambda: Adam(0.1, beta1=1.0),
        "eps_form": lambda: Adam(0.1, eps_form="both"),
        "real_label": lambda: BinaryCrossEntropy(real_label=1.5),
        "repelling": lambda: Margin(repelling=-0.1),
        "batch_size": lambda: toy.replace(batch_size=0),
        "no 'colour'": lambda: toy.replace(colour=3),
        "points": lambda: toy.replace(data_shape=(1, 8, 8)),
        "64×64": lambda: ganref.recipe("dcgan").replace(data_shape=(3, 32, 32)),
        "energy head": lambda: toy.replace(loss=Margin()),
        "at least 2 values": lambda: ganref.recipe("dcgan32").replace(
            stack="dcgan64", data_shape=(1, 64, 64), batch_size=1
        ).generator.layers[1] and Network(
            "n", (3, 1, 1), (BatchNorm(3), Flatten(), Dense(3, 1))
        ).check_batch(1),
        "unknown recipe": lambda: ganref.recipe("wgan"),
        "unknown tab": lambda: ganref.with_tab(toy, "jax"),
        "not d2l's": lambda: ganref.with_tab(ganref.recipe("mlp"), "mxnet"),
        "set of points": lambda: on_data(ganref.recipe("dcgan"), "gaussian", True),
    }  # fmt: skip


@pytest.mark.parametrize("words", _broken())
def test_nonsense_is_refused_in_words(words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        _broken()[words]()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_a_json_recipe_is_validated() -> None:
    good = to_dict(ganref.recipe("gaussian"))
    for bad, words in (
        (None, "object"),
        ({**good, "extra": 1}, "extra"),
        ({**good, "width": "64"}, "width"),
        ({**good, "data_shape": 2}, "list"),
        ({**good, "adam_D": {**good["adam_D"], "lr": -1.0}}, "positive"),
    ):
        with pytest.raises(UserError, match=words):
            from_dict(bad)


@pytest.mark.parametrize("seed", [0, 7])
def test_initial_weights_follow_the_spec(seed: int) -> None:
    recipe = ganref.recipe("dcgan-nyu").replace(width=16)
    weights = ganref.initial_weights(recipe, seed)
    assert all(a.dtype == np.float64 for a in weights.values())
    assert weights["generator.3.weight"].std() == pytest.approx(0.02, rel=0.02)
    assert weights["generator.1.weight"].mean() == pytest.approx(1, abs=0.01)
    assert not weights["generator.1.bias"].any()
    assert (weights["generator.1.running_var"] == 1).all()
    fan = ganref.initial_weights(ganref.recipe("mlp"), seed)["discriminator.1.weight"]
    assert np.abs(fan).max() == pytest.approx(1 / 28, rel=1e-3)
    again = ganref.initial_weights(recipe, seed)
    other = ganref.initial_weights(recipe, seed + 1)
    assert all(np.array_equal(again[n], a) for n, a in weights.items())
    assert not np.array_equal(other["generator.0.weight"], weights["generator.0.weight"])


def test_adam_says_where_epsilon_is() -> None:
    """Both forms against the formulas as published, written out."""
    m, v, t = 0.3, 0.04, 7
    for form in ("corrected", "plain"):
        adam = Adam(0.01, 0.5, 0.99, 1e-3, form)
        rate, scale, eps = adam.coefficients(t)
        step = rate * m / (np.sqrt(v) * scale + eps)
        if form == "corrected":
            expected = 0.01 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-3)
        else:
            rate = 0.01 * np.sqrt(1 - 0.99**t) / (1 - 0.5**t)
            expected = rate * m / (np.sqrt(v) + 1e-3)
        assert step == pytest.approx(expected, rel=1e-14)


def test_tabs_are_data() -> None:
    dcgan = ganref.recipe("dcgan")
    tensorflow = ganref.with_tab(dcgan, "tensorflow")
    assert (tensorflow.adam_D.lr, tensorflow.epochs) == (0.0005, 40)
    assert not tensorflow.norm.batch_stats
    for tab in TABS:
        changed = ganref.with_tab(dcgan, tab)
        assert changed.tab == tab
        assert changed.networks[0].name == "generator"
    assert ganref.with_tab(dcgan, "aligned") is dcgan
    assert dataclasses.replace(dcgan) == dcgan


SMOOTHED = dataclasses.replace(BinaryCrossEntropy("mean"), real_label=0.9)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("loss", [*(kind("mean") for kind in LOSSES.values()), SMOOTHED])
def test_a_loss_knows_where_it_ends_and_what_it_passes_on(loss: Loss, scale: float) -> None:
    """`optimum` is L_D where D scores all alike as well as it can; `signal` the slope left to G."""
    loss, o = dataclasses.replace(loss, scale_D=scale), np.linspace(-3, 3, 60001)
    if loss.optimum:
        lowest = scale * loss.terms_D(o, o).min()
        assert lowest == pytest.approx(loss.optimum[0], abs=1e-7)
    at = np.array([-2.0, 0.3])
    slopes = np.abs(loss.slopes_G(at))
    if not loss.energy:
        signals = [loss.signal(float(score)) for score in loss.score(at)]
        assert np.minimum(slopes, 1) == pytest.approx(signals)


# A loss as it was written while all kinds had the fields of all.
OLD = {
    "kind": "bce", "reduction": "sum", "scale_D": 0.5, "generator": "minimax", "real_label": 0.9,
    "margin": 1.0, "repelling": 0.0, "r1": 0.25,
}  # fmt: skip


def test_losses_written_with_everybody_s_fields_are_read() -> None:
    data = to_dict(RECIPES["gaussian"]) | {"loss": OLD}
    expected = BinaryCrossEntropy("sum", 0.5, 0.25, "minimax", 0.9)
    assert from_dict(data).loss == expected
    assert from_dict(to_dict(from_dict(data))).loss == expected
    energy = OLD | {"kind": "margin", "generator": "non_saturating", "real_label": 1.0}
    energy |= {"margin": 2.0, "repelling": 0.1}
    data = to_dict(RECIPES["ebgan"]) | {"loss": energy}
    assert from_dict(data).loss == Margin("sum", 0.5, 0.25, 2.0, 0.1)


@pytest.mark.parametrize(
    "loss",
    [
        OLD | {"margin": 2.0},  # another kind's number, and not what it always was
        OLD | {"kind": "hinges"},
        OLD | {"kind": ["bce"]},
        OLD | {"slope": 1.0},
        {name: value for name, value in OLD.items() if name not in ("r1", "margin")},
        "bce",
        None,
    ],
)
def test_a_loss_that_is_none_is_refused(loss: Any) -> None:
    with pytest.raises(UserError, match="loss"):
        from_dict(to_dict(RECIPES["gaussian"]) | {"loss": loss})
