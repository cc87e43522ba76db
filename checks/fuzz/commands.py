"""Command lines at random, through `main(argv)`, with what takes long left out."""

from __future__ import annotations

import os
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import ganref.__main__ as program
from ganref import (
    compare,
    doctor,
    evaluate,
    export,
    import_weights,
    initial_weights,
    lab,
    page,
    recipe,
    sample,
    train,
)
from ganref.cli import main as cli_main
from ganref.exchange.verify import Check

from .outcome import ACCEPTED, FAULT, Outcome, attempt
from .runs import quick, words

WORDS = (
    "n" * 300,
    "0", "1", "2", "3", "8", "64", "-1", "-0", "0.5", "1.5", "1e-3", "1e30", "1e400", "nan",
    "inf", "-inf", "10000000", "1000000000", "99999999999999999999999", "x", "", " ", "é", "\x00",
    "-", "--", "a/b", "gaussian", "ring", "mlp", "dcgan32", "ebgan", "digits", "numpy",
    "torch,numpy", "auto", "nonsense", "cpu", "cuda", "cuda:9", "float32", "float64", "float8",
    "on", "off", "bce", "hinge", "margin", "least-squares", "aligned", "torch", "normal",
    "uniform", "minimax", "grey", "run", "file", "folder", "missing", "run/checkpoints",
    "/dev/null", "/proc/1/mem", "~nobody/x", "out.png", "out.npy", "out.py", "vanishing",
)  # fmt: skip
COMMANDS = {
    "train": train, "compare": compare, "sample": sample, "evaluate": evaluate, "lab": lab,
    "doctor": doctor, "page": page, "export": export, "import": import_weights,
}  # fmt: skip
LONG = {"--backend", "--backends", "--probe"}  # whose frameworks take seconds to import


class Commands:
    """Every command with its options."""

    def __init__(self, folder: Path) -> None:
        quick()
        os.chdir(folder)
        attempt(lambda: train.main(words("--steps", 8, "--run-dir", "run")))
        Path("file").write_text("mine")
        Path("folder").mkdir(exist_ok=True)
        np.savez("weights.npz", **initial_weights(recipe("gaussian")))  # type: ignore[arg-type]
        row = dict.fromkeys(("loss_D", "loss_G", "examples_per_sec"), 1.0)
        report = {
            "recipe": "toy", "tab": "aligned", "steps": 0, "dtype": "float64", "pairs": [],
            "teacher_forced": False, "devices": {}, "died": {}, "agrees": True, "backends": [],
            "tolerances": {kind: [] for kind in compare.KINDS},
        }  # fmt: skip
        found = SimpleNamespace(
            run=lambda _: {}, finding=lambda _: "found", draw=lambda *_: None, QUICK={}, GIVEN_UP=""
        )
        stubs: list[tuple[Any, str, Any]] = [
            (train.loop, "train", lambda *_, **__: row),
            (compare, "compare", lambda *_, **__: report),
            (compare.curves, "comparison", lambda *_: None),
            (evaluate, "evaluate_samples", lambda *_, **__: []),
            (evaluate.pictures, "beside", lambda *_: None),
            (sample.pictures, "picture", lambda *_: None),
            (export, "verify", lambda nets, *_: [[Check("x", 0.0, 0.0, 1e-5, 64)] for _ in nets]),
            (doctor, "diagnose", lambda _: (True, "works")),
            (doctor, "probe", lambda _: {}),
            (train.cli, "generate", lambda gan, recipe, seed, num, *_, **__: np.zeros((2, 2))),
        ]
        for module, name, stub in stubs:
            setattr(module, name, stub)
        for name in lab.LABS:
            lab.LABS[name] = found  # type: ignore[assignment]
        self.options = {name: _options(command) for name, command in COMMANDS.items()}

    def case(self, rng: random.Random) -> Outcome:
        """One command line."""
        name = rng.choice((*COMMANDS, "train", "train"))
        argv: list[str] = []
        if name in ("sample", "evaluate", "export"):
            argv.append(rng.choice(("run", "run", rng.choice(WORDS))))
        if name == "export":  # frameworks' targets take seconds to import
            argv += ["--to", rng.choice(("numpy", "numpy", rng.choice(WORDS)))]
            argv += ["-o", rng.choice(("new", rng.choice(WORDS)))]
        if name == "import":
            argv += [rng.choice(("weights.npz", "weights.npz", rng.choice(WORDS)))]
            argv += ["--recipe", rng.choice(("gaussian", "gaussian", rng.choice(WORDS)))]
            argv += ["--run-dir", rng.choice(("new", rng.choice(WORDS)))]
        if name == "lab":
            argv.append(rng.choice(("vanishing", "collapse", rng.choice(WORDS))))
        if name == "page":
            argv.append(rng.choice(("gaussian", "dcgan", rng.choice(WORDS))))
        for _ in range(rng.choice((0, 1, 2, 2, 3, 5))):
            option, choices, takes = rng.choice(self.options[name])
            argv.append(option)
            if takes and rng.random() < 0.97:
                pool = ("numpy", "nonsense", "") if option in LONG else WORDS
                argv.append(rng.choice(choices if choices and rng.random() < 0.4 else pool))
        if rng.random() < 0.03:
            argv.append(rng.choice(WORDS))
        outcome, _ = attempt(lambda: _quickly(name, argv))
        if Path("file").read_text() != "mine":
            Path("file").write_text("mine")
            if "--out" not in argv:
                return Outcome(FAULT, f"wrote over a file: {name} {argv}")
        if outcome.kind == FAULT:
            return Outcome(FAULT, f"{outcome.why} after {name} {argv}")
        return outcome if outcome.kind != ACCEPTED else Outcome(ACCEPTED)


def _quickly(name: str, argv: list[str]) -> Any:
    return cli_main.run_main(COMMANDS[name].main, f"ganref.{name}", argv)


def _options(command: Any) -> list[tuple[str, tuple[str, ...], bool]]:
    """(option, its choices, whether it takes a value) of a parser."""
    return [
        (option, tuple(action.choices or ()), action.nargs != 0)
        for action in command.parser()._actions
        for option in action.option_strings
    ]


assert set(program.COMMANDS) == set(COMMANDS) and cli_main
