"""The options that say which GAN, as tables: what each is called and which number it sets."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from .. import data
from ..spec import RECIPES, TABS, Recipe, UserError, on_data, recipe, with_tab
from ..spec.labels import CONDITIONAL, conditional
from ..spec.losses import LOSSES, Loss
from .main import SEED, between, positive

# Options that are fields of the recipe under the same name.
PLAIN = ("batch_size", "width", "latent", "latent_dim", "leaky_slope", "spectral", "ema",
         "D_updates", "G_updates")  # fmt: skip


def _same(value: Any) -> Any:
    return value


# Options that are a field of the loss: its name there, and what it becomes.
LOSS_OPTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "generator_loss": ("generator", _same),
    "label_smoothing": ("real_label", lambda smoothing: 1 - smoothing),
    "margin": ("margin", _same),
    "repelling": ("repelling", _same),
    "r1": ("r1", _same),
    "r2": ("r2", _same),
    "gp": ("gp", _same),
    "clip": ("clip", _same),
}
# Numbers that only some stacks of layers have, and another value that would show it.
ELSEWHERE: dict[str, Callable[[Recipe], Any]] = {
    "width": lambda recipe: 2 * recipe.width,
    "leaky_slope": lambda recipe: (1 + recipe.leaky_slope) / 2,
}
# How data are read: options, fields of a run's config, and parameters of `data.load`.
READING = ("mixed", "strict", "resize", "crop")
# Options that define what is computed: a resumed run has them from its config.
DEFINING = (
    "recipe", "tab", "seed", "loss", "lr", "lr_D", "lr_G", "channels", "conditional", "groups",
    *PLAIN, *LOSS_OPTIONS, "dtype", *READING, "run_dir",
)  # fmt: skip


def _channels(text: str) -> int:
    return {"grey": 1, "gray": 1, "rgb": 3}.get(text.lower()) or between(int, 1, 1024)(text)


def recipe_options(p: argparse.ArgumentParser) -> None:
    """The options that say which GAN: its recipe, data and seed, and every number of it."""
    number, rate = positive(int), positive(float)
    share, weight = between(float, 0, 1), between(float, 0, 1e6)
    g = p.add_argument_group("what to train")
    g.add_argument("--recipe", help=f"one of {', '.join(RECIPES)} (default gaussian)")
    g.add_argument("--tab", help=f"d2l's semantics: one of {', '.join(TABS)} (default aligned)")
    g.add_argument("--data", help="a data set's name, or a folder, zip or file of data")
    g.add_argument("--seed", type=SEED, help="of every draw (default 0)")
    g = p.add_argument_group("numbers of the recipe")
    g.add_argument("--batch-size", type=number)
    g.add_argument("--groups", type=number, help="that a batch is cut into where its examples are"
                   " coupled: batch statistics, the repelling term (default 1)")  # fmt: skip
    g.add_argument("--lr", type=rate, help="both learning rates")
    g.add_argument("--lr-D", type=rate, dest="lr_D")
    g.add_argument("--lr-G", type=rate, dest="lr_G")
    g.add_argument("--channels", type=_channels, help="of the images: 1 or grey, 3 or rgb")
    g.add_argument("--width", type=number, help="of the networks (their first width)")
    g.add_argument("--latent", choices=("normal", "uniform"))
    g.add_argument("--latent-dim", type=number)
    g.add_argument("--leaky-slope", type=share, help="0 is ReLU (d2l.ai's DCGAN, exercise 1)")
    g.add_argument("--spectral", action="store_true", help="spectral normalisation in D")
    g.add_argument("--conditional", nargs="?", const=CONDITIONAL[0], choices=CONDITIONAL,
                   help="G and D see the data's labels, in D one of these (concat)")  # fmt: skip
    g.add_argument("--loss", help=f"one of {', '.join(LOSSES)} (default: the recipe's)")
    g.add_argument("--generator-loss", choices=("non_saturating", "minimax"))
    g.add_argument("--label-smoothing", type=share, help="real labels are 1 minus this")
    g.add_argument("--margin", type=between(float, 0, 1e6, open_below=True), help="of ebgan's loss")
    g.add_argument("--repelling", type=weight, help="weight of ebgan's pulling-away term")
    g.add_argument("--r1", type=weight, help="weight of the gradient penalty on real data")
    g.add_argument("--r2", type=weight, help="weight of the gradient penalty on generated data")
    g.add_argument("--gp", type=weight, help="weight of the penalty of gradients not of length 1")
    g.add_argument("--clip", type=weight, help="bound of D's weights (0: none)")
    g.add_argument("--ema", type=share, help="decay of the average of G's weights (0.999, say)")
    g.add_argument(
        "--D-updates", type=between(int, 1, 1000), dest="D_updates", help="per step, each a batch"
    )
    g.add_argument("--G-updates", type=between(int, 1, 1000), dest="G_updates", help="per step")


def reading_options(p: argparse.ArgumentParser) -> None:
    """The options that say how images are read; those that are not given are not there."""
    g = p.add_argument_group("how images are read", argument_default=argparse.SUPPRESS)
    g.add_argument("--mixed", action="store_true", help="resize and convert unequal images")
    g.add_argument("--strict", action="store_true", help="refuse unreadable images")
    g.add_argument(
        "--resize",
        choices=tuple(data.RESIZE),
        help="filter for images of another size, or off (default bilinear)",
    )
    g.add_argument(
        "--crop", choices=data.CROP, help="center cuts to proportions (default), none stretches"
    )


def reading(args: dict[str, Any], name: str) -> dict[str, Any]:
    """What these options say, as `data.load` takes it. Raises UserError for one that makes no
    difference to the data of that name."""
    asked = {key: args[key] for key in READING if key in args}
    if idle := sorted(set(asked) - set(data.reading(name))) if asked else []:
        raise UserError(f"--{idle[0]} has no effect on the data {name}")
    return asked


def build_recipe(args: dict[str, Any]) -> Recipe:
    """The recipe with the command line's numbers, but for the classes, which are the data's: see
    `with_data`. Raises UserError."""
    base = with_tab(recipe(args.get("recipe", "gaussian")), args.get("tab", "aligned"))
    name = args.get("data", base.data)
    points = data.points_dimension(name)
    base = on_data(base, name, points=points is not None)
    changes: dict[str, Any] = {name: args[name] for name in PLAIN if name in args}
    if points is not None:
        changes["data_shape"] = (points,)
    # The data asked for bring their channels; the default data take the recipe's.
    known = data.DATASETS[name].channels if "data" in args and name in data.DATASETS else 0
    channels = args.get("channels", known if name != RECIPES[base.name].data else 0)
    if "channels" in args and len(base.data_shape) != 3:
        raise UserError(f"recipe {base.name} takes points; --channels is for images")
    if channels:
        changes["data_shape"] = (channels, *base.data_shape[1:])
    for name, which in (("adam_D", "lr_D"), ("adam_G", "lr_G")):
        rate = args.get(which, args.get("lr"))
        if rate is not None:
            changes[name] = dataclasses.replace(getattr(base, name), lr=rate)
    if "groups" in args:
        changes["norm"] = dataclasses.replace(base.norm, groups=args["groups"])
    for field, other in ELSEWHERE.items():
        if field in args and base.replace(**{field: other(base)}).networks == base.networks:
            option = field.replace("_", "-")
            raise UserError(f"--{option} has no effect on recipe {base.name}; no layer has one")
    built = base.replace(**changes, **_loss(base, args))
    if "conditional" in args:  # what no number of classes makes good is known before data are read
        built.replace(conditional=args["conditional"], classes=2)
    return built


def with_data(args: dict[str, Any], built: Recipe) -> tuple[Recipe, data.Dataset]:
    """What `build_recipe` gave and the data that the options name, with their classes in the recipe
    where --conditional asks for them. Raises UserError."""
    name = args.get("data", built.data)
    dataset = data.load(name, built, args.get("seed", 0), **reading(args, name))
    kind = args.get("conditional", "")
    return conditional(built, kind, dataset.labels, dataset.classes), dataset


def _loss(base: Recipe, args: dict[str, Any]) -> dict[str, Any]:
    """What the options of the loss change in a recipe. Raises UserError for one without effect."""
    names = {kind: name for name, kind in LOSSES.items()}
    chosen = args.get("loss", names[type(base.loss)])
    if chosen not in LOSSES:
        raise UserError(f"unknown loss {chosen!r}; there are {', '.join(LOSSES)}")
    numbers: dict[str, Any] = {}
    for option, (field, become) in LOSS_OPTIONS.items():
        if option not in args:
            continue
        having = [name for name, kind in LOSSES.items() if field in kind.__dataclass_fields__]
        if chosen not in having:
            raise UserError(
                f"--{option.replace('_', '-')} has no effect on the loss {chosen}; it is an option"
                f" of {', '.join(having)}"
            )
        numbers[field] = become(args[option])
    if names[type(base.loss)] == chosen:
        return {"loss": dataclasses.replace(base.loss, **numbers)} if numbers else {}
    # What every loss has is the recipe's, but for what its own kind begins with (its penalty, say);
    # a sigmoid head is binary cross-entropy's.
    usual = type(base.loss)()
    values = {field.name: getattr(base.loss, field.name) for field in dataclasses.fields(Loss)}
    kept = {name: value for name, value in values.items() if value != getattr(usual, name)}
    head = "logits" if base.head == "sigmoid" else base.head
    return {"loss": LOSSES[chosen](**kept | numbers), "head": head}
