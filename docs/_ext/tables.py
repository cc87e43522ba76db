"""A network's layers as a table in Markdown: kernels, padding, shapes and parameters."""

from __future__ import annotations

import math
from typing import Any

from ganref.spec import Adam, Network, Recipe
from ganref.spec.layers import BatchNorm, Conv, Dropout, Layer, LeakyReLU


def shape(shape: tuple[int, ...]) -> str:
    """100×1×1."""
    return "×".join(map(str, shape))


def plain(number: float) -> str:
    """1e-8, not 1e-08."""
    return f"{number:g}".replace("e-0", "e-")


def name(layer: Layer) -> str:
    """A layer with the number that its kind alone has."""
    if isinstance(layer, LeakyReLU):
        return f"LeakyReLU {layer.slope:g}" if layer.slope else "ReLU"
    kind = type(layer).__name__
    return f"{kind} {layer.rate:g}" if isinstance(layer, Dropout) else kind


def padding(layer: Conv) -> str:
    """How many rows and columns are added before and after."""
    before, after = layer.padding
    return str(before) if before == after else f"{before} before, {after} after"


def layers(network: Network) -> str:
    """A row for each layer, the input first."""
    head = ["#", "layer", *(["kernel", "stride", "padding"] if network.convolves else [])]
    head += ["bias", "output", "parameters"]
    rows: list[list[Any]] = [["", "input", *[""] * (len(head) - 4), shape(network.shapes[0]), ""]]
    for i, layer in enumerate(network.layers):
        row: list[Any] = [i, name(layer)]
        if network.convolves:
            conv = isinstance(layer, Conv)
            side = f"{layer.kernel}×{layer.kernel}" if conv else ""
            row += [side, layer.stride if conv else "", padding(layer) if conv else ""]
        bias = getattr(layer, "bias", None)
        row += ["" if bias is None else "yes" if bias else "no", shape(network.shapes[i + 1])]
        count = sum(math.prod(p.shape) for p in layer.params() if p.trainable)
        rows.append([*row, f"{count:,}" if count else ""])
    total = f"**{network.num_parameters:,}**"
    rows.append(["", "all layers", *[""] * (len(head) - 3), total])
    lines = [head, ["---"] * 2 + ["--:"] * (len(head) - 2), *rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in lines)


def facts(recipe: Recipe) -> str:
    """The recipe's other numbers."""
    norm = next((x for x in recipe.generator.layers if isinstance(x, BatchNorm)), None)
    weight = recipe.init_G.weight
    noise = "N(0, 1)" if recipe.latent == "normal" else "U(−1, 1)"
    rows = {
        "examples": f"{shape(recipe.data_shape)}; batches of {recipe.batch_size}",
        "noise z": f"{shape(recipe.latent_shape)}, each number from {noise}",
        "epochs": f"{recipe.epochs_on(recipe.data)} of {recipe.data}",
        "one step": "an update of D, then " + UPDATES[recipe.G_updates, recipe.fresh_Z],
        "losses": "the sum over the batch" if recipe.loss.reduction == "sum" else "batch means",
        "Adam of D": adam(recipe.adam_D),
        "Adam of G": adam(recipe.adam_G),
        "first weights": f"N(0, {weight.scale:g}²)" if weight.kind == "normal" else "U(±1/√fan-in)",
    }
    if norm:
        rows["batch normalisation"] = (
            f"ε = {plain(norm.eps)}, {norm.momentum:g} of the old statistics"
        )
    lines = ["| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())]
    return "\n".join(lines)


UPDATES = {
    (1, False): "one of G on the same z",
    (2, False): "two of G on the same z",
    (1, True): "one of G on a fresh z",
}


def adam(adam: Adam) -> str:
    """Its numbers."""
    numbers = f"β₁ = {adam.beta1:g}, β₂ = {adam.beta2:g}, ε = {plain(adam.eps)}"
    return f"rate {plain(adam.lr)}, {numbers}"
