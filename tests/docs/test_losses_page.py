"""docs/losses.md names every loss and every option of losses, with the numbers of the spec."""

import re
from pathlib import Path

import numpy as np

import ganref
from ganref.cli.options import LOSS_OPTIONS
from ganref.spec.losses import LOSSES, Wasserstein, WassersteinGP

TEXT = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")


def test_every_loss_and_option_is_there() -> None:
    rows = re.findall(r"^\| `(\w[\w-]*)` \| .* \| ([^|]+) \| [^|]+ \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == list(LOSSES)
    values = {"1/4": 0.25, "$2 \\ln 2$": 2 * np.log(2), "-": None}
    for name, said in rows:
        found, expected = LOSSES[name]().optimum, values.get(said, said)
        assert (found and found[0]) == (float(expected) if expected is not None else None), name
    for option in (*LOSS_OPTIONS, "D_updates", "G_updates", "spectral"):
        if option not in ("label_smoothing", "margin"):
            assert f"--{option.replace('_', '-')}" in TEXT, option


def test_its_numbers_are_those_of_the_spec() -> None:
    recipe = ganref.recipe("wgan-gp")
    assert (Wasserstein().clip, WassersteinGP().gp, recipe.loss.gp) == (0.01, 10, 10)
    assert recipe.D_updates == 5 and recipe.fresh_Z
    for adam in (recipe.adam_D, recipe.adam_G):
        assert (adam.lr, adam.beta1, adam.beta2) == (1e-4, 0.0, 0.9)
    kinds = {type(layer).__name__ for layer in recipe.discriminator.layers}
    assert "BatchNorm" not in kinds and "Conv" in kinds
