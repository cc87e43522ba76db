"""More updates of D in a step: how its batches are fed, and that a step is its updates."""

import dataclasses
import json

import numpy as np
import pytest
from cases import draws, narrow

import ganref
from ganref import data
from ganref.draws.batches import Source
from ganref.spec import RECIPES, UserError
from ganref.spec.serial import from_dict, to_dict

TOY = narrow("gaussian").replace(D_updates=3)


def test_each_update_has_a_batch_of_its_own() -> None:
    """A step of three updates sees what three steps of one see, in the same order."""
    dataset = data.load("gaussian", TOY, 0)
    once = Source(TOY.replace(D_updates=1), dataset, 0, "float64")
    thrice = Source(TOY, dataset, 0, "float64")
    assert thrice.steps_per_epoch == once.steps_per_epoch // 3 == 41
    X = thrice.draw(range(4)).X
    assert X.shape == (4, 24, 2)
    assert np.array_equal(X.reshape(12, 8, 2), once.draw(range(12)).X)


def test_draws_do_not_depend_on_how_they_are_cut() -> None:
    recipe = narrow("mlp").replace(D_updates=2, data_shape=(1, 28, 28))
    source = Source(recipe, data.load("digits", recipe, 0), 0, "float64")
    whole, part = source.draw(range(5)), source.draw(range(3, 5))
    assert whole.Z.shape == (5, 16, 100) and whole.Z_G.shape == (5, 1, 8, 100)
    for name in ("X", "Z", "Z_G"):
        assert np.array_equal(getattr(whole, name)[3:], getattr(part, name))
    for name, mask in part.masks.items():
        assert mask.shape[:3] == (2, 5, 8) and np.array_equal(whole.masks[name][3:], mask)


def test_a_step_counts_its_updates(backend: str) -> None:
    recipe = TOY.replace(G_updates=2)
    (X, Z), more = draws(recipe, 4)
    gan = ganref.load_backend(backend).create(recipe, ganref.initial_weights(recipe))
    gan.train_steps(X, Z, **more)
    state = gan.state()
    assert (state["discriminator.step"], state["generator.step"]) == (12, 8)


def test_batches_that_do_not_divide_are_refused() -> None:
    (X, Z), more = draws(TOY, 2)
    gan = ganref.load_backend("numpy").create(TOY, ganref.initial_weights(TOY))
    with pytest.raises(UserError, match="3 batches a step, not 23"):
        gan.train_steps(X[:, :23], Z[:, :23], **more)
    with pytest.raises(UserError, match="fewer than 3 batches"):
        data.load("gaussian", TOY.replace(batch_size=400), 0)


def test_the_work_of_more_updates() -> None:
    """With a Z of its own for each, an update of D costs what it costs, plus G's forward pass."""
    one, fresh = narrow("mlp"), narrow("mlp").replace(D_updates=2)
    more = fresh.flops_per_example - one.flops_per_example
    G, D = one.networks
    assert more == 2 * 3 * D.flops + G.flops  # its first layer flattens, which is no work
    assert TOY.replace(fresh_Z=True).flops_per_example - TOY.flops_per_example == (
        TOY.generator.flops
    )


def test_recipes_written_without_later_fields_are_read() -> None:
    for recipe in RECIPES.values():
        old = {k: v for k, v in to_dict(recipe).items() if k != "D_updates"}
        assert from_dict(json.loads(json.dumps(old))) == dataclasses.replace(recipe, D_updates=1)
