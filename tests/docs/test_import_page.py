"""docs/import.md shows what the command prints."""

from __future__ import annotations

from pathlib import Path

from docs.making import imports, read
from ganref.exchange import profiles

PAGE = (Path(__file__).parents[2] / "docs" / "import.md").read_text()


def test_the_list_is_what_the_command_prints() -> None:
    assert f"```text\n{profiles.listing()}\n```" in PAGE


def test_the_map_is_what_the_command_prints() -> None:
    lines = imports.taken("tf-tutorial", "TensorFlow", "G").lines
    table = [line for line in lines if line.startswith(("theirs", "generator/"))]
    assert len(table) == 17 and "```text\n" + "\n".join(table) + "\n```" in PAGE


def test_every_profile_that_is_carried_has_its_row_in_the_matrix() -> None:
    figures = read("imports")["figures"]
    wanted = {", ".join(row) for row in imports.rows()}
    assert all(set(cells) == wanted for cells in figures.values())
    carried = {name for name, profile in profiles.PROFILES.items() if not profile.lacks}
    assert {row.partition(",")[0] for row in wanted} == carried
    assert all(0 < number < 1e-5 for cells in figures.values() for number in cells.values())


def test_a_row_measured_anew_is_what_it_was() -> None:
    row = ("tf-tutorial", "TensorFlow", "G")
    (number,) = imports.measure("numpy", [row]).values()
    kept = read("imports")["figures"]["numpy"][", ".join(row)]
    assert kept / 4 < number < 4 * kept  # rounding, which other machines have otherwise
