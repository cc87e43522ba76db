"""What is measured on a GPU, as data: the most valuable first."""

from __future__ import annotations

from dataclasses import dataclass

from ganref.spec import Recipe, recipe

from ..pages import training
from ..speed.measure import PAGES

# Pages have no bfloat16. "page" is what a person would write, "fast" is ganref's.
VARIANTS = (
    ("fast", "bfloat16"),
    ("page", "float32"),
    ("fast", "float32"),
    ("fast", "tf32"),
    ("page", "tf32"),
)
TOYS = (("fast", "float32"), ("page", "float32"))


@dataclass(frozen=True)
class Sizes:
    """The frameworks that are compared, in the order in which they are measured; how large the
    networks and batches are; and how long a measurement takes: `repeats` turns of `seconds`, after
    a warm-up of one."""

    backends: tuple[str, ...]
    width: int
    batches: tuple[int, ...]
    seconds: float
    repeats: int
    minutes: float


FULL = Sizes(("torch", "jax", "tf"), 64, (1024, 256, 64), 0.5, 5, 8.0)
SMALL = Sizes(("torch", "jax"), 4, (4,), 0.05, 3, 1.0)  # on a processor: does all of it run?


@dataclass(frozen=True)
class Trial:
    """Steps on the device held against NumPy, and a run that goes on in another process."""

    backend: str
    seconds = 30.0  # a guess, until one was measured

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"tests, {self.backend}"


@dataclass(frozen=True)
class Peaks:
    """The device's own measured peaks: products in each precision, and a copy."""

    backend: str
    dtypes: tuple[str, ...]
    seconds = 20.0

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"peaks, {self.backend}"


@dataclass(frozen=True)
class Training:
    """One framework that trains one recipe in one way."""

    recipe: Recipe
    backend: str
    mode: str
    dtype: str
    seconds = 25.0

    @property
    def name(self) -> str:
        """What it is called in the results."""
        size = "" if self.recipe.stack == "toy" else f" width {self.recipe.width}"
        shape = f"{self.recipe.name}{size} batch {self.recipe.batch_size}"
        return f"{shape}, {self.backend} {self.mode} {self.dtype}"


Measurement = Trial | Peaks | Training


def measurements(sizes: Sizes, dtypes: dict[str, list[str]]) -> list[Measurement]:
    """All of them in their order; `dtypes` are what each backend has on the device."""
    own: list[Measurement] = [Trial(name) for name in dtypes]
    own += [
        Peaks(name, tuple(d for d in ("float32", "tf32", "bfloat16") if d in here))
        for name, here in dtypes.items()
    ]
    for i, batch in enumerate(sizes.batches):
        shape = recipe("dcgan").replace(batch_size=batch, width=sizes.width)
        own += _trainings(shape, VARIANTS[:2], dtypes)
        if i == 0:
            own += _trainings(recipe("gaussian"), TOYS[:1], dtypes)
        own += _trainings(shape, VARIANTS[2:], dtypes)
    return own + _trainings(recipe("gaussian"), TOYS[1:], dtypes)


def _trainings(
    shape: Recipe, variants: tuple[tuple[str, str], ...], dtypes: dict[str, list[str]]
) -> list[Measurement]:
    return [
        Training(shape, name, mode, dtype)
        for mode, dtype in variants
        for name, here in dtypes.items()
        if dtype in here and (mode not in PAGES or training.exists(shape, name))
    ]
