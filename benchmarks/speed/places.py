"""Where weights and losses lie: what is timed as a GPU's must not have been made on a processor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from ganref.spec import UserError

Lain = dict[str, set[str]]  # what -> the devices that hold any of it


@contextlib.contextmanager
def watching(backend: str, gan: Any) -> Iterator[Lain]:
    """During a call of `gan`, a backend's or a page's: where its losses come to lie, and then where
    its weights and statistics are. Nothing, for a backend that no driver speaks for."""
    from ..pages.drivers import DRIVERS
    from ..pages.training import PageGAN

    if backend not in DRIVERS:
        yield {}
        return
    lain: Lain = {"losses": set(), "weights": set()}
    if isinstance(gan, PageGAN):
        driver = gan.driver
        with contextlib.ExitStack() as stack:
            for name in ("loss", "update_D", "update_G"):
                spied = _spied(getattr(gan.page, name), driver, lain["losses"])
                stack.enter_context(mock.patch.object(gan.page, name, spied))
            yield lain
        tensors = [tensor for held in gan.held for tensor in held]
    else:
        driver = DRIVERS[backend]()
        with mock.patch.object(gan, "_steps", _spied(gan._steps, driver, lain["losses"])):
            yield lain
        tensors = [
            tensor
            for net, trainer in ((gan.net_D, gan.trainer_D), (gan.net_G, gan.trainer_G))
            for tensor in (net.trained | net.stats | trainer.tensors()).values()
        ]
    lain["weights"] = {driver.place(tensor) for tensor in tensors}


def check(lain: Lain, device: str) -> None:
    """Raises UserError unless weights and losses were seen on that device, and nowhere else."""
    for what, where in lain.items():
        if where != {device}:
            found = ", ".join(sorted(where)) or "nowhere that could be seen"
            raise UserError(f"its {what} should lie on {device}, not on {found}")


def _spied(function: Any, driver: Any, seen: set[str]) -> Any:
    def spied(*args: Any, **how: Any) -> Any:
        made = function(*args, **how)
        # Numbers lie nowhere, and what a compiler follows not yet.
        places = map(driver.place, made if isinstance(made, tuple) else (made,))
        seen.update(place for place in places if place)
        return made

    return spied
