"""The blocks of the page of results and of the exercises."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import read
from .blocks import made_by, number, table


def equivalence() -> str:
    """What four frameworks differ by, at most."""
    rows, below = [], []
    for name in ("gaussian", "dcgan_nyu"):
        found = read(f"equivalence-{name}")["figures"]
        for backend, worst in found["worst"].items():
            rows.append([name, f"{found['steps']}", backend, f"{worst['losses']:.1e}",
                         f"{worst['parameters']:.1e}"])  # fmt: skip
        promised = found["promised"]
        rows.append([name, f"{found['steps']}", "*promised*", f"{promised['losses']:.0e}",
                     f"{promised['parameters']:.0e}"])  # fmt: skip
        below.append(made_by(f"equivalence-{name}"))
    head = ["recipe", "steps", "NumPy and", "losses", "parameters"]
    return "\n\n".join([table(head, rows), *below])


def samples() -> str:
    """What each picture of samples is of."""
    rows = []
    for name in ("gaussian", "mlp", "dcgan", "dcgan_nyu", "dcgan32", "ebgan"):
        try:
            found = read(f"samples-{name}")
        except FileNotFoundError:
            continue
        figures = found["figures"]
        last = figures["last_epoch"]
        shown = [number(last[key]) for key in ("loss_D", "loss_G")]
        link = f"[{name}](results/samples-{name}.png)"
        rows.append([link, f"`{found['command']}`", f"{figures['steps']:,}", *shown])
    return table(["samples", "made by", "steps", "loss_D", "loss_G (last epoch)"], rows)


def tabs_toy() -> str:
    """A row for each deviation of the toy's tabs."""
    found = read("tabs")
    seeds, rows = found["options"]["gaussian"]["seeds"], []
    for row in found["figures"]["gaussian"]:
        low, high = row["range"]
        aligned = row["tab"] == "aligned"
        rows.append([
            *_deviation(row),
            f"{number(row['frechet'])} ({number(low)} to {number(high)})",
            "–" if aligned else f"{row['nearer']} of {seeds}",
        ])  # fmt: skip
    head = ["toy", "losses apart at step 1", "within 100 steps", "Fréchet distance after 20 epochs",
            "nearer than aligned in"]  # fmt: skip
    return "\n\n".join([table(head, rows), made_by("tabs")])


def tabs_dcgan() -> str:
    """A row for each deviation of the DCGAN's tabs."""
    found = read("tabs")
    how, rows = found["options"]["dcgan"], []
    for row in found["figures"]["dcgan"]:
        aligned = row["tab"] == "aligned"
        rows.append([
            *_deviation(row),
            number(row["spread_over_z"], 2),
            "–" if aligned else _share(row["pictures"]),
        ])  # fmt: skip
    head = [f"DCGAN, width {how['width']}, batch {how['batch_size']}", "losses apart at step 1",
            f"within {how['steps']} steps", "first samples vary over z by",
            f"pictures apart after {how['steps']}"]  # fmt: skip
    return "\n\n".join([table(head, rows), made_by("tabs")])


def _deviation(row: dict[str, Any]) -> list[str]:
    """A deviation's name, and how far its losses are from the aligned ones, which have no row of
    numbers."""
    what = {"": "**aligned**", "all": f"**the {row['tab']} tab**"}.get(row["deviation"])
    apart = [_share(row[key]) for key in ("first", "early")]
    aligned = row["tab"] == "aligned"
    return [what or f"{row['tab']}: {row['deviation']}", *(["–", "–"] if aligned else apart)]


def _share(value: float) -> str:
    """A relative difference as a share; nothing where nothing differs."""
    if value == 0:
        return "0"
    if value >= 10:
        return f"{value:.0f} times"
    return f"{value:.1%}" if value >= 5e-4 else f"{value:.0e}"


def equilibrium_tests() -> str:
    """How many samples it takes to tell a trained toy from the data."""
    found = read("equilibrium")
    tests, seeds = found["figures"]["tests"], found["options"]["seeds"]
    rows = []
    for name, both in tests["rejected"].items():
        for test, words in (("mmd", "MMD"), ("c2st", "classifier")):
            rows.append([name, words, *(f"{share * seeds:.0f}" for share in both[test])])
    head = ["G", "test", *(f"{n} samples" for n in tests["sizes"])]
    facts = [
        f"{name}: Fréchet distance {number(tests['frechet'][name]['median'])}"
        f" ({number(tests['frechet'][name]['least'])} to {number(tests['frechet'][name]['most'])}),"
        f" D itself right about {tests['D_right'][name]['median']:.0%} of fresh points"
        for name in tests["frechet"]
    ]
    return "\n\n".join([
        f"Of {seeds} seeds, how many a test at the 5% level tells apart:", table(head, rows),
        "\n".join(f"- {fact}" for fact in facts), made_by("equilibrium"),
    ])  # fmt: skip


def equilibrium_start() -> str:
    """What training does to a G that is exact."""
    start = read("equilibrium")["figures"]["start"]
    epochs = [0, 1, 2, 5, 10, start["epochs"]]
    rows = [
        [name, *(f"{number(curve['median'][e], 2)} (to {number(curve['most'][e], 2)})"
                 for e in epochs)]
        for name, curve in start.items() if name != "epochs"
    ]  # fmt: skip
    head = ["rates", *(f"epoch {e}" for e in epochs)]
    return "\n\n".join([
        "The Fréchet distance from the data, median of the seeds (and the most):",
        table(head, rows), made_by("equilibrium"),
    ])  # fmt: skip


def relu() -> str:
    """Leaky and standard ReLU over seeds."""
    found = read("relu")
    keys = {
        "gradient at the end": lambda r: [g[-1] for g in r["gradient"]],
        "D(x)": lambda r: r["D_x"],
        "D(G(z))": lambda r: r["D_G_z"],
        "modes covered": lambda r: r.get("modes_covered"),
        "good samples": lambda r: r.get("high_quality"),
        "MMD² to the data": lambda r: r.get("mmd2"),
    }
    blocks = []
    for name, slopes in found["figures"].items():
        rows: list[list[str]] = []
        for slope, r in slopes.items():
            cells: dict[str, Any] = {key: of(r) for key, of in keys.items()}
            cells = {key: values for key, values in cells.items() if values is not None}
            rows.append([slope, *(_spread(values) for values in cells.values())])
        blocks.append(table([name, *cells], rows))
    return "\n\n".join([
        f"Median and range of {found['options']['seeds']} seeds:", *blocks, made_by("relu"),
    ])  # fmt: skip


def _spread(values: list[float]) -> str:
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{number(middle, 2)} ({number(low, 2)} to {number(high, 2)})"


def classes() -> str:
    """Which digits the DCGAN learns."""
    figures = read("classes")["figures"]
    ordered = sorted(figures["classes"], key=lambda row: row["share"] / row["data_share"])
    rows = [
        [row["name"], f"{row['share']:.1%}",
         "{:.1%} to {:.1%}".format(*row["interval"]), f"{row['data_share']:.1%}",
         "–" if row["confidence"] is None else f"{row['confidence']:.2f}"]
        for row in ordered
    ]  # fmt: skip
    head = ["class", "of the samples", "at 95%", "of the data", "confidence"]
    return "\n\n".join([
        table(head, rows),
        f"`class_distance` is {figures['class_distance']:.2f}: that share of the samples would have"
        " to be of another class. The mean confidence of the classifier is"
        f" {figures['confidence']:.2f}.",
        made_by("classes"),
    ])  # fmt: skip
