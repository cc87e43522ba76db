"""python -m benchmarks.limits: what bounds a step of an image recipe on this machine.

Every convolution of the recipe is timed alone, in PyTorch's own kernels and in the memory layout of
the fast path: its forward pass and its gradients to the input and to the weights, the best of many
calls. Times how often a step needs each, that is the time that no step made of these kernels can
go below, normalisation, activations and Adam not counted; beside it stands what the same FLOPs
would take at the rate of the best square matrix product.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
from typing import Any

from ganref import cli
from ganref.backend import load_backend
from ganref.parity.workers import WorkerFailed
from ganref.spec import Recipe, UserError, recipe
from ganref.spec.layers import Conv, ConvTranspose, Layer, Shape
from ganref.spec.networks import Network

from . import command
from .speed.rates import fastest
from .workers import Worker

PASSES = ("forward", "to input", "to weights")
KERNELS = "torch"  # whose convolutions can be called one by one, as its fast path does


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("benchmarks.limits", __doc__, "limits")
    number = cli.positive(int)
    p.add_argument("--recipe", default="dcgan")
    p.add_argument("--batch-size", type=number, default=64)
    p.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    p.add_argument("--repeats", type=number, default=10, help="calls of each kernel (default 10)")
    return p


def counts(network: Network, first: bool) -> tuple[int, int, int]:
    """How often a step runs a layer's three passes. D: real, fake, and fake again for G, where its
    weights' gradients are not needed; G: once. Gradients to an input that is data or noise are
    needed by nobody, to the samples by G alone."""
    if network.name == "generator":
        return 1, 0 if first else 1, 1
    return 3, 1 if first else 3, 2


def even(layer: Conv, shape: Shape) -> tuple[Conv, Shape]:
    """(layer, shape of its input) without the odd row and column of uneven padding, which no kernel
    knows: they lie in the input already, or stay on the output; nothing is copied."""
    before, after = layer.padding
    if before == after:
        return layer, shape
    channels, *sides = shape
    if not isinstance(layer, ConvTranspose):
        sides = [side + 1 for side in sides]
    return dataclasses.replace(layer, padding=(before, before)), (channels, *sides)


def measure(chosen: Recipe, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """A row for each convolution."""
    library = importlib.import_module(f"benchmarks.kernels_{KERNELS}")
    rows = []
    for network in chosen.networks:
        convolutions: list[tuple[int, Layer]] = [
            (i, layer) for i, layer in enumerate(network.layers) if isinstance(layer, Conv)
        ]
        for i, layer in convolutions:
            assert isinstance(layer, Conv)
            flops = 2 * layer.macs(network.shapes[i]) * chosen.batch_size
            times = [
                fastest(kernel, least=repeats)
                for kernel in library.kernels(
                    *even(layer, network.shapes[i]), chosen.batch_size, dtype
                )
            ]
            rows.append({
                "layer": f"{network.name}.{i}", "flops": flops, "times": counts(network, i == 0),
                "seconds": times,
            })  # fmt: skip
    return rows


def products(backends: list[str], dtype: str, threads: int) -> dict[str, float]:
    """The rate of each framework's matrix product in FLOP/s, where it is here and has that type."""
    rates = {}
    for name in backends:
        with (
            contextlib.suppress(WorkerFailed),
            contextlib.closing(Worker(name, "off", threads)) as worker,
        ):
            what = {"dtype": dtype, "device": "cpu", "seconds": 2.0}
            rates[name] = worker.ask("matmul", **what)["flops_per_s"]
    return rates


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write."""
    args = parser().parse_args(argv)
    threads = cli.prepare_threads(args.threads)
    load_backend(KERNELS).set_threads(threads)
    chosen = recipe(args.recipe).replace(batch_size=args.batch_size)
    rows = measure(chosen, args.dtype, args.repeats)
    if not rows:
        raise UserError(f"{chosen.name} has no convolutions")
    rates = products(command.chosen_backends(args.backends), args.dtype, threads)
    flops = chosen.flops_per_example * chosen.batch_size
    floor = sum(n * s for row in rows for n, s in zip(row["times"], row["seconds"], strict=True))
    print(f"{'layer':<18}{'GFLOP':>7}  " + "  ".join(f"{name:>18}" for name in PASSES))
    for row in rows:
        cells = [
            f"{n} × {s * 1e3:5.1f} ms {row['flops'] / s / 1e9:5,.0f}/s"
            for n, s in zip(row["times"], row["seconds"], strict=True)
        ]
        print(f"{row['layer']:<18}{row['flops'] / 1e9:>7.2f}  " + "  ".join(cells))
    print(f"convolutions of a step: {floor * 1e3:.0f} ms, {flops / floor / 1e9:,.0f} GFLOP/s")
    for name, rate in rates.items():
        print(f"at the rate of {name}'s matrix product, {rate / 1e9:,.0f} GFLOP/s: "
              f"{flops / rate * 1e3:.0f} ms")  # fmt: skip
    command.prepare(args.out)
    found = {"rows": rows, "flops": flops, "convolutions_s": floor, "matmul_flops_per_s": rates}
    command.write(args.out / "limits.json", args, command.environment(args), **found)
    print(f"written: {args.out / 'limits.json'}")
    return 0


if __name__ == "__main__":
    cli.run_main(main, "benchmarks.limits")
