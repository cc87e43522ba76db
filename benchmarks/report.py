"""From measured turns to numbers, and from numbers to a table; and what they were measured on."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np

import ganref
from ganref.parity import gpus
from ganref.spec import processor

# A row's key for how many times as fast it is, and the mode that it is compared with.
RATIOS = {"ratio": "page", "ratio_eager": "eager", "ratio_fast": "fast"}
MEMORY = "peak_memory", "device_memory"  # the process's, and the device's
# Of OpenBLAS (NumPy, MXNet), MKL (PyTorch) and oneDNN (all but NumPy).
KERNELS = {"OPENBLAS_CORETYPE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA",
           "DNNL_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS"}  # fmt: skip
UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


def spread(values: list[float]) -> dict[str, float]:
    """Median, quartiles and extremes of repetitions."""
    q1, median, q3 = (float(q) for q in np.percentile(values, (25, 50, 75)))
    return {"median": median, "q1": q1, "q3": q3, "min": min(values), "max": max(values)}


def step_times(row: dict[str, Any]) -> list[float]:
    """Seconds per step of each repetition."""
    return [turn["seconds"] / turn["steps"] for turn in row["rounds"]]


def summarise(row: dict[str, Any], rate: float | None) -> None:
    """Add to a measured row what follows from its turns; `rate` is the machine's best matrix
    product in FLOP/s, in the row's own precision."""
    times = step_times(row)
    batch, step = row["batch_size"], spread(times)
    row["step_s"] = step
    row["examples_per_s"] = spread([batch / t for t in times])
    first = row["steps_per_call"]
    row["compile_s"] = max(0.0, row["first_call_s"] - first * step["median"])
    rest = max(0, row["run_steps"] - first) * step["median"]
    row["run_s"] = row["startup_s"] + row["create_s"] + row["first_call_s"] + rest
    row["flops_per_s"] = row["flops_per_example"] * batch / step["median"]
    row["share_of_matmul"] = row["flops_per_s"] / rate if rate else None
    row["diverged"] = not all(turn["finite"] for turn in row["rounds"])


def best_rate(rates: dict[str, dict[str, list[float]]], dtype: str) -> float | None:
    """The best of the matrix products in that precision, in FLOP/s."""
    return max((max(found) for found in rates.get(dtype, {}).values() if found), default=None)


def add_ratios(rows: list[dict[str, Any]]) -> None:
    """Add how many times as fast each row is as the same framework's page, as that without what it
    compiles, and as its fast path: the ratio of every round, since a round's two turns had the same
    neighbours."""
    times = {(r["backend"], r["mode"]): step_times(r) for r in rows if r.get("rounds")}
    for row in (r for r in rows if r.get("rounds")):
        for name, base in RATIOS.items():
            slower = times.get((row["backend"], base))
            if slower and row["mode"] != base:
                pairs = zip(slower, step_times(row), strict=False)
                row[name] = spread([slow / fast for slow, fast in pairs])


def seconds(*values: float) -> str:
    """Times with three figures and a unit that fits the last: "1.20 ms", "0.90 .. 1.20 ms"."""
    unit, scale = next(u for u in UNITS if values[-1] >= u[1] or u is UNITS[-1])
    parts = [value / scale for value in values]
    digits = 2 if parts[-1] < 10 else 1 if parts[-1] < 100 else 0
    return " .. ".join(f"{part:.{digits}f}" for part in parts) + f" {unit}"


def table(rows: list[dict[str, Any]]) -> str:
    """All rows for a terminal; what was not timed says why."""
    head = ("recipe", "backend", "mode", "batch", "width", "examples/s", "step", "min..max",
            "×page", "×eager", "×fast", "run", "matmul", "host", "device", "input")  # fmt: skip
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    out = []
    for line in lines:
        cells = [c.ljust(w) if i < 3 else c.rjust(w)
                 for i, (c, w) in enumerate(zip(line, widths, strict=False))]  # fmt: skip
        out.append("  ".join([*cells, *line[len(head) :]]).rstrip())
    return "\n".join(out)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    name = (row["recipe"], row["backend"], row["mode"], str(row["batch_size"]),
            str(row["width"] or "-"))  # fmt: skip
    if "step_s" not in row:
        return (*name, *("-",) * 11, row["why"])
    step, share = row["step_s"], row["share_of_matmul"]
    return (
        *name,
        f"{row['examples_per_s']['median']:,.0f}",
        seconds(step["median"]),
        seconds(step["min"], step["max"]),
        *(f"{row[key]['median']:.2f}" if key in row else "-" for key in RATIOS),
        seconds(row["run_s"]),
        f"{share:.1%}" if share is not None else "-",
        *(f"{row[key] / 2**20:,.0f} MiB" if row[key] else "-" for key in MEMORY),
        f"{row['input_share']:.1%}" if row.get("input_share") is not None else "-",
        *(["not finite"] if row["diverged"] else []),
    )


def rates_line(rates: dict[str, dict[str, list[float]]]) -> str:
    """The matrix-product rates of all frameworks in each precision."""
    parts = [
        f"{dtype} " + ", ".join(f"{name} {max(best) / 1e9:,.1f}" for name, best in found.items())
        for dtype, found in rates.items()
    ]
    return "matrix product, best of the run, GFLOP/s: " + ("; ".join(parts) or "none")


def chosen_kernels() -> dict[str, str]:
    """The variables that have a library take other kernels than it would choose here."""
    return {name: os.environ[name] for name in sorted(os.environ) if name in KERNELS}


def environment(threads: int, device: str) -> dict[str, Any]:
    """The machine and what runs on it, without anything that names it."""
    fields = processor.fields()
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd")
    family = [fields.get(key, "?") for key in ("cpu family", "model", "stepping")]
    return {
        "processor": fields.get("model name", platform.machine()),
        "processor_family": " ".join(family),
        "instructions": [flag for flag in wanted if flag in processor.instructions()],
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "device": device,
        "gpus": [", ".join(map(str, vars(gpu).values())) for gpu in gpus.found()]
        if device != "cpu"
        else [],
        "load_before": os.getloadavg(),
        "chosen_kernels": chosen_kernels(),
        "versions": {
            "ganref": ganref.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }


def warnings(about: dict[str, Any]) -> list[str]:
    """What makes the figures of such an `environment` others than its processor's own."""
    found = [busy(about["load_before"], about["threads"])]
    found += [
        f"{name}={value} is set, so a library may not take its fastest kernels"
        for name, value in about["chosen_kernels"].items()
    ]
    return [warning for warning in found if warning]


def busy(load: tuple[float, float, float], threads: int) -> str:
    """A warning if others use the machine, or nothing."""
    if load[0] < 0.5:
        return ""
    return (
        f"load average {load[0]:.1f} with {threads} threads asked for: "
        "others use this machine, and the spread will show it"
    )
