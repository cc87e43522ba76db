"""The recipes of weights that others have trained: no options of `train`, but what an imported run
has. Numbers are those of the documents named in `source`."""

from __future__ import annotations

from .optimiser import Adam
from .recipes import RECIPES
from .schema import FAN_IN, Draw, Init, Norm, Recipe

_GLOROT = Init(weight=Draw("glorot_uniform"))
_KERAS = Adam(1e-4, eps=1e-7, eps_form="plain")
_EXAMPLE = RECIPES["dcgan-nyu"]

_DCGAN28 = Recipe(
    name="dcgan28",
    source='TensorFlow, "Deep Convolutional Generative Adversarial Network" (tutorial)',
    stack="dcgan28",
    data="digits",
    data_shape=(1, 28, 28),
    latent_dim=100,
    batch_size=256,
    epochs=50,
    leaky_slope=0.3,
    dropout=0.3,
    norm=Norm(eps=1e-3, momentum=0.99, unbiased=False),
    adam_D=_KERAS,
    adam_G=_KERAS,
    init_D=_GLOROT,
    init_G=_GLOROT,
)
_PIXEL28 = _EXAMPLE.replace(
    name="pixel28",
    source="gan-vae-pretrained-pytorch, mnist_dcgan",
    stack="pixel28",
    data_shape=(1, 28, 28),
    epochs=100,
)
_PIXEL32 = _EXAMPLE.replace(
    name="pixel32",
    source="gan-vae-pretrained-pytorch, cifar10_dcgan",
    stack="pixel32",
    data_shape=(3, 32, 32),
    epochs=100,
)
_EVEN_MLP = RECIPES["mlp"].replace(
    name="even-mlp",
    source="gan-vae-pretrained-pytorch, mnist_gan_mlp",
    stack="even-mlp",
    latent_dim=64,
    batch_size=32,
    epochs=300,
    epochs_by_data=(),
    dropout=0.0,
    loss=_EXAMPLE.loss,
    init_D=Init(weight=FAN_IN, bias=FAN_IN),
    init_G=Init(weight=FAN_IN, bias=FAN_IN),
)
_ODD28 = _EXAMPLE.replace(
    name="odd28",
    source="labml.ai, DCGAN for MNIST; rates and batch of the example that it follows",
    stack="odd28",
    data_shape=(1, 28, 28),
    width=256,
    head="logits",
)

VARIANTS: dict[str, Recipe] = {r.name: r for r in (_DCGAN28, _PIXEL28, _PIXEL32, _EVEN_MLP, _ODD28)}
