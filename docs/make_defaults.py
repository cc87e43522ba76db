"""Write docs/defaults.md: what the installed frameworks do when nobody says anything.

python -m docs.make_defaults
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from pathlib import Path

from ganref.backend import BACKENDS
from ganref.spec.layers import Conv, ConvTranspose, LeakyReLU
from ganref.spec.losses import BinaryCrossEntropy
from ganref.spec.optimiser import Adam
from ganref.spec.schema import Init, Norm

from .probes import CONV, KERNEL, NONE, PROBES, Cells, kernel_layouts, number, scale

PAGE = Path(__file__).with_name("defaults.md")

SECTIONS = {
    "Adam": ("learning rate", "β₁, β₂", "ε", "place of ε", "gradients"),
    "Batch normalisation": (
        *("ε of γ(x − μ)/√(σ² + ε) + β", "momentum as written", "share of the old kept"),
        *("variance that runs", "running statistics change", "mode where none is given"),
        "γ, β, mean, variance at start",
    ),
    "Initial values": ("Dense weight", "Conv weight", "ConvTranspose weight", "biases"),
    "Convolution": ("padding", '"same", k5 s2 on 32', "bias", "data layout", "kernel layouts"),
    "Activations and dropout": (
        *("LeakyReLU slope", "derivative at 0, slope 0.2", "derivative of ReLU at 0"),
        *("dropout rate", "what is kept is multiplied by", "dropout where no mode is given"),
    ),
    "Binary cross-entropy": ("takes", "four examples give"),
}

INTRODUCTION = """\
# What the frameworks do by default

Made by `python -m docs.make_defaults`, which asks the frameworks named here: it reads signatures,
constructs layers and runs them. `tests/docs/test_defaults.py` fails when this page is out of date.
No backend relies on any of it; the column ganref is what the spec says where a recipe does not.
What the differences do to a run stands in [deviations](deviations.md). In fans, in and out count a
convolution's kernel area too. JAX has functions, but no layers, losses or optimisers (—).
"""


def ganref_cells() -> Cells:
    """The spec's own numbers, where a recipe says nothing else."""
    adam = {field.name: field.default for field in dataclasses.fields(Adam)}
    norm, init, loss = Norm(), Init(), BinaryCrossEntropy()
    place = {"corrected": "√v̂ + ε", "plain": "√v + ε, corrected after"}
    weight = f"N({number(init.weight.mean)}, {number(init.weight.scale)})"
    start = init.gamma, init.beta, init.running_mean, init.running_var
    conv, transposed = (kind(*CONV, KERNEL) for kind in (Conv, ConvTranspose))
    shapes = {"Conv": conv.params()[0].shape, "ConvTranspose": transposed.params()[0].shape}
    return {
        "learning rate": "the recipe's",
        "β₁, β₂": number([adam["beta1"], adam["beta2"]]),
        "ε": number(adam["eps"]),
        "place of ε": place[str(adam["eps_form"])],
        "gradients": scale(1 / 8 if adam["mean_gradients"] else 1.0),
        "ε of γ(x − μ)/√(σ² + ε) + β": number(norm.eps),
        "momentum as written": number(norm.momentum),
        "share of the old kept": number(norm.momentum),
        "variance that runs": "unbiased" if norm.unbiased else "biased",
        "running statistics change": "in forward",
        "mode where none is given": "training" if norm.batch_stats else "inference",
        "γ, β, mean, variance at start": number([draw.mean for draw in start]),
        **dict.fromkeys(SECTIONS["Initial values"][:3], weight),
        "biases": number(init.bias.mean),
        "padding": number(conv.padding),
        '"same", k5 s2 on 32': "a pair is given",
        "bias": str(conv.bias),
        "data layout": "NCHW",
        "kernel layouts": kernel_layouts(shapes),
        "LeakyReLU slope": number(LeakyReLU().slope),
        "derivative at 0, slope 0.2": "0.2",
        "derivative of ReLU at 0": "0",
        "dropout rate": "the recipe's",
        "what is kept is multiplied by": "1/(1 − rate)",
        "dropout where no mode is given": "masks are given",
        "takes": "logits",
        "four examples give": f"their {loss.reduction}",
    }


def columns(frameworks: Sequence[str]) -> dict[str, Cells]:
    """Every row's cell by heading, which is a name and a version; ganref's own come first."""
    found = {"ganref": ganref_cells()}
    for name in frameworks:
        framework = importlib.import_module(f"{BACKENDS[name].module}.framework")
        # Builds for other devices ("2.13.0+cpu") have the same defaults.
        heading = " / ".join(part.split("+")[0] for part in framework.version().split(" / "))
        cells = found[heading] = dict.fromkeys(
            (r for rows in SECTIONS.values() for r in rows), NONE
        )
        for probe in PROBES[name]:
            cells |= probe(framework)
    return found


def page(cells: dict[str, Cells]) -> str:
    """The page in Markdown."""
    lines = [INTRODUCTION.rstrip()]
    for section, rows in SECTIONS.items():
        lines += ["", f"## {section}", "", f"| | {' | '.join(cells)} |"]
        lines.append(f"|{'---|' * (len(cells) + 1)}")
        lines += [f"| {r} | {' | '.join(column[r] for column in cells.values())} |" for r in rows]
    return "\n".join([*lines, ""])


def read(text: str) -> dict[str, Cells]:
    """The columns of a page, as `columns` gives them."""
    found: dict[str, Cells] = {}
    headings: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| |"):
            headings = cells[1:]
        elif line.startswith("| "):
            for heading, cell in zip(headings, cells[1:], strict=True):
                found.setdefault(heading, {})[cells[0]] = cell
    return found


if __name__ == "__main__":
    PAGE.write_text(page(columns(list(PROBES))), encoding="utf-8")
