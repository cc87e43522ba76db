"""The weights that people bring, by where they come from: what no file of weights can say.

The order is that of how likely a file is. Facts are the named projects' own; a profile that the
spec cannot express says what is missing, and is refused by its name.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ..spec.errors import UserError
from ..spec.layers import BatchNorm, Conv, ConvTranspose, LeakyReLU
from ..spec.networks import Network
from ..spec.recipes import RECIPES
from ..spec.schema import Recipe
from ..spec.variants import VARIANTS

NETS = ("G", "D")


@dataclass(frozen=True)
class Profile:
    """Where weights come from, the recipe that they make with what is changed in it, and what their
    layers with weights are called in G and in D, in order. `lacks` is what the spec has not."""

    name: str
    origin: str
    recipe: str = ""
    names: tuple[str, str] = ("", "")
    changes: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    lacks: str = ""

    def made(self) -> Recipe:
        """Its recipe. Raises UserError where the spec cannot express it."""
        if self.lacks:
            raise UserError(f"profile {self.name} ({self.origin}) needs {self.lacks}")
        return recipe_named(self.recipe).replace(**self.changes)

    def layers(self, net: str) -> tuple[str, ...]:
        """What its layers are called."""
        return tuple(self.names[NETS.index(net)].split())


_EXAMPLE = (
    "main.0 main.1 main.3 main.4 main.6 main.7 main.9 main.10 main.12",
    "main.0 main.2 main.3 main.5 main.6 main.8 main.9 main.11",
)
_PIXEL_D = "main.0 main.2 main.3 main.5 main.6 main.8"
_BLOCKS = (
    "0.conv2d_trans 0.batch_norm 1.conv2d_trans 1.batch_norm 2.conv2d_trans 2.batch_norm"
    " 3.conv2d_trans 3.batch_norm 4",
    "0.conv2d 0.batch_norm 1.conv2d 1.batch_norm 2.conv2d 2.batch_norm 3.conv2d 3.batch_norm 4",
)
_LAYER = "generator/layer_with_weights-"

PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile("pytorch-examples", "PyTorch's DCGAN example and tutorial", "dcgan-nyu", _EXAMPLE),
        Profile(
            "dcgan-pytorch",
            "Natsu6767, DCGAN-PyTorch",
            "dcgan-nyu",
            (
                "tconv1 bn1 tconv2 bn2 tconv3 bn3 tconv4 bn4 tconv5",
                "conv1 conv2 bn2 conv3 bn3 conv4 bn4 conv5",
            ),
        ),
        Profile(
            "gan-zoo",
            "pytorch_GAN_zoo, DCGAN of depth 3",
            "dcgan-nyu",
            (
                "formatLayer main.batchNorm0 main.convTranspose1 main.batchNorm1"
                " main.convTranspose2 main.batchNorm2 main.convTranspose3 main.batchNorm3"
                " main.outlayer",
                # Its D's convolutions are called transposed too.
                "main.convTranspose3 main.convTranspose2 main.batchNorm2 main.convTranspose1"
                " main.batchNorm1 main.convTranspose0 main.batchNorm0 decisionLayer",
            ),
            {"head": "logits"},
        ),
        Profile("d2l", "d2l.ai, Deep Convolutional GANs", "dcgan", _BLOCKS),
        Profile(
            "csinva-mnist",
            "gan-vae-pretrained-pytorch, DCGAN on MNIST",
            "pixel28",
            (_EXAMPLE[0], _PIXEL_D),
            note="the crop of its last layer is made one layer earlier: the same images; in"
            " training, G's last normalisation does not see the rows that are cropped",
        ),
        Profile(
            "csinva-cifar",
            "gan-vae-pretrained-pytorch, DCGAN on CIFAR",
            "pixel32",
            _EXAMPLE,
        ),
        Profile(
            "csinva-mlp",
            "gan-vae-pretrained-pytorch, MLP on MNIST",
            "even-mlp",
            ("0 2 4", "0 2 4"),
        ),
        Profile(
            "labml",
            "labml.ai, DCGAN on MNIST",
            "odd28",
            (
                "layers.0 layers.1 layers.3 layers.4 layers.6 layers.7 layers.9",
                "layers.0 layers.2 layers.3 layers.5 layers.6 layers.8",
            ),
        ),
        Profile("tf-tutorial", "TensorFlow's DCGAN tutorial", "dcgan28"),
        Profile(
            "keras-dcgan",
            "Keras' example DCGAN to generate face images",
            lacks="a generator that ends in a sigmoid (a value range of 0 to 1) with kernels of 5"
            " after blocks of 4, without normalisation; no stack has that",
        ),
        Profile(
            "keras-wgan-gp",
            "Keras' example WGAN-GP",
            lacks="an upsampling layer and a crop, which the spec has not",
        ),
        Profile(
            "keras-conditional",
            "Keras' example Conditional GAN",
            lacks="global max pooling, and labels beside the image in G, which the spec has not",
        ),
        Profile(
            "pytorch-gan",
            "PyTorch-GAN, dcgan.py and gan.py",
            lacks="an upsampling layer, dropout of whole channels, and an ε of its own (0.8) for"
            " some normalisations, which the spec has not",
        ),
    )
}


def recipe_named(name: str) -> Recipe:
    """A recipe of `train`, or of others' weights. Raises UserError."""
    known = RECIPES | VARIANTS
    if name not in known:
        raise UserError(f"unknown recipe {name!r:.60}; there are {', '.join(known)}")
    return known[name]


