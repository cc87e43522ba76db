"""What data may need beyond NumPy, imported when it is used."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from ..spec.errors import UserError


class Bar(Protocol):
    """The little of tqdm that is used here."""

    def update(self, n: int) -> Any:
        """Go on by n."""

    def close(self) -> None:
        """Take the bar away."""


class _NoBar:
    def update(self, n: int) -> None: ...

    def close(self) -> None: ...


def require(module: str, package: str, purpose: str) -> Any:
    """Import an optional module. Raises UserError, with the cure, if it is missing or broken."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{purpose} needs {package}, which is not installed; pip install 'ganref[data]'"
        ) from error


def progress_bar(show: bool, total: int | None, what: str, unit: str, initial: int = 0) -> Bar:
    """A bar on stderr where a person looks at it and tqdm is there; else one that does nothing."""
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar()
    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=unit,
        unit_scale=unit == "B",
        leave=False,
        # None: only on a terminal.
        disable=None if show else True,
    )
