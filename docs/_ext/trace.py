"""One batch through formula, code and numbers: computed by NumPy while the site is built."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

import ganref
from ganref.data import load
from ganref.draws.batches import Source
from ganref.spec import Recipe

from . import pages
from .tables import plain

# Which lines of a page a step is about, by what stands in them: function and pattern.
LINES = {
    "noise": ("train", r"\bZ = "),
    "fake": ("update_D", r"fake_X = |net_G, Z"),
    "loss_D": ("update_D", r"(real|fake)_Y|loss_D = |real_loss"),
    "gradient": ("update_D", r"backward\(|tape\.gradient|value_and_grad"),
    "adam": ("update_D", r"trainer_D\.(step|apply)|adam\(net_D"),
    "loss_G": ("update_G", r"fake_Y|(?<!return )loss_G, |loss_G = "),
}


class Numbers(NamedTuple):
    """What a step of a GAN computes, for the first step of a run with seed 0."""

    recipe: Recipe
    arrays: dict[str, Any]
    weight: str  # the one that is followed, by its name in the spec


def small(name: str) -> Recipe:
    """The recipe, of images at a width and a batch that a page can show."""
    recipe = ganref.recipe(name)
    return recipe if recipe.stack == "toy" else recipe.replace(width=8, batch_size=4)


def compute(recipe: Recipe, dataset: Any = None) -> Numbers:
    """The first update of D and the first loss of G, in float64."""
    dataset = dataset or load(recipe.data, recipe)
    draws = Source(recipe, dataset, 0, "float64").draw(range(1))
    X, Z = draws.X[0], draws.Z[0]
    masks = {name: mask[0] for name, mask in draws.masks.items()}
    gan: Any = ganref.load_backend("numpy").create(
        recipe, ganref.initial_weights(recipe), dtype="float64", compile="off"
    )
    weight = next(p.name for p in recipe.discriminator.params if p.trainable)
    Z_G = None if draws.Z_G is None else draws.Z_G[0]
    passes = [{name: mask[i] for name, mask in masks.items()} for i in range(recipe.passes)]
    fake = gan.net_G.run(Z, update_stats=False)
    outputs = [
        gan.net_D.record(x, False, kept)[0] for x, kept in zip((X, fake), passes, strict=False)
    ]
    before = gan.state()[weight].flat[0]
    grad = gan.gradients(X, Z, Z_G=Z_G, masks=masks or None)[weight].flat[0]
    how = {"masks": {n: m[:2] for n, m in masks.items()}} if masks else {}
    loss_D = gan.update_D(X, Z, **how)
    state = gan.state()
    latent = Z if Z_G is None else Z_G[0]
    fake_G = gan.net_G.run(latent, update_stats=False)
    after = gan.net_D.record(fake_G, False, passes[2])[0]
    how = {"masks": passes[2]} if masks else {}
    return Numbers(
        recipe,
        {
            "X": X, "Z": Z, "fake": fake, "real_Y": outputs[0], "fake_Y": outputs[1],
            "loss_D": loss_D, "before": before, "grad": grad, "m": state[f"{weight}.m"].flat[0],
            "v": state[f"{weight}.v"].flat[0], "after": state[weight].flat[0],
            "fake_Y_after": after, "loss_G": gan.update_G(latent, **how),
        },
        weight,
    )  # fmt: skip


def code(recipe: str, step: str) -> dict[str, str]:
    """The lines that a step is about, in every framework that has a page."""
    name, pattern = LINES[step]
    found = {}
    for framework in pages.frameworks(recipe):
        lines = pages.statements(pages.file(recipe, framework), name)
        about = [line for line in lines if re.search(pattern, line)]
        found[framework] = "\n".join(dict.fromkeys(about))
    return found


def row(values: Any, few: int = 4) -> str:
    """The first numbers of an array."""
    flat = np.ravel(values)
    more = ", …" if len(flat) > few else ""
    return ", ".join(f"{x:+.4g}" for x in flat[:few]) + more


def noise(n: Numbers) -> str:
    """z, x."""
    return f"z₁ = ({row(n.arrays['Z'][0])})\nx₁ = ({row(n.arrays['X'][0])})"


def fake(n: Numbers) -> str:
    """G(z)."""
    x = n.arrays["fake"]
    lines = [f"G(z₁) = ({row(x[0])})"]
    if x.ndim == 2:
        w, b = (ganref.initial_weights(n.recipe)[f"generator.0.{p}"] for p in ("weight", "bias"))
        lines.insert(0, f"W = ({row(w[0])}; {row(w[1])}), b = ({b[0]:g}, {b[1]:g})")
    return "\n".join([*lines, f"over the batch: mean {x.mean():+.4f}, deviation {x.std():.4f}"])


def outputs(n: Numbers) -> str:
    """What D says, and its loss."""
    loss, a = n.recipe.loss, n.arrays
    names = ("C(x)", "C(G(z))") if loss.energy else ("o(x)", "o(G(z))")
    lines = [f"{k:<8} = {row(a[v])}" for k, v in zip(names, ("real_Y", "fake_Y"), strict=True)]
    if not loss.energy:
        lines += [f"D(x)     = {row(loss.score(a['real_Y']))}"]
    terms = loss.terms_D(a["real_Y"], a["fake_Y"])
    lines += [f"terms    = {row(terms)}", f"L_D      = {a['loss_D']:.6f}"]
    return "\n".join(lines)


def gradient(n: Numbers) -> str:
    """That of the weight that is followed."""
    return f"w = {n.arrays['before']:+.6f}\ng = ∂L_D/∂w = {n.arrays['grad']:+.6e}"


def adam(n: Numbers) -> str:
    """The first update of it."""
    a, spec = n.arrays, n.recipe.adam_D
    m_hat, v_hat = a["m"] / (1 - spec.beta1), a["v"] / (1 - spec.beta2)
    return (
        f"m = {1 - spec.beta1:g} g  = {a['m']:+.6e}   m̂ = m / (1 − β₁) = {m_hat:+.6e}\n"
        f"v = {1 - spec.beta2:.3g} g² = {a['v']:+.6e}   v̂ = v / (1 − β₂) = {v_hat:+.6e}\n"
        f"w ← w − {plain(spec.lr)} · m̂ / (√v̂ + {plain(spec.eps)}) = {a['after']:+.6f}   "
        f"moved by {a['after'] - a['before']:+.6f}"
    )


def loss_G(n: Numbers) -> str:
    """What the new D says of the fakes."""
    name = "C(G(z))" if n.recipe.loss.energy else "o(G(z))"
    a = n.arrays
    lines = [f"{name} = {row(a['fake_Y'])}   before", f"{name} = {row(a['fake_Y_after'])}   after"]
    if n.recipe.fresh_Z:
        lines = [f"{name} = {row(a['fake_Y_after'])}   of a fresh z"]
    return "\n".join([*lines, f"{'L_G':<7} = {a['loss_G']:.6f}"])


SHOWN = {
    "noise": noise,
    "fake": fake,
    "loss_D": outputs,
    "gradient": gradient,
    "adam": adam,
    "loss_G": loss_G,
}