def profile_named(name: str) -> Profile:
    """Raises UserError, naming those there are."""
    if name not in PROFILES:
        raise UserError(f"unknown profile {name!r:.60}; there are {', '.join(PROFILES)}")
    return PROFILES[name]


def chosen(recipe: str | None, profile: str | None) -> tuple[Recipe, Profile]:
    """The recipe that these names mean, and the profile; one without names if a recipe alone was
    named. Raises UserError where they contradict each other."""
    if profile is None:
        assert recipe is not None
        return recipe_named(recipe), Profile("", "", recipe)
    own = profile_named(profile)
    made = own.made()
    if recipe is not None and recipe != own.recipe:
        raise UserError(
            f"profile {profile} makes recipe {own.recipe}, not {recipe}; leave one of them out"
        )
    return made, own


def candidates() -> list[tuple[str, Recipe, Profile]]:
    """Everything that can be chosen, with the option that chooses it."""
    carried = [p for p in PROFILES.values() if not p.lacks]
    own = [(f"--profile {p.name}", p.made(), p) for p in carried]
    return own + [(f"--recipe {n}", r, Profile("", "", n)) for n, r in RECIPES.items()]


def numbers(networks: tuple[Network, ...]) -> str:
    """What no file of weights holds, in words: of normalisations, slopes and paddings."""
    layers = [layer for network in networks for layer in network.layers]
    norms = {f"ε {n.eps:g}, momentum {n.momentum:g}" for n in layers if isinstance(n, BatchNorm)}
    slopes = {f"{n.slope:g}" for n in layers if isinstance(n, LeakyReLU)}
    kinds = {
        f"k{n.kernel} s{n.stride} p{'+'.join(map(str, dict.fromkeys(n.padding)))}"
        f"{'ᵀ' if isinstance(n, ConvTranspose) else ''}": None
        for n in layers
        if isinstance(n, Conv)
    }
    words = [*sorted(norms), *([f"slopes {', '.join(sorted(slopes))}"] if slopes else [])]
    return "; ".join([*words, *([", ".join(kinds)] if kinds else [])])


def listing() -> str:
    """The profiles as a table: what each is, the recipe that it makes and its numbers."""
    lines = []
    for p in PROFILES.values():
        if p.lacks:
            lines.append(f"{p.name:<18} {'-':<10} {p.origin}: not carried; needs {p.lacks}")
            continue
        made = p.made()
        lines.append(f"{p.name:<18} {made.name:<10} {p.origin}: {numbers(made.networks)}")
    return "\n".join(lines)


def same_numbers(a: Recipe, b: Recipe) -> bool:
    """Whether two recipes have the same networks, whatever else they have."""
    return all(
        dataclasses.replace(x, head="samples") == dataclasses.replace(y, head="samples")
        for x, y in zip(a.networks, b.networks, strict=True)
        if x.head != "energy" and y.head != "energy"
    )
