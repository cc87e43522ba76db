"""The notebooks that the site offers, executed as a person would, with less to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from told import TOLD

from ganref import page

nbclient = pytest.importorskip("nbclient", reason="the extra `test` has what executes notebooks")
jupytext = pytest.importorskip("jupytext", reason="the extra `docs` has what writes notebooks")

# The toy in every framework, and the smallest recipe of images in the first.
TOYS = [page.named("gaussian", framework) for framework in TOLD]
EXECUTED = TOYS + [page.named("mlp", "torch")] * ("torch" in TOLD)


@pytest.mark.parametrize("name", EXECUTED)
def test_a_notebook_trains_and_draws(name: str, tmp_path: Path) -> None:
    notebook = jupytext.reads(page.notebook(page.copy(name)), "ipynb")
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code"] * 9
    changed = 0
    for cell in notebook.cells:
        cell.source, found = re.subn(r"num_epochs=\d+", "num_epochs=1", cell.source)
        changed += found
    assert changed == 1
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    printed = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert re.search(r"^epoch 1: loss_D \d+\.\d+, loss_G \d+\.\d+$", printed, re.MULTILINE)
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
