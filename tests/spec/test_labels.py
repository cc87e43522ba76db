"""Class labels as data: what a conditional recipe is, and what its steps draw."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from cases import conditional as cases
from cases import narrow

import ganref
from ganref import data
from ganref.data import Dataset
from ganref.draws.batches import Batch, Source
from ganref.draws.rng import LABELS, Stream, drawn_labels
from ganref.spec import Recipe, UserError
from ganref.spec.labels import conditional, label_masks, one_hot, with_labels
from ganref.spec.layers import Concat, Projection
from ganref.spec.serial import from_dict, to_dict

RECIPES = {
    "shared": narrow("dcgan32").replace(data="digits"),
    "fresh": narrow("mlp"),
    "updates": narrow("mlp").replace(D_updates=3, G_updates=2),
    "updates-shared": narrow("dcgan32").replace(D_updates=2),
}


def _digits(recipe: Recipe) -> tuple[Recipe, Dataset]:
    dataset = data.load("digits", recipe, 0)
    return conditional(recipe, "concat", dataset.labels), dataset


# The recipe.


@pytest.mark.parametrize("name", cases())
def test_a_conditional_recipe_is_data(name: str) -> None:
    recipe = cases()[name]
    assert from_dict(json.loads(json.dumps(to_dict(recipe)))) == recipe
    plain = recipe.replace(conditional="", classes=0)
    assert recipe.latent_shape == (plain.latent_dim + 3, *plain.latent_shape[1:])
    kinds = {"concat": Concat, "projection": Projection}
    (own,) = recipe.discriminator.labelled
    layer = recipe.discriminator.layers[int(own.split(".")[1])]
    assert type(layer) is kinds[recipe.conditional]
    assert recipe.masks()[own] == (recipe.passes, recipe.batch_size, 3)
    assert not plain.discriminator.labelled


@pytest.mark.parametrize("name", ganref.RECIPES)
def test_a_recipe_without_classes_is_written_as_it_was(name: str) -> None:
    """So that its checkpoints are the same bytes, which older versions read."""
    assert not {"conditional", "classes"} & set(to_dict(ganref.recipe(name)))


def test_the_same_recipe_is_wider_by_its_classes() -> None:
    plain = ganref.recipe("dcgan")
    concat, projected = (
        plain.replace(conditional=kind, classes=10) for kind in ("concat", "projection")
    )
    first, last = concat.discriminator.layers[1], projected.discriminator.layers[-1]
    assert first == plain.discriminator.layers[0].__class__(13, 64, 4, 2, (1, 1), bias=False)
    assert last == Projection(8192, 10, bias=False)
    assert concat.generator == projected.generator
    assert concat.discriminator.layers[2:] == plain.discriminator.layers[1:]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"conditional": "concat"}, "at least 2 classes"),
        ({"classes": 10}, "at least 2 classes"),
        ({"conditional": "concat", "classes": 1}, "at least 2 classes"),
        ({"conditional": "concat", "classes": -2}, "at least 2 classes"),
        ({"conditional": "mixed", "classes": 2}, "there are concat, projection"),
    ],
)
def test_what_no_recipe_can_be(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        narrow("mlp").replace(**changes)


def test_an_energy_has_no_projection() -> None:
    with pytest.raises(UserError, match="choose concat"):
        narrow("ebgan").replace(conditional="projection", classes=3)


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        (None, (), "need.* labels"),
        ([0, 0, 0], (), "one alone"),
        ([0, 2, 0], (), "class 1 of .* has no examples, of 3"),
        ([1, 2, 1], (), "class 0 of .* has no examples"),
        ([0, 1, 1], ("cat", "dog", "o\nx"), r"class 2 \('o\\nx'\) of .* has no examples, of 3"),
        ([0, 1, 5], ("cat", "dog"), "a label of .* is 5; classes are 0 to 1"),
        ([0, 1, -1], (), "a label of .* is -1"),
        ([0, 10**15], (), "class 1 of .* has no examples"),
    ],
)
def test_data_that_have_no_classes_to_tell_apart(labels: Any, names: Any, words: str) -> None:
    found = None if labels is None else np.array(labels)
    with pytest.raises(UserError, match=words) as caught:
        conditional(narrow("mlp"), "concat", found, names)
    assert "\n" not in str(caught.value)


def test_the_classes_are_those_of_the_data() -> None:
    recipe = narrow("mlp")
    labels = np.array([2, 0, 1, 1])
    assert conditional(recipe, "concat", labels).classes == 3
    named = conditional(recipe, "projection", labels, ("cat", "dog", "ox"))
    assert (named.conditional, named.classes) == ("projection", 3)
    assert conditional(recipe, "", None) is recipe


# Labels.


def test_one_hot() -> None:
    hot = one_hot(np.array([[2, 0]]), 3)
    assert hot.dtype == bool and hot.tolist() == [[[False, False, True], [True, False, False]]]
    for wrong in (3, -1):
        with pytest.raises(UserError, match=f"no class {wrong}; classes are 0 to 2"):
            one_hot(np.array([0, wrong]), 3)


@pytest.mark.parametrize("name", ["mlp", "dcgan"])
def test_a_latent_ends_in_its_label(name: str) -> None:
    plain = narrow(name)
    recipe = plain.replace(conditional="concat", classes=3)
    noise = np.random.default_rng(0).standard_normal((2, 4, *plain.latent_shape))
    labels = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
    Z = with_labels(recipe, noise, labels)
    assert Z.shape == (2, 4, *recipe.latent_shape) and Z.dtype == noise.dtype
    assert np.array_equal(Z[:, :, :100], noise)
    assert np.array_equal(Z[:, :, 100:].reshape(2, 4, 3), one_hot(labels, 3))
    assert with_labels(plain, noise, None) is noise
    for bad, words in ((None, "shape"), (labels[0], "shape"), (labels + 1, "no class 3")):
        with pytest.raises(UserError, match=words):
            with_labels(recipe, noise, bad)


def test_labels_go_with_recipes_that_have_classes() -> None:
    plain, hot = narrow("mlp"), one_hot(np.array([0, 1]), 3)
    recipe = plain.replace(conditional="concat", classes=3)
    assert label_masks(plain, None, 2) == {}
    assert np.array_equal(label_masks(recipe, hot, 2)["discriminator.1"], hot)
    for one, labels, n in ((plain, hot, 2), (recipe, None, 2), (recipe, hot, 3)):
        with pytest.raises(UserError, match="one-hot labels must have shape"):
            label_masks(one, labels, n)


# The draws.


def _labels_of(Z: np.ndarray) -> np.ndarray:
    return Z.reshape(*Z.shape[: Z.ndim - 3 if Z.shape[-1] == 1 else -1], -1)[..., 100:].argmax(-1)


@pytest.mark.parametrize("name", RECIPES)
def test_every_pass_has_the_labels_of_its_examples(name: str) -> None:
    recipe, dataset = _digits(RECIPES[name])
    source = Source(recipe, dataset, 0, "float64")
    batch = source.draw(range(3, 7))
    rows = Source(recipe, dataset, 0, "float64", held=True).draw(range(3, 7)).X
    (own,) = recipe.discriminator.labelled
    passes = batch.masks[own].argmax(-1)
    assert (batch.masks[own].sum(-1) == 1).all() and batch.masks[own].dtype == bool
    n, b = recipe.D_updates, recipe.batch_size
    real, fake = dataset.labels[rows], _labels_of(batch.Z)
    for i in range(n):
        part = np.s_[:, i * b : (i + 1) * b]
        assert np.array_equal(passes[:, 2 * i], real[part])
        assert np.array_equal(passes[:, 2 * i + 1], fake[part])
    for j in range(recipe.G_updates):
        seen = fake[:, -b:] if batch.Z_G is None else _labels_of(batch.Z_G)[:, j]
        assert np.array_equal(passes[:, 2 * n + j], seen)


@pytest.mark.parametrize("name", RECIPES)
def test_draws_do_not_depend_on_how_they_are_cut_nor_on_labels(name: str) -> None:
    recipe, dataset = _digits(RECIPES[name])
    plain = Source(RECIPES[name], dataset, 0, "float64").draw(range(5))
    whole, part = (Source(recipe, dataset, 0, "float64").draw(steps)
                   for steps in (range(5), range(3, 5)))  # fmt: skip

    def each(batch: Batch) -> dict[str, np.ndarray]:
        more = {} if batch.Z_G is None else {"Z_G": batch.Z_G}
        return {"X": batch.X, "Z": batch.Z, **more, **batch.masks}

    for key, array in each(part).items():
        assert np.array_equal(array, each(whole)[key][3:]), key
    assert np.array_equal(plain.X, whole.X)
    # Dropout's layers are further behind by one: their masks are in the same order.
    drops = [[m for m in b.masks.values() if m.shape[-1] != 10] for b in (plain, whole)]
    assert all(np.array_equal(*pair) for pair in zip(*drops, strict=True))
    for key in ("Z", "Z_G"):
        theirs, ours = getattr(plain, key), getattr(whole, key)
        axis = -1 if ours is None or ours.shape[-1] != 1 else -3
        assert ours is None or np.array_equal(np.split(ours, [100], axis)[0], theirs)


def test_labels_are_as_frequent_as_among_the_data() -> None:
    given = np.repeat([0, 1, 2], [70, 20, 10])
    first, second = drawn_labels(Stream(0, LABELS), range(100), [(50,), (2, 3)], given)
    assert first.shape == (100, 50) and second.shape == (100, 2, 3)
    # 5,000 draws: five standard errors.
    assert np.bincount(first.ravel()) / 5000 == pytest.approx([0.7, 0.2, 0.1], abs=0.033)
    alone = drawn_labels(Stream(0, LABELS), range(7, 9), [(50,), (2, 3)], given)
    assert np.array_equal(alone[0], first[7:9]) and np.array_equal(alone[1], second[7:9])


def test_a_source_needs_labels_that_are_classes() -> None:
    recipe, dataset = _digits(narrow("mlp"))
    for labels, words in ((None, "have no labels"), (dataset.labels + 1, "no class 10")):
        with pytest.raises(UserError, match=words):
            Source(recipe, Dataset("x", dataset.array, labels), 0, "float64").draw(range(20))
