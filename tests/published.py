"""d2l's loop in each framework, with the defaults that its tab relies on: what the tabs of the spec
are measured against.

Written from the facts of d2l.ai's two chapters on GANs, as what a tab says where our page of that
framework says something else. Nothing here or on a page is of ganref's backends; a page's networks
are the aligned recipe's.
"""

from __future__ import annotations

import re

from subjects import loaded, source

from benchmarks.pages.drivers import DRIVERS, Weights
from benchmarks.pages.training import PageGAN
from ganref.spec import Recipe

TAB = {"torch": "pytorch", "tf": "tensorflow", "mxnet": "mxnet"}

# By framework: words of the page and those of the tab; a pattern where pages differ in numbers.
WORDS = {
    # Everything in training mode, gradients of sums, Adam's epsilon in its place: word for word.
    "torch": [
        (r"(optim\.Adam\(\S+, lr\w*)(, \(0\.5, 0\.999\))?\)", r"\1, ({beta1}, {beta2}))"),
    ],
    # Nobody says that this is training; Keras' own epsilons and momentum; its loss takes the mean
    # over the last axis, here the batch, which the tab makes a sum again.
    "tf": [
        (r", training=True", ""),
        (r"momentum=0\.9, epsilon=1e-5", ""),
        (r"tf\.reduce_sum\(.*", "len(o) * BCE(tf.fill([len(o)], float(y)), tf.squeeze(o))"),
        (r"(?=def loss\()", 'BCE = keras.losses.BinaryCrossentropy(True, reduction="sum")\n\n\n'),
        (r" Adam\((lr\w*).*", r" keras.optimizers.Adam(\1, {beta1}, {beta2})"),
    ],
    # A loss per example, whose gradients the trainer divides by the batch size; G is recorded too.
    "mxnet": [
        (r"(np\.full_like\(o, y\)\))\.sum\(\)", r"\1"),
        (r"float\((loss_.)\)", r"float(\1.sum())"),
        (r"trainer_D\.step\(1\)", "trainer_D.step(len(X))"),
        (r"trainer_G\.step\(1\)", "trainer_G.step(len(Z))"),
        (r"train_mode\(\):.*\n(.*net_G\(Z\))\n.*record\(\):", r"record():\n\1.detach()"),
        (
            r" Adam\((lr\w*).*\)\)?",
            r' "adam", {{"learning_rate": \1, "beta1": {beta1}, "beta2": {beta2}}})',
        ),
    ],
}
OF_IMAGES = {", training=True", r"momentum=0\.9, epsilon=1e-5"}  # words that the toy does not have


def text(framework: str, recipe: Recipe) -> str:
    """The loop that a tab of d2l's is: our page, its words put in the place of ours."""
    out = source(f"{recipe.name}_{framework}")
    betas = {"beta1": recipe.adam_D.beta1, "beta2": recipe.adam_D.beta2}
    for ours, theirs in WORDS[framework]:
        out, found = re.subn(ours, theirs.format(**betas), out)
        assert found or (recipe.name == "gaussian" and ours in OF_IMAGES), ours
    return out


def loop(framework: str, recipe: Recipe, weights: Weights) -> PageGAN:
    """d2l's tab with these weights in float64, and with Adam's numbers of the recipe."""
    page = loaded(f"{recipe.name}_{framework}", text(framework, recipe))
    return PageGAN(page, DRIVERS[framework](eager=True), recipe, weights)
