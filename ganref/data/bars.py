"""A progress bar where there is a person to look at it."""

from __future__ import annotations

from typing import Any, Protocol


class Bar(Protocol):
    """The little of tqdm that is used here."""

    def update(self, n: int) -> Any:
        """Go on by n."""

    def close(self) -> None:
        """Take the bar away."""


class _NoBar:
    def update(self, n: int) -> None: ...

    def close(self) -> None: ...


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
