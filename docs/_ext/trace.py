"""One batch through formula, line of code and numbers: computed by NumPy while the site is built."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

import ganref
from ganref.data import load
from ganref.draws.batches import Source
from ganref.spec import Recipe
from ganref.spec.losses import BinaryCrossEntropy, Margin

from . import pages
from .tables import plain

# Which lines of a page a step is about, by what stands in them: function and pattern.
LINES = {
    "noise": ("train", r"\bZ = "),
    "fake": ("update_D", r"fake_X = |net_G, Z"),
    "loss_D": ("update_D", r"real_Y|loss_D = |real_loss"),
    "gradient": ("update_D", r"backward\(|tape\.gradient"),
    "adam": ("update_D", r"trainer_D\.(step|apply)|adam\(net_D"),
    "loss_G": ("update_G", r"fake_Y|loss_G, |loss_G = "),
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

# The formulas of L_D and L_G that stand beside the numbers.
BCE = (
    r"L_D = %sR\big[-%s\log D(x)%s - \log (1 - D(G(z)))\big],\quad D = \frac{1}{1 + e^{-o}}",
    r"L_G = R\big[-\log D(G(z))\big]",
)
ENERGY = (
    r"L_D = R\big[C(x) + \max(0,\; m - C(G(z)))\big],\quad C(x) = \text{mean}\,(D(x) - x)^2",
    r"L_G = R\big[C(G(z))\big]",
)


def losses(recipe: Recipe) -> tuple[str, str]:
    """L_D and L_G of the recipe in LaTeX; R is its sum or mean."""
    loss = recipe.loss
    if isinstance(loss, Margin):
        found = ENERGY
    else:
        assert isinstance(loss, BinaryCrossEntropy), loss
        y = loss.real_label
        other = "" if y == 1 else rf" - {1 - y:g}\log (1 - D(x))"
        half = {1.0: "", 0.5: r"\tfrac{1}{2}\,"}[loss.scale_D]
        found = BCE[0] % (half, "" if y == 1 else f"{y:g}\\,", other), BCE[1]
    reduction = r"\sum" if loss.reduction == "sum" else r"\text{mean}"
    one, two = (f.replace(r"R\big", reduction + r"\,\big") for f in found)
    return one, two


def words(n: Numbers) -> dict[str, tuple[str, str]]:
    """Each step's heading and what is said of it, as Markdown."""
    recipe, (loss_D, loss_G) = n.recipe, losses(n.recipe)
    whole = ganref.recipe(recipe.name)
    small = recipe != whole
    where = (
        f" Networks are of width {recipe.width} and the batch of {recipe.batch_size} here, to be "
        f"computed while this page is built; the recipe has {whole.width} and {whole.batch_size}."
        if small
        else ""
    )
    output = "energy" if recipe.loss.energy else "logit"
    return {
        "noise": ("Noise and data", INTRODUCTION + where + "\n\n" + NOISE),
        "fake": ("G makes fakes", FAKE),
        "loss_D": ("D's outputs and its loss", f"$$ {loss_D} $$\n\n" + LOSS_D % output),
        "gradient": ("The gradient of one weight", GRADIENT % n.weight),
        "adam": ("Adam moves it", ADAM),
        "loss_G": ("G's loss", f"$$ {loss_G} $$\n\n" + LOSS_G),
    }


INTRODUCTION = (
    "The first step of a run with seed 0, in float64, as NumPy computes it: every framework gives "
    "these numbers."
)
NOISE = (
    "A batch of real examples $x$, and as much noise $z$, each number of it from a normal "
    "distribution. The first of each begins with:"
)
FAKE = "$$ \\tilde{x} = G(z) $$\n\nG stays as it is while D learns, so nothing is kept to go back through it."
LOSS_D = "D gives each example one number, its %s. Here are the first, and what each pair adds to the loss:"
GRADIENT = (
    "Going back through D gives the derivative of $L_D$ to each of its weights. We follow the first, "
    "`%s`:"
)
ADAM = (
    "$$ m \\leftarrow \\beta_1 m + (1 - \\beta_1)\\,g, \\quad v \\leftarrow \\beta_2 v + (1 - \\beta_2)\\,g^2, "
    "\\quad w \\leftarrow w - \\eta\\,\\frac{\\hat{m}}{\\sqrt{\\hat{v}} + \\varepsilon} $$\n\n"
    "(Kingma and Ba 2015, algorithm 1). In the first update $\\hat{m} = g$ and $\\sqrt{\\hat{v}} = |g|$: "
    "the weight moves by the rate, however small its gradient is."
)
LOSS_G = "Now D has moved, and G is told by the new one how to change:"
