"""`--groups`: into the recipe, the run and what is shown of it; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cases import grouped, narrow

import ganref
from ganref import cli, compare, sample, train
from ganref.exchange.card import Origin, _facts
from ganref.spec import UserError
from ganref.spec.serial import from_dict, to_dict
from ganref.training.checkpoint import load_latest
from ganref.training.run import RunDirectory

DCGAN32 = ["--recipe", "dcgan32", "--width", "4", "--batch-size", "4"]


def _train(*args: object) -> None:
    assert train.main([str(a) for a in (*args, "--quiet")]) == 0


def test_groups_are_the_recipes(tmp_path: Path) -> None:
    """In checkpoint and configuration, and kept by a resumed run to the last bit."""
    whole, parts, usual = (tmp_path / name for name in ("whole", "parts", "usual"))
    _train(*DCGAN32, "--groups", 2, "--steps", 4, "--run-dir", whole)
    _train(*DCGAN32, "--groups", 2, "--steps", 2, "--run-dir", parts)
    with pytest.raises(UserError, match="--groups cannot change with --resume"):
        _train("--resume", parts, "--groups", 1)
    _train("--resume", parts, "--steps", 4)
    _train(*DCGAN32, "--steps", 4, "--run-dir", usual)
    made, again, other = (load_latest(run / "checkpoints") for run in (whole, parts, usual))
    assert made.recipe.norm.groups == again.recipe.norm.groups == 2
    assert RunDirectory(whole).read_config().recipe == made.recipe
    for name, array in made.state.items():
        assert np.array_equal(again.state[name], array), name
    first = "discriminator.2.weight"
    assert not np.array_equal(other.state[first], made.state[first])
    with pytest.raises(UserError, match="a batch of 9 is not cut into 2 equal groups"):
        sample.main([str(whole), "--batch-stats", "--num", "9", "--out", str(tmp_path / "a.png")])


def test_a_recipe_without_groups_is_the_text_that_it_was() -> None:
    """What was written before there were any is read as one group, and nothing is added to it."""
    recipe = narrow("dcgan32")
    text = to_dict(recipe)
    assert "groups" not in text["norm"] and from_dict(text) == recipe
    assert "groups" not in recipe.summary() and "batch 4," in recipe.summary()
    cut = grouped(recipe, 2)
    assert (
        to_dict(cut)["norm"]["groups"] == 2
        and from_dict(json.loads(json.dumps(to_dict(cut)))) == cut
    )
    assert "batch 4 in 2 groups," in cut.summary()
    # A tab has numbers of its own for the normalisation; groups are beside them.
    built = cli.build_recipe({"recipe": "dcgan", "tab": "mxnet", "groups": 4})
    mxnet = ganref.with_tab(ganref.recipe("dcgan"), "mxnet").norm
    assert built.norm == grouped(ganref.recipe("dcgan").replace(norm=mxnet), 4).norm


def test_the_card_says_groups() -> None:
    origin = Origin(grouped(narrow("dcgan32"), 2), 5, 0, "digits", "", "numpy", {})
    assert ("steps", "5 of batch 4 in 2 groups") in _facts(origin)


@pytest.mark.parametrize(
    "words, says",
    [
        ("--groups 3", "a batch of 8 is not cut into 3 equal groups; 2 would divide it"),
        ("--groups 0", "argument --groups"),
        ("--recipe ebgan --repelling 0.1 --batch-size 4 --groups 4", "use groups of at least 2"),
    ],
)
def test_bad_groups_are_one_line(
    words: str, says: str, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    argv = [*words.split(), "--steps", "1", "--run-dir", str(tmp_path / "run"), "--quiet"]
    with pytest.raises(SystemExit) as caught:
        cli.run_main(train.main, "ganref.train", argv)
    (said,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2 and says in said and not (tmp_path / "run").exists()


def test_compare_with_groups(framework: str, tmp_path: Path) -> None:
    argv = [*DCGAN32, "--groups", "2", "--backends", f"numpy,{framework}", "--steps", "2"]
    assert compare.main([*argv, "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "compare.json").read_text())
    assert report["agrees"]
