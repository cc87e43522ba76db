"""What a framework's releases are for, and how a person gets what is optional here."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Releases:
    """What the releases of a framework are for, where that is not everything: the last Python, the
    processor (as `platform.machine()` has it), the major version of NumPy, and the newest compute
    capability that the last build for GPUs has code for."""

    python: tuple[int, int] | None = None
    machine: str = ""
    numpy: int = 0
    newest_gpu: float = 0.0

    def why_not(self) -> str:
        """Why there is none for this Python and processor; empty if there may be one."""
        python, machine = sys.version_info[:2], platform.machine()
        if (self.python is None or python <= self.python) and self.machine in ("", machine):
            return ""
        last = f"Python up to {_dotted(self.python)}" if self.python else ""
        where = " on ".join(filter(None, (last, self.machine)))
        here = f"Python {_dotted(python)}" + (f" on {machine}" if self.machine else "")
        return f"its last release is for {where} only, and this is {here}"


def how_to_install(extra: str, releases: Releases | None = None) -> str:
    """pip's command for an extra of ganref, or why it would not help. In a checkout it has the
    pins, those of the NumPy that the framework needs or else of the one that is here."""
    releases = releases or Releases()
    if why_not := releases.why_not():
        return why_not
    numpy = releases.numpy or int(np.__version__.partition(".")[0])
    pins = ROOT / ("constraints.txt" if numpy < 2 else "constraints-numpy2.txt")
    if not pins.is_file():  # installed from a wheel
        return f"pip install 'ganref[{extra}]'"
    if ROOT.samefile(os.curdir):
        return f"pip install -c {pins.name} -e '.[{extra}]'"
    return f"pip install -c {shlex.quote(str(pins))} -e {shlex.quote(f'{ROOT}[{extra}]')}"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
