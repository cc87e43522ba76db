"""The recipes, as data.

The document that each number comes from stands in `source`. A number that no document gives is the
one of the project that the comment names.
"""

from __future__ import annotations

from typing import Any

from .errors import UserError
from .losses import BinaryCrossEntropy, Margin, WassersteinGP
from .optimiser import Adam
from .schema import FAN_IN, Draw, Init, Recipe


def _recipe(name: str, source: str, **fields: Any) -> Recipe:
    fields.setdefault("data", "digits")
    return Recipe(name=name, source=source, **fields)


_GAUSSIAN = _recipe(
    "gaussian",
    'd2l.ai, "Generative Adversarial Networks"',
    stack="toy",
    data="gaussian",
    data_shape=(2,),
    latent_dim=2,
    batch_size=8,
    epochs=20,
    loss=BinaryCrossEntropy(reduction="sum", scale_D=0.5),
    adam_D=Adam(0.05),
    adam_G=Adam(0.005),
)
_DCGAN = _recipe(
    "dcgan",
    'd2l.ai, "Deep Convolutional Generative Adversarial Networks"',
    stack="dcgan64",
    data_shape=(3, 64, 64),
    latent_dim=100,
    batch_size=256,
    epochs=20,
    loss=BinaryCrossEntropy(reduction="sum", scale_D=0.5),
    adam_D=Adam(0.005, 0.5),
    adam_G=Adam(0.005, 0.5),
)
_NYU_INIT = Init(gamma=Draw("normal", 1.0, 0.02))
_DCGAN_NYU = _recipe(
    "dcgan-nyu",
    "NYU Deep Learning, week 9; rates, batch, epochs and initial weights from pytorch/examples",
    stack="dcgan-nyu",
    data_shape=(3, 64, 64),
    latent_dim=100,
    batch_size=64,
    epochs=25,
    head="sigmoid",
    adam_D=Adam(2e-4, 0.5),
    adam_G=Adam(2e-4, 0.5),
    init_D=_NYU_INIT,
    init_G=_NYU_INIT,
)
_DCGAN32 = _recipe(
    "dcgan32",
    'T. Silva, "An intuitive introduction to Generative Adversarial Networks"; epochs ours',
    stack="dcgan32",
    data_shape=(1, 32, 32),
    latent_dim=100,
    batch_size=128,
    epochs=25,
    loss=BinaryCrossEntropy(real_label=0.9),
    adam_D=Adam(2e-4, 0.5),
    adam_G=Adam(2e-4, 0.5),
    G_updates=2,
)
_MLP_INIT = Init(weight=FAN_IN, bias=FAN_IN)
_MLP = _recipe(
    "mlp",
    "an introduction to GANs in PyTorch",
    stack="mlp",
    data_shape=(1, 28, 28),
    latent_dim=100,
    batch_size=128,
    epochs=50,
    width=256,
    dropout=0.3,
    fresh_Z=True,
    head="sigmoid",
    loss=BinaryCrossEntropy(scale_D=0.5),
    adam_D=Adam(2e-4),
    adam_G=Adam(2e-4),
    init_D=_MLP_INIT,
    init_G=_MLP_INIT,
    # 1,797 digits make 14 steps per epoch where MNIST makes 468.
    epochs_by_data=(("digits", 300),),
)
_EBGAN = _recipe(
    "ebgan",
    "NYU Deep Learning, week 9; Zhao, Mathieu and LeCun 2016; sizes and rates ours",
    stack="ebgan",
    data_shape=(1, 32, 32),
    latent_dim=100,
    batch_size=128,
    epochs=25,
    head="energy",
    loss=Margin(margin=1.0),
    adam_D=Adam(2e-4, 0.5),
    adam_G=Adam(2e-4, 0.5),
)
_WGAN_GP = _recipe(
    "wgan-gp",
    "Gulrajani et al. 2017, algorithm 1; networks, initial weights and epochs ours",
    stack="wgan",
    data_shape=(1, 32, 32),
    latent_dim=100,
    batch_size=64,
    epochs=25,
    fresh_Z=True,
    D_updates=5,
    loss=WassersteinGP(),
    adam_D=Adam(1e-4, 0.0, 0.9),
    adam_G=Adam(1e-4, 0.0, 0.9),
    init_D=_MLP_INIT,
    # Five batches a step are 5 steps in an epoch of digits, 31 of the ring and 3 of the toy.
    epochs_by_data=(("digits", 100), ("ring", 400), ("gaussian", 2000)),
)
_RING = _recipe(
    "ring",
    "ours: a small MLP for mixtures of Gaussians",
    stack="points",
    data="ring",
    data_shape=(2,),
    latent_dim=16,
    batch_size=128,
    epochs=200,
    width=128,
    adam_D=Adam(1e-3, 0.5),
    adam_G=Adam(1e-3, 0.5),
    init_D=_MLP_INIT,
    init_G=_MLP_INIT,
)

RECIPES: dict[str, Recipe] = {
    r.name: r for r in (_GAUSSIAN, _DCGAN, _DCGAN_NYU, _DCGAN32, _MLP, _EBGAN, _RING, _WGAN_GP)
}


# A recipe whose networks follow the data's kind: what it changes on points.
_ON_POINTS: dict[str, dict[str, Any]] = {
    "ebgan": {
        "data_shape": (2,),
        "latent_dim": 2,
        "adam_D": Adam(1e-3),
        "adam_G": Adam(1e-3),
        "init_D": _MLP_INIT,
        "init_G": _MLP_INIT,
    },
    "wgan-gp": {
        "data_shape": (2,),
        "latent_dim": 16,
        "width": 128,
        "init_G": _MLP_INIT,
    },
}


def on_data(recipe: Recipe, data: str, points: bool) -> Recipe:
    """The recipe as that data set asks: its name, and the networks for points where the recipe
    has both kinds. Raises UserError where kinds do not fit."""
    if points and len(recipe.data_shape) == 3:
        if recipe.name not in _ON_POINTS:
            raise UserError(f"recipe {recipe.name} takes images; {data} is a set of points")
        recipe = recipe.replace(**_ON_POINTS[recipe.name])
    elif not points and len(recipe.data_shape) == 1:
        raise UserError(f"recipe {recipe.name} takes points; {data} is a set of images")
    return recipe.replace(data=data)


def recipe(name: str = "gaussian") -> Recipe:
    """The recipe of that name. Raises UserError, naming those there are, if there is none."""
    if name not in RECIPES:
        raise UserError(f"unknown recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def num_parameters(recipe: Recipe) -> tuple[int, int]:
    """(G's, D's) numbers of trained parameters."""
    return recipe.generator.num_parameters, recipe.discriminator.num_parameters
