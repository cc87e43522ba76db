"""python -m ganref.export RUN_OR_CHECKPOINT: trained networks as files that need no ganref."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from . import cli
from .exchange import card, to_gluon, to_jax, to_keras, to_numpy, to_onnx, to_pytorch
from .exchange.card import Origin
from .exchange.nets import UNMOVED, discriminator, generator
from .exchange.verify import Check, Exported, verify, write_snippet
from .output.files import LOG, disk_errors, results_in
from .spec import UserError
from .spec.steps import Trace
from .training.checkpoint import Checkpoint
from .training.run import RunDirectory

TARGETS: dict[str, ModuleType] = {
    "pytorch": to_pytorch,
    "keras": to_keras,
    "gluon": to_gluon,
    "jax": to_jax,
    "onnx": to_onnx,
    "numpy": to_numpy,
}
NETS = {"G": ("G",), "D": ("D",), "both": ("G", "D")}
# What a disk has to have room for without a doubt: less, and it is full.
PROBE = 1 << 20


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.export", description=__doc__)
    p.add_argument("run", type=cli.path, help="a run directory or a checkpoint file")
    p.add_argument("--to", required=True, help=f"one of {', '.join(TARGETS)}")
    p.add_argument("--net", default="G", help=f"one of {', '.join(NETS)} (default G)")
    p.add_argument("--ema", action="store_true", help="use the average of G's weights")
    p.add_argument(
        "-o", "--out", type=cli.path, required=True, help="a folder that is not there, or is empty"
    )
    return p


def main(argv: list[str] | None = None) -> int:
    """Export, verify, and say what was found. Raises UserError, with nothing written."""
    args = parser().parse_args(argv)
    for name, known in (("to", TARGETS), ("net", NETS)):
        if getattr(args, name) not in known:
            raise UserError(
                f"unknown --{name} {getattr(args, name)!r}; there are {', '.join(known)}"
            )
    if args.ema and args.net == "D":
        raise UserError("--ema has no effect on D: averages are kept of G's weights alone")
    _check_empty(args.out)
    checkpoint = cli.trained(args.run, args.ema)
    target = TARGETS[args.to]
    nets = nets_of(checkpoint, args.net, args.ema)
    for net, _, _ in nets:
        if UNMOVED in net.notes:
            LOG.warning("%s: %s", net.stem, UNMOVED)
    target.framework()
    with results_in(args.out.parent):
        checks = write(args.out, target, nets, origin(checkpoint, args.run))
    for (net, _, _), found in zip(nets, checks, strict=True):
        worst = max(check.relative for check in found)
        print(
            f"{net.stem} in {target.TITLE}, opened without ganref: at most {worst:.1e} of the"
            f" output's scale from NumPy ({found[0].examples} examples)"
        )
    print(f"written: {args.out}")
    return 0


def nets_of(checkpoint: Checkpoint, which: str, ema: bool) -> list[Exported]:
    """The networks that are asked for, and for each the spec's own network and weights, which it is
    held against. Raises UserError for what is not exported."""
    recipe, state = checkpoint.recipe, checkpoint.state
    found: list[Exported] = []
    if "G" in NETS[which]:
        net, weights = generator(recipe, state, ema), dict(state)
        if ema:
            weights |= {n.removesuffix(".ema"): state[n] for n in state if n.endswith(".ema")}
        found.append((net, recipe.generator, weights))
    if "D" in NETS[which]:
        found.append((discriminator(recipe, state), recipe.discriminator, state))
    return found


def origin(checkpoint: Checkpoint, run: Path) -> Origin:
    """What a checkpoint and the run that it lies in say of where its weights are from."""
    identity = ""
    with contextlib.suppress(UserError):  # a checkpoint alone does not know
        directory = run if run.is_dir() else run.resolve().parent.parent
        config = RunDirectory.open(directory).read_config()
        identity = str(config.identity or "") if config.recipe == checkpoint.recipe else ""
    rows = [json.loads(line) for line in checkpoint.log.epochs] if checkpoint.log else []
    beside = {"epoch", "step", "seconds", "examples_per_sec", *Trace._fields[2:]}
    last = {n: v for n, v in (rows[-1] if rows else {}).items() if isinstance(v, float | int)}
    metrics = {name: value for name, value in last.items() if name not in beside}
    c = checkpoint
    return Origin(c.recipe, c.step, c.seed, c.data, identity, c.backend, c.versions, metrics)


def write(out: Path, target: ModuleType, nets: list[Exported], source: Origin) -> list[list[Check]]:
    """Make the files in a folder of their own, verify them, and only then put it in its place.
    Raises UserError; there is then nothing."""
    with disk_errors(out):
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        with _refusals(stage, out):
            for net, _, _ in nets:
                target.save(net, target.build(net), stage)
                write_snippet(net, target, stage)
            checks = verify(nets, target, stage)
            told = [(net, found) for (net, _, _), found in zip(nets, checks, strict=True)]
            (stage / "README.md").write_text(card.card(source, target, told), encoding="utf-8")
            text = card.verified(source, target, told)
            (stage / "verified.json").write_text(text, encoding="utf-8")
        with disk_errors(out):
            stage.chmod(0o777 & ~_umask())
            os.replace(stage, out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return checks


@contextlib.contextmanager
def _refusals(stage: Path, out: Path) -> Iterator[None]:
    """Frameworks say in many ways that a disk is full; so the disk is asked."""
    try:
        yield
    except Exception:
        probe = stage / ".probe"
        with disk_errors(out), probe.open("wb") as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
        raise


def _check_empty(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty; choose another --out")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


if __name__ == "__main__":
    cli.run_main(main, "ganref.export")
