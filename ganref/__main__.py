"""ganref: the classic GANs, once as data and the same in every framework.

`python -m ganref COMMAND`, or `ganref COMMAND`; each is also `python -m ganref.COMMAND`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import NoReturn

from .cli import run_main
from .spec import UserError

COMMANDS = ("train", "compare", "sample", "evaluate", "lab", "page", "import", "export", "doctor")
MODULES = {"import": "import_weights"}  # where a module cannot have its command's name


def module_of(name: str) -> ModuleType:
    """The module that is a command."""
    return importlib.import_module(f"ganref.{MODULES.get(name, name)}")


def listing() -> str:
    """Every command, with the line that its module begins with."""
    lines = ["usage: ganref COMMAND ...; ganref COMMAND --help says what it takes"]
    for name in COMMANDS:
        first = (module_of(name).__doc__ or "").splitlines()[0]
        lines.append(f"  {name:<9} {first.partition(': ')[2]}")
    return "\n".join(lines)


def _no_command(argv: list[str] | None) -> int:
    name = (argv or [""])[0]
    if name not in ("", "-h", "--help"):
        raise UserError(f"unknown command {name!r}; there are {', '.join(COMMANDS)}")
    print(listing())
    return 0


def main() -> NoReturn:
    """Run the command that the first argument names, with the others."""
    name, *rest = sys.argv[1:] or [""]
    if name in COMMANDS:
        run_main(module_of(name).main, f"ganref.{name}", rest)
    run_main(_no_command, "ganref", [name])


if __name__ == "__main__":
    main()
