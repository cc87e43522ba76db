"""What is said beside the numbers of a traced batch, and its two losses as formulas."""

from __future__ import annotations

import ganref
from ganref.spec import Recipe
from ganref.spec.losses import BinaryCrossEntropy, Margin

# L_D and L_G, with R for the sum or the mean over the batch.
BCE = (
    r"L_D = %sR\big[-%s\log D(x)%s - \log (1 - D(G(z)))\big],\quad D = \frac{1}{1 + e^{-o}}",
    r"L_G = R\big[-\log D(G(z))\big]",
)
ENERGY = (
    r"L_D = R\big[C(x) + \max(0,\; m - C(G(z)))\big],\quad C(x) = \text{mean}\,(D(x) - x)^2",
    r"L_G = R\big[C(G(z))\big]",
)


def losses(recipe: Recipe) -> tuple[str, str]:
    """L_D and L_G of the recipe in LaTeX."""
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


INTRODUCTION = """
The first step of a run with seed 0, in float64, as NumPy computes it: every framework gives these
numbers.
"""
SMALLER = """
Networks are of width {} and the batch of {} here, to be computed while this page is built; the
recipe has {} and {}.
"""
NOISE = """
A batch of real examples $x$, and as much noise $z$, each number of it from a normal distribution.
The first of each begins with:
"""
FAKE = r"""
$$ \tilde{x} = G(z) $$

G stays as it is while D learns, so nothing is kept to go back through it.
"""
LOSS_D = """
D gives each example one number, its %s. Here are the first, and what each pair adds to the loss:
"""
GRADIENT = """
Going back through D gives the derivative of $L_D$ to each of its weights. We follow the first,
`%s`:
"""
ADAM = r"""
$$ m \leftarrow \beta_1 m + (1 - \beta_1)\,g, \quad v \leftarrow \beta_2 v + (1 - \beta_2)\,g^2,
\quad w \leftarrow w - \eta\,\frac{\hat{m}}{\sqrt{\hat{v}} + \varepsilon} $$

(Kingma and Ba 2015, algorithm 1). In the first update $\hat{m} = g$ and $\sqrt{\hat{v}} = |g|$: the
weight moves by the rate, however small its gradient is.
"""
LOSS_G = "Now D has moved, and G is told by the new one how to change:"


def words(recipe: Recipe, weight: str) -> dict[str, tuple[str, str]]:
    """Each step's heading and what is said of it, as Markdown; `weight` is the one that is
    followed."""
    loss_D, loss_G = losses(recipe)
    whole = ganref.recipe(recipe.name)
    sizes = recipe.width, recipe.batch_size, whole.width, whole.batch_size
    where = SMALLER.format(*sizes) if recipe != whole else ""
    output = "energy" if recipe.loss.energy else "logit"
    return {
        "noise": ("Noise and data", INTRODUCTION + where + NOISE),
        "fake": ("G makes fakes", FAKE),
        "loss_D": ("D's outputs and its loss", f"$$ {loss_D} $$\n\n" + LOSS_D % output),
        "gradient": ("The gradient of one weight", GRADIENT % weight),
        "adam": ("Adam moves it", ADAM),
        "loss_G": ("G's loss", f"$$ {loss_G} $$\n\n" + LOSS_G),
    }
