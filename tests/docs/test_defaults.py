"""docs/defaults.md is what the installed frameworks say today."""

from told import TOLD

from docs.make_defaults import PAGE, PROBES, SECTIONS, columns, page, read


def test_the_table_of_defaults_is_not_stale() -> None:
    """Every column of a framework that this run was told to have, its version included."""
    text = PAGE.read_text(encoding="utf-8")
    found, told = read(text), [name for name in PROBES if name in TOLD]
    cure = "python -m docs.make_defaults"
    for heading, cells in columns(told).items():
        assert heading in found, f"docs/defaults.md is not about {heading}; run {cure}"
        wrong = {
            r: (found[heading].get(r), c) for r, c in cells.items() if found[heading].get(r) != c
        }
        assert not wrong, f"{heading} (page, truth): {wrong}; run {cure}"
    # The text around the cells is the script's too.
    assert page(found) == text, f"run {cure}"


def test_every_row_is_asked_of_everybody() -> None:
    rows = {row for names in SECTIONS.values() for row in names}
    cells = read(PAGE.read_text(encoding="utf-8"))
    assert len(cells) == 1 + len(PROBES)
    assert all(set(column) == rows for column in cells.values())
