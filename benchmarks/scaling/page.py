"""The table of `benchmarks.scaling` for a terminal, and docs/scaling.md."""

from __future__ import annotations

import argparse
from typing import Any

from ganref.spec import Recipe, recipe
from ganref.spec.recipes import num_parameters

from .. import report
from .model import Link

# What is assumed of GPUs that nobody has measured: FLOP/s in a DCGAN's steps (a tenth of an H100's
# peak of TF32 products), 200 Gbit/s for each, and a message's way.
GPU_FLOPS, GPU_LINK = 5e13, Link(5e-6, 2.5e10)
GPU_BATCH, GPU_WHOLE = 256, 8192
GPUS = 1, 8, 32, 128, 512, 1024

MEASURED = """\
*Strong*: one batch for all; *weak*: one for each. *Efficiency*: examples per second, of so many
times one worker's. *In sums*: the share of a step in collectives, waiting for the slower ones
included. *Bytes summed* are a worker's gradients, losses and running statistics; *sent* is what
went over the machine's loopback from all workers. More workers than cores share them: such rows
say what the engine costs, and nothing of scaling.

*Predicted* is [the model of the ring](#predicted) with each engine's link, fitted to sums of
vectors alone, and the step of one worker with nobody beside it; in brackets how far it is from
what was measured. Workers that share caches and memory are slower than one that is alone, which
the model does not know."""


def vectors(row: dict[str, Any]) -> list[int]:
    """The bytes of each sum of a step, in float32: gradients of D and of G at every update."""
    (generator, discriminator), updates = row["parameters"], row["updates"]
    return [4 * discriminator] * updates[0] + [4 * generator] * updates[1]


def cells(row: dict[str, Any]) -> list[str]:
    """A row as words."""
    step, several = row["step_s"]["median"], row["workers"] > 1
    words = [row["backend"], row["scaling"], str(row["workers"]), str(row["batch_size"]),
             report.seconds(step), f"{row['batch_size'] / step:,.0f}",
             f"{row['efficiency']:.2f}" if row["efficiency"] else "-"]  # fmt: skip
    if not several:
        return [*words, *("-",) * 5]
    return [
        *words,
        f"{row['collectives']:.1%}",
        f"{row['bytes_per_step']:,.0f}",
        f"{row['bytes_per_step'] / sum(vectors(row)):.4f}",
        f"{row['loopback_per_step'] / row['bytes_per_step']:.2f}",
        f"{report.seconds(row['predicted_s'])} ({row['off']:+.0%})" if "off" in row else "-",
    ]


HEAD = ("backend", "scaling", "workers", "batch", "step", "examples/s", "efficiency", "in sums",
        "bytes summed", "of 4 × parameters × updates", "sent / summed", "predicted")  # fmt: skip


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows for a terminal."""
    lines = [list(HEAD), *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines]


def predicted(base: Recipe, parameters: tuple[int, int]) -> list[str]:
    """The lines of the table of GPUs that are not here."""
    row = {"parameters": parameters, "updates": (base.D_updates, base.G_updates)}
    lines = ["| GPUs | 256 examples each | efficiency | 8,192 examples together | efficiency |"]
    lines.append("|---" * 5 + "|")
    for count in GPUS:
        out = [f"{count:,}"]
        for own in (GPU_BATCH, GPU_WHOLE / count):
            compute = own * base.flops_per_example / GPU_FLOPS
            step = GPU_LINK.step_s(compute, vectors(row), count)
            out += [f"{own * count / step:,.0f} / s", f"{compute / step:.0%}"]
        lines.append(f"| {' | '.join(out)} |")
    return lines


def markdown(
    base: Recipe, rows: list[dict[str, Any]], about: dict[str, Any], args: argparse.Namespace
) -> str:
    """docs/scaling.md."""
    wide = recipe("dcgan")
    counts = num_parameters(wide)
    versions = ", ".join(f"{r['backend']} {r['version']}" for r in
                         {r["backend"]: r for r in rows}.values())  # fmt: skip
    links = {r["backend"]: r["link"] for r in rows if "link" in r}
    said = (
        f"python -m benchmarks.scaling --recipe {base.name} --batch-size {base.batch_size}"
        f" --backends {','.join(dict.fromkeys(row['backend'] for row in rows))}"
        f" --workers {','.join(map(str, args.workers))}"
    )
    measured = "\n".join(
        ["| " + " | ".join(line) + " |" for line in [list(HEAD), ["---"] * len(HEAD)]]
        + ["| " + " | ".join(cells(row)) + " |" for row in rows]
    )
    fitted = "\n".join(
        f"- {name}: {link['latency_s'] * 1e6:,.0f} µs a turn, {link['bytes_per_s'] / 1e9:.2f} GB/s"
        for name, link in links.items()
    )
    parts = [
        "# What more workers gain",
        f"Written by `{said} --page docs/scaling.md`; no figure is typed by hand.",
        "## Measured",
        f"{about['cores']} cores of {about['processor']}, {about['threads']} thread for each"
        f" worker, {versions}; `{base.name}` of width {base.width}, float32, plain steps, medians"
        f" of {args.repeats} turns; a load average of {about['load_before'][0]:.1f} before.",
        measured,
        MEASURED,
        fitted,
        "## Predicted",
        "**A prediction: no GPU and no network was measured.** t(S, W) = 2 (W - 1) a +"
        " 2 (W - 1) / W · S / b for each sum of S bytes, and nothing computed meanwhile. Assumed:"
        f" `dcgan` of width {wide.width} (gradients of D {4 * counts[1] / 1e6:.1f} MB, of G"
        f" {4 * counts[0] / 1e6:.1f} MB), {GPU_FLOPS / 1e12:.0f} TFLOP/s in each GPU's steps"
        f" whatever the batch, a = {GPU_LINK.latency_s * 1e6:.0f} µs,"
        f" b = {GPU_LINK.bytes_per_s / 1e9:.0f} GB/s for each GPU, one ring through all, and"
        " batch normalisation over a worker's own examples (`--groups`).",
        "\n".join(predicted(wide, counts)),
        "With more workers the latency of 2 (W - 1) turns is what grows: engines take trees there,"
        " and this model has none.",
    ]
    return "\n\n".join(parts) + "\n"
