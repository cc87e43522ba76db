"""The engine of `compare`: backends driven in lockstep, and what differs between them.

Each backend runs in a process of its own and answers after every step with its losses, gradients
and state; nothing but the latest step is kept, so that a run of any size can be compared.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .. import data
from ..backend import BACKENDS, check_backend
from ..draws.batches import Source
from ..draws.weights import initial_weights
from ..spec import Recipe, UserError, labels
from ..spec.groups import share
from .differences import differences, gradient_norm
from .team import DRIVEN, Team
from .tolerances import KINDS, tolerance
from .workers import Worker, WorkerFailed

Asked = Worker | Team
Turn = dict[str, tuple[str, int]]  # by name, the backend and the workers of all that run at once


def split_kinds(answer: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """A worker's answer by kind of tensor."""
    kinds: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in KINDS}
    kinds["losses"] = {name: np.asarray(v) for name, v in answer["losses"].items()}
    kinds["gradients"] = answer["gradients"]
    for name, array in answer["state"].items():
        if not name.endswith(".step"):
            kinds[kind_of(name)][name] = array
    return kinds


def kind_of(name: str) -> str:
    """The kind of a state's tensor."""
    if name.endswith((".running_mean", ".running_var")):
        return "statistics"
    return "moments" if name.endswith((".m", ".v")) else "parameters"


def compare(
    recipe: Recipe,
    backends: list[str],
    steps: int,
    dtype: str = "float64",
    *,
    data_name: str | None = None,
    reading: dict[str, Any] | None = None,
    conditional: str = "",
    seed: int = 0,
    teacher_forced: bool = False,
    device: str = "cpu",
    compile: str = "auto",
    threads: int | None = None,
    workers: tuple[int, ...] = (),
    progress: bool = False,
) -> dict[str, Any]:
    """Run `steps` steps on each backend; the report that `compare.json` holds. With numbers of
    `workers` it is each backend for itself: "torch x2", two of them, beside "torch x1".

    `reading` has what `data.load` takes beside these, `conditional` how the recipe takes the data's
    labels in (`spec.labels.conditional`). A backend whose process dies is in the
    report's "died", with its last words; the others go on. Raises UserError if fewer than two
    backends (or numbers of workers) are named, or can begin."""
    for name in backends:
        check_backend(name)
    if len(set(workers or backends)) < 2:
        kinds = "backends; --backends numpy,torch", "numbers of workers; --workers 1,2"
        raise UserError(f"a comparison needs two different {kinds[bool(workers)]}, say")
    dataset = data.load(data_name or recipe.data, recipe, seed, **reading or {})
    recipe = labels.conditional(recipe, conditional, dataset.labels, dataset.classes)
    source = Source(recipe, dataset, seed, dtype)
    weights = initial_weights(recipe, seed)
    turns = (
        [_by_workers(recipe, backend, workers) for backend in backends]
        if workers
        else [{backend: (backend, 1) for backend in backends}]
    )
    report = _empty_report(recipe, turns, steps, dtype, teacher_forced)
    for turn in turns:
        asked: dict[str, Asked] = {}
        try:
            for name, who in turn.items():  # at once: importing a framework is half the time
                asked[name] = _begun(*who, threads)
            for name, where in _places(report, asked, device).items():
                _ask(report, asked, name, "create", recipe, weights, where, dtype, compile)
            for name, found in _gather(report, asked).items():
                report["versions"][name] = found
            if len(asked) < 2:
                died = report["died"].items()
                raise UserError("; ".join(f"{name}: {words}" for name, words in died))
            _in_lockstep(report, asked, recipe, source, progress)
        finally:
            for member in asked.values():
                member.close()
    report["agrees"] = not report["died"] and all(not p["first_outside"] for p in report["pairs"])
    return report


def _by_workers(recipe: Recipe, backend: str, workers: tuple[int, ...]) -> Turn:
    """A backend by each of these numbers of workers. Raises UserError."""
    if BACKENDS[backend].engine is None:
        able = ",".join(name for name, entry in BACKENDS.items() if entry.engine)
        raise UserError(f"{backend} trains in one process; --workers compares --backends {able}")
    for size in workers:
        share(recipe, size)
    return {f"{backend} x{size}": (backend, size) for size in workers}


def _begun(backend: str, size: int, threads: int | None) -> Asked:
    if size > 1:
        return Team(backend, size, threads)
    return Worker(DRIVEN, backend, str(threads or ""))


