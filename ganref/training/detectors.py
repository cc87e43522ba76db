"""Detectors for the training loop: what the lab shows, noticed while it happens.

Each looks at numbers that a run has anyway (its trace, and the samples of an epoch's end), says a
thing once, and never changes what is computed. What a run has noticed follows from its `steps.csv`
and `metrics.jsonl` alone, so that a resumed run goes on where it stopped (`Detectors.replay`).

- *saturation*: G gets no gradient any more. Either the loss passes none on: the mean over the batch
  of the derivative of L_G to D's logit is D(G(z)) under minimax and 1 - D(G(z)) under the
  non-saturating loss (`spec.formulas.grad_G`), so the trace's score is all it takes. (An energy's
  derivative is 1.) Or D passes none on, most often for its units are saturated: it scores
  everything alike, while at an equilibrium the scores of two batches still differ.
- *collapse*: the samples have lost their diversity. Arora and Zhang 2017 look for duplicates
  among few samples; this is the distance that the closest fifth of all pairs do not exceed, as a
  share of the same among as many real examples.
- *divergence*: a loss has grown past all bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..draws import rng
from ..spec.schema import Recipe
from ..spec.steps import Trace

WINDOW = 100  # steps whose mean counts as one reading
PATIENCE = 3  # readings in a row before a saturated D is believed to stay so

WEAK = 0.01  # of G's gradient: what a loss passes on no longer
ALIKE = 3e-7  # between D's mean scores of two batches: rounding in float32, and nothing else
UNBOUNDED = 50.0  # a loss per example, in nats or in margins: far past what float32 tells from 0
GROWN = 10.0  # how many times its least reading an energy must be, too

SAMPLES = 48  # 1,128 pairs: enough for a fifth of them, and cheap
PAIRS = np.triu_indices(SAMPLES, 1)
CLOSEST = 0.2  # of the pairs: more than the 12% that share one of eight modes, fewer than 33%
EVERY = 250  # steps between two looks at samples
# A look costs some 0.1 ms. Where a step is as short as a toy's, all this is done less often.
TINY, SELDOM, RARELY = 1e6, 5, 10  # FLOPs of a step; how many times less often it reads and looks
LOW, HIGH = 0.2, 0.35  # a diversity that is lost, and one that was had
NEVER = 10_000  # steps after which diversity that never came counts as lost


@dataclass(frozen=True)
class Detection:
    """What was noticed ("saturation", "collapse" or "divergence"), after which step, in words."""

    kind: str
    step: int
    words: str


def spread(examples: np.ndarray) -> float:
    """The distance that the closest fifth of all pairs of the first examples (n, *shape) do not
    exceed; NaN for fewer than two."""
    n = min(len(examples), SAMPLES)
    if n < 2:
        return float("nan")
    rows = examples[:n].reshape(n, -1).astype(np.float64)
    first, second = PAIRS if n == SAMPLES else np.triu_indices(n, 1)
    in_plane = rows.shape[1] == 2
    if in_plane:  # half the time, which shows beside the steps of a toy
        points = rows.view(np.complex128).ravel()
        pairs = abs(points.take(first) - points.take(second))
    else:
        # With the mean at the origin, the products do not cancel where the spread is small.
        rows -= np.add.reduce(rows) / n
        products = rows @ rows.T
        squares = products.diagonal()
        pairs = (squares + squares[:, None] - 2 * products)[first, second]
    place = int(CLOSEST * len(pairs))
    pairs.partition(place)
    found = float(pairs[place])
    return found if in_plane else math.sqrt(max(found, 0.0))


def _listed(column: Any) -> list[float]:
    return column if isinstance(column, list) else column.tolist()


def examples(count: int, seed: int) -> np.ndarray:
    """Which of so many real examples the samples are measured by, drawn at random."""
    return rng.permutation(rng.Stream(seed, rng.EVALUATION), 0, count)[:SAMPLES]


class Detectors:
    """The detectors of one run.

    `real` are some 48 real examples (n, *data), drawn at random, which the samples are measured by.
    """

    def __init__(self, recipe: Recipe, real: np.ndarray) -> None:
        self.recipe = recipe
        self.detections: list[Detection] = []
        self._real_spread = spread(real)
        self._rest: tuple[list[float], ...] = [], [], []
        self._weak = self._blind = 0
        self._least = float("inf")
        loss = recipe.loss
        self._loss = loss
        self._unit = WINDOW / loss.per_example(1.0, recipe.batch_size)
        tiny = recipe.flops_per_example * recipe.batch_size < TINY
        self._every = EVERY * (RARELY if tiny else 1)
        self._period = WINDOW * (SELDOM if tiny else 1)
        self._patience = (PATIENCE - 1) * self._period + WINDOW
        self._skip = 0
        self._looked = self._low = 0
        self._best = 0.0
        self._signal: float | None = None
        self._diversity: float | None = None

    def observe(self, first_step: int, trace: Trace) -> list[Detection]:
        """Take in the trace of consecutive steps, numbered from 1, as arrays or as lists; what is
        new in it."""
        n, skipped = len(trace.loss_D), self._skip
        self._skip = max(skipped - n, 0)
        if n <= skipped:
            return []
        before = len(self.detections)
        # Sums of lists: after a call of a framework nothing of this is left in the processor's
        # caches, and to fetch NumPy's functions would cost more than they save.
        loss_D, loss_G, score = self._rest
        held = len(score) - skipped
        step = first_step - 1 - held
        loss_D += _listed(trace.loss_D)[skipped:]
        loss_G += _listed(trace.loss_G)[skipped:]
        score += _listed(trace.D_G_z_after)[skipped:]
        at = 0
        while (end := at + WINDOW) <= len(score):
            level = max(abs(sum(loss_D[at:end])), abs(sum(loss_G[at:end]))) / self._unit
            last = end - 1 - held
            gap = abs(trace.D_x[last] - trace.D_G_z[last])
            self._read(step + end, level, sum(score[at:end]) / WINDOW, gap)
            at += self._period
        self._skip = max(at - len(score), 0)
        del loss_D[:at], loss_G[:at], score[:at]
        return self.detections[before:]

    def inspect(self, step: int, samples: np.ndarray) -> list[Detection]:
        """Look at samples (n, *data) drawn after that step, always from the same noise; what is
        new. Most calls return at once: a look comes every 250 steps, or 2,500 tiny ones."""
        if step - self._looked < self._every:
            return []
        found = spread(samples) / self._real_spread if self._real_spread else float("nan")
        return self._collapse(step, found if np.isfinite(found) else None)

    def fields(self) -> dict[str, Any]:
        """What a row of metrics.jsonl says: the share of its gradient that the loss passes on to G
        (over the last 100 steps read), the samples' diversity when last looked at (1 is the
        data's), and the kinds of all detections so far."""
        return {
            "G_signal": self._signal,
            "diversity": self._diversity,
            "warnings": [detection.kind for detection in self.detections],
        }

    def first_step(self, kind: str) -> int | None:
        """The step after which something of that kind was noticed."""
        return next(
            (detection.step for detection in self.detections if detection.kind == kind), None
        )

    def replay(self, trace: Trace, rows: Iterable[dict[str, Any]]) -> None:
        """Take in what a run has logged so far, from its first step: its trace and the rows of
        metrics.jsonl. What was noticed then is not said again."""
        self.observe(1, trace)
        for row in rows:
            if row["step"] - self._looked >= self._every:
                self._collapse(row["step"], row.get("diversity"))

    def _read(self, step: int, level: float, D_G_z: float, gap: float) -> None:
        """One reading: the means over a window of the larger loss per example and of a score; and
        how far D's scores of real and generated examples lie apart in its last step."""
        self._signal = self._loss.signal(D_G_z)
        if self._signal < WEAK or self._weak:
            self._saturation(step, D_G_z)
        self._blind = self._blind + 1 if gap <= ALIKE and not self._loss.energy else 0
        if self._blind >= PATIENCE:
            self._raise(
                "saturation", step,
                f"D has scored real and generated examples alike ({D_G_z:.5f}) for {self._patience}"
                " steps: it tells nothing apart, and G's gradient is rounding at best; train for"
                " less long, or anew with a tenth of --lr-D and --lr-G",
            )  # fmt: skip
        if level > UNBOUNDED or self._loss.relative:
            self._divergence(step, level)

    def _saturation(self, step: int, D_G_z: float) -> None:
        assert self._signal is not None
        self._weak = self._weak + 1 if self._signal < WEAK else 0
        if self._weak < PATIENCE:
            return
        verdict, cure = self._loss.against_saturation
        self._raise(
            "saturation", step,
            f"D(G(z)) has been {D_G_z:.2g} on average for {self._patience} steps: D is"
            f" {verdict}, and the loss passes on {self._signal:.1g} of its"
            f" gradient to G; try {cure}",
        )  # fmt: skip

    def _divergence(self, step: int, level: float) -> None:
        limit = UNBOUNDED
        if self._loss.relative:  # only growth tells
            self._least = min(self._least, level)
            limit = max(UNBOUNDED * self._loss.unit, GROWN * self._least)
        if level > limit:
            self._raise(
                "divergence", step,
                f"the losses diverge: {level:,.3g} per example on average over {WINDOW} steps;"
                " try a smaller --lr, or --r1 1",
            )  # fmt: skip

    def _collapse(self, step: int, diversity: float | None) -> list[Detection]:
        self._looked, self._diversity = step, diversity
        if diversity is None:
            return []
        self._best = max(self._best, diversity)
        self._low = self._low + 1 if diversity < LOW else 0
        before = len(self.detections)
        # An untrained G makes one thing out of all noise too: that is no collapse yet.
        if self._low >= 2 and (self._best >= HIGH or step >= NEVER):
            self._raise(
                "collapse", step,
                f"the samples have lost their diversity: the closest fifth of their pairs are"
                f" {diversity:.1%} as far apart as the data's; try {self._loss.against_collapse},"
                f" --G-updates {self.recipe.G_updates + 2}, or a smaller --lr-D",
            )  # fmt: skip
        return self.detections[before:]

    def _raise(self, kind: str, step: int, words: str) -> None:
        if self.first_step(kind) is None:
            self.detections.append(Detection(kind, step, f"step {step:,}: {words}"))
