"""What more workers gain: the model, the reader, the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from told import TOLD

from benchmarks.scaling import __main__ as scaling
from benchmarks.scaling import page
from benchmarks.scaling.model import Link, fitted
from checks.kill_workers import ENGINES
from ganref.spec import UserError, recipe
from ganref.spec.recipes import num_parameters


def test_the_ring() -> None:
    """By hand: 4 workers and 1,000 bytes are 6 turns of 250 bytes."""
    link = Link(latency_s=1e-3, bytes_per_s=1e5)
    assert link.sum_s(1000, 1) == 0
    assert link.sum_s(1000, 4) == pytest.approx(6 * (1e-3 + 250 / 1e5))
    assert link.step_s(0.5, [1000, 1000], 4) == pytest.approx(0.5 + 2 * link.sum_s(1000, 4))


def test_a_link_is_found_from_its_sums() -> None:
    link = Link(2e-4, 3e8)
    points = [(size, w, link.sum_s(size, w)) for size in (4, 2**16, 2**22) for w in (2, 4)]
    found = fitted(points)
    assert found.latency_s == pytest.approx(2e-4) and found.bytes_per_s == pytest.approx(3e8)


def test_a_prediction_says_what_it_sums() -> None:
    """One GPU sums nothing, and efficiency falls with the number of them."""
    base = recipe("dcgan")
    lines = [line.split(" | ") for line in page.predicted(base, num_parameters(base))[2:]]
    assert [line[0].removeprefix("| ") for line in lines][:2] == ["1", "8"]
    for column in (2, 4):
        shares = [int(line[column].rstrip(" |%")) for line in lines]
        assert shares[0] == 100 and shares == sorted(shares, reverse=True)


def test_every_update_sums() -> None:
    """dcgan32 has two of G for each of D."""
    base = recipe("dcgan32")
    row = {"parameters": num_parameters(base), "updates": (base.D_updates, base.G_updates)}
    n_G, n_D = num_parameters(base)
    assert page.vectors(row) == [4 * n_D, 4 * n_G, 4 * n_G]


def test_a_worker_s_own() -> None:
    found = scaling.shapes(recipe("dcgan32"), 2)
    assert [whole.batch_size for whole in found.values()] == [128, 256]
    assert all(whole.norm.groups == 2 for whole in found.values())
    with pytest.raises(UserError, match="a batch of 128 is not cut into 3"):
        scaling.shapes(recipe("dcgan32"), 3)


@pytest.mark.parametrize("name", [n for n in ENGINES if n in TOLD][:1])
def test_workers_are_timed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out, text = tmp_path / "out", tmp_path / "scaling.md"
    argv = ["--recipe", "gaussian", "--backends", name, "--repeats", "1", "--seconds", "0.05"]
    assert scaling.main([*argv, "--out", str(out), "--page", str(text)]) == 0
    rows = json.loads((out / "scaling.json").read_text())["rows"]
    assert [(r["scaling"], r["workers"]) for r in rows] == [
        ("strong", 1),
        ("strong", 2),
        ("weak", 2),
    ]
    alone, *several = rows
    assert alone["efficiency"] == 1
    for row in several:
        gradients = sum(page.vectors(row))
        # Losses and scores come once a call, of 125 steps here; gradients once an update.
        assert gradients < row["bytes_per_step"] < gradients + 8 * 10
        assert 2 < row["sums_per_step"] < 2.1 and 0 < row["collectives"] < 1
        assert row["step_s"]["median"] > 0 and row["off"] > -1
    assert "**A prediction: no GPU" in text.read_text()
    assert "in sums" in capsys.readouterr().out