def _in_lockstep(
    report: dict[str, Any], asked: dict[str, Asked], recipe: Recipe, source: Source, progress: bool
) -> None:
    """All steps, each judged as it is made."""
    from tqdm import tqdm

    steps, forced = report["steps"], report["teacher_forced"]
    for step in tqdm(range(steps), disable=not progress, unit="step", desc=recipe.name):
        batch = source.draw(range(step, step + 1))
        for name in asked:
            _ask(report, asked, name, "step", batch)
        answers = _gather(report, asked)
        if len(answers) < 2:
            break
        _judge(report, recipe, step + 1, {n: split_kinds(a) for n, a in answers.items()})
        reference = next(iter(answers))
        if forced and step + 1 < steps:
            for name in asked:
                if name != reference:
                    _ask(report, asked, name, "load", answers[reference]["state"])
            _gather(report, {n: w for n, w in asked.items() if n != reference})


def _empty_report(
    recipe: Recipe, turns: list[Turn], steps: int, dtype: str, teacher_forced: bool
) -> dict[str, Any]:
    pairs: list[dict[str, Any]] = [
        {"pair": list(pair), "worst": {kind: [] for kind in KINDS}, "first_outside": None}
        for turn in turns
        for pair in itertools.combinations(turn, 2)
    ]
    backends = [name for turn in turns for name in turn]
    return {
        "recipe": recipe.name, "tab": recipe.tab, "dtype": dtype, "steps": steps,
        "teacher_forced": teacher_forced, "backends": backends, "versions": {}, "died": {},
        "devices": {},
        "losses": {name: {"loss_D": [], "loss_G": []} for name in backends},
        "gradient_norms": {name: {"generator": [], "discriminator": []} for name in backends},
        "tolerances": {
            kind: [
                tolerance(recipe, dtype, teacher_forced, step, kind) for step in range(1, steps + 1)
            ]
            for kind in KINDS
        },
        "pairs": pairs,
    }  # fmt: skip


def _places(report: dict[str, Any], asked: dict[str, Asked], device: str) -> dict[str, str]:
    """Where each of them computes: on the device, or where it has none, as NumPy, on the processor
    beside the others. Raises UserError if nobody has it."""
    device = "cuda:0" if device == "cuda" else device
    if device != "cpu":
        for name in asked:
            _ask(report, asked, name, "devices")
        found = _gather(report, asked)
        report["devices"] = {n: device if device in own else "cpu" for n, own in found.items()}
        if found and device not in report["devices"].values():
            raise UserError(f"no backend here has a device {device!r}; leave --device out")
    return {name: report["devices"].get(name, "cpu") for name in asked}


def _ask(report: dict[str, Any], asked: dict[str, Asked], name: str, *message: Any) -> None:
    try:
        asked[name].send(*message)
    except WorkerFailed as failure:
        report["died"][name] = str(failure)


def _gather(report: dict[str, Any], asked: dict[str, Asked]) -> dict[str, Any]:
    """The answers of all that live; the dead are struck from `asked`."""
    answers = {}
    for name, worker in list(asked.items()):
        try:
            answers[name] = worker.receive()
        except WorkerFailed as failure:
            report["died"].setdefault(name, str(failure))
            asked.pop(name).close()
    return answers


def _judge(
    report: dict[str, Any], recipe: Recipe, step: int, found: dict[str, dict[str, Any]]
) -> None:
    for name, kinds in found.items():
        for loss in ("loss_D", "loss_G"):
            report["losses"][name][loss].append(float(kinds["losses"][loss]))
        for net, norms in report["gradient_norms"][name].items():
            norms.append(gradient_norm(kinds["gradients"], net))
    allowed = {kind: report["tolerances"][kind][step - 1] for kind in KINDS}
    for pair in report["pairs"]:
        a, b = pair["pair"]
        if a not in found or b not in found:
            continue
        # In the order in which a step computes them: the first to differ is where to look.
        for kind in KINDS:
            # What is left of losses that cancel is measured on the larger of the two.
            cancel = kind == "losses" and recipe.loss.signed
            each = differences(found[b][kind], found[a][kind], together=cancel)
            tensor = max(each, key=lambda name: each[name], default=None)
            worst = each[tensor] if tensor else 0.0
            pair["worst"][kind].append(worst)
            limit = allowed[kind]
            if tensor and limit is not None and worst > limit and not pair["first_outside"]:
                first = next(name for name, value in each.items() if value > limit)
                pair["first_outside"] = {
                    "step": step, "kind": kind, "tensor": first,
                    "difference": each[first], "tolerance": limit,
                }  # fmt: skip
