"""Whether an export gives NumPy's numbers: run where there is no ganref, on 64 inputs."""

from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from ..backend import BACKENDS
from ..spec.errors import UserError
from ..spec.networks import Network
from .layouts import Weights, images_first
from .nets import Net
from .snippets import lines, snippet

LIMIT = 1e-5  # of the output's scale, in float32
# Weights that blow rounding up do so everywhere: what NumPy's own float32 differs, so many times.
OWN = 4
SECONDS = 900
# In a process of its own: each script, and what it leaves under the names of input and output.
RUN = """
import sys
sys.modules["ganref"] = None  # whoever imports it fails
import runpy
import numpy
for i, script in enumerate(sys.argv[2:]):
    left = runpy.run_path(script)
    takes, gives = ("Z", "X") if "Z" in left else ("X", "Y")
    numpy.savez(f"{sys.argv[1]}/{i}.npz", takes=left[takes], gives=left[gives])
"""

# What is exported, and the spec's own network and weights that it is held to.
Exported = tuple[Net, Network, Weights]


@dataclass(frozen=True)
class Check:
    """What one file of an export gave: the largest difference from NumPy's output, that relative
    to the largest of NumPy's numbers, how large it may be, on so many examples."""

    file: str
    difference: float
    relative: float
    limit: float
    examples: int


def script_name(net: Net) -> str:
    """What the snippet beside an export is called."""
    return f"use_{net.stem}.py"


def verify(nets: list[Exported], target: ModuleType, folder: Path) -> list[list[Check]]:
    """Run the snippets that lie in the folder and every other way into the export's files, and
    hold them to what the spec's networks give with their weights: a list for each net. Raises
    UserError if one fails, or differs by more than it may."""
    runs = [(i, way) for i, (net, _, _) in enumerate(nets) for way in target.ways(net)]
    found: list[list[Check]] = [[] for _ in nets]
    with tempfile.TemporaryDirectory() as scratch:
        scripts = []
        for number, (i, way) in enumerate(runs):
            net = nets[i][0]
            script = folder.absolute() / script_name(net)  # it is run from its folder
            if way != target.ways(net)[0]:
                script = Path(scratch) / f"way_{number}.py"
                script.write_text("\n".join(lines(net, way, target.LAST)), encoding="utf-8")
            scripts.append(str(script))
        _run([scratch, *scripts], folder, target.TITLE)
        for number, (i, way) in enumerate(runs):
            with np.load(Path(scratch) / f"{number}.npz") as left:
                x, y = (images_first(a) if target.LAST else a for a in left.values())
            found[i].append(check(way.file, y, *nets[i][1:], x))
    return found


def reference(
    network: Network, weights: Weights, x: np.ndarray, dtype: str = "float64"
) -> np.ndarray:
    """What NumPy makes of x (B, *input): samples, logits or probabilities (B, 1), or an
    autoencoder's copies."""
    layers = importlib.import_module(f"{BACKENDS['numpy'].module}.layers")
    # The chain's own output, whatever a loss would take of it.
    chain = dataclasses.replace(network, head="samples")
    own = {p.name: weights[p.name] for p in network.params}
    y = layers.Network(chain, own, np.dtype(dtype), "cpu").run(x.astype(dtype), False)
    if network.head in ("logits", "sigmoid"):
        y = y.reshape(len(y), 1)
    return 1 / (1 + np.exp(-y)) if network.head == "sigmoid" else y


def check(file: str, found: np.ndarray, network: Network, weights: Weights, x: np.ndarray) -> Check:
    """What a file made of x (B, *input), held to NumPy in float64. Raises UserError if it differs
    by more than LIMIT, or than OWN times what NumPy in float32 does."""
    expected = reference(network, weights, x)
    if found.shape != expected.shape:
        raise UserError(f"{file} gives {found.shape}, not {expected.shape}; nothing was written")
    scale = max(float(np.abs(expected).max()), 1e-30)
    own = float(np.abs(reference(network, weights, x, "float32") - expected).max()) / scale
    difference, limit = float(np.abs(found - expected).max()), max(LIMIT, OWN * own)
    if not difference / scale <= limit:
        raise UserError(
            f"{file} differs from NumPy by {difference / scale:.1e} of the output's scale, more"
            f" than {limit:.1e}; nothing was written"
        )
    return Check(file, difference, difference / scale, limit, len(found))


def write_snippet(net: Net, target: ModuleType, folder: Path) -> None:
    """The lines that open the export, for people."""
    text = snippet(net, target.ways(net)[0], target.LAST)
    head = f"# Run it in this folder. {target.TITLE}, and nothing of ganref.\n"
    (folder / script_name(net)).write_text(head + text, encoding="utf-8")


def _run(args: list[str], folder: Path, title: str) -> None:
    hidden = {"PYTHONPATH", "PYTHONSTARTUP"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    # A processor's arithmetic: NumPy's, without TF32. No bytecode beside the export.
    env |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"MPLBACKEND": "agg", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-c", RUN, *args]
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(
            f"the export to {title} does not run without ganref ({last[:200]}); nothing was written"
        )
