"""What the commands share: options, one-line errors, exit codes, and setting a run up."""

from .joined import begin_together, follow, hand_out, joined
from .launch import place, start
from .main import (
    SEED,
    THREADS,
    Parser,
    between,
    path,
    positive,
    progress_options,
    run_main,
    shows_bar,
)
from .options import (
    DEFINING,
    build_recipe,
    reading,
    reading_options,
    recipe_options,
    with_data,
)
from .runs import (
    check_changes,
    data_of,
    generate,
    generate_rows,
    new_run,
    restore,
    resumed_run,
    trained,
)
from .start import check_memory, create, machine, pick_device, prepare_threads, versions

__all__ = [
    "DEFINING",
    "Parser",
    "SEED",
    "THREADS",
    "begin_together",
    "between",
    "build_recipe",
    "check_changes",
    "check_memory",
    "create",
    "data_of",
    "follow",
    "generate",
    "generate_rows",
    "hand_out",
    "joined",
    "machine",
    "new_run",
    "path",
    "pick_device",
    "place",
    "positive",
    "prepare_threads",
    "progress_options",
    "reading",
    "reading_options",
    "recipe_options",
    "restore",
    "resumed_run",
    "run_main",
    "shows_bar",
    "start",
    "trained",
    "versions",
    "with_data",
]
