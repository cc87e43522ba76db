"""The options that say which GAN: what they become, and what is refused."""

import argparse
import importlib
import re

import pytest

from ganref import cli, train
from ganref.cli.options import DEFINING, LOSS_OPTIONS, LOSSES
from ganref.spec import Recipe, UserError, recipe


def _built(words: str) -> Recipe:
    p = cli.Parser(prog="test", argument_default=argparse.SUPPRESS)
    cli.recipe_options(p)
    return cli.build_recipe(vars(p.parse_args(words.split())))


def test_what_says_which_gan_belongs_to_the_run() -> None:
    p = cli.Parser(prog="test")
    cli.recipe_options(p)
    assert {action.dest for action in p._actions} - {"help", "data"} <= set(DEFINING)
    fields = {name for kind in LOSSES.values() for name in kind.__dataclass_fields__}
    assert {field for field, _ in LOSS_OPTIONS.values()} <= fields


def test_options_are_numbers_of_the_loss() -> None:
    loss = _built("--generator-loss minimax --label-smoothing 0.25 --r1 0.5").loss
    assert (loss.generator, loss.real_label, loss.r1) == ("minimax", 0.75, 0.5)
    assert (loss.reduction, loss.scale_D) == ("sum", 0.5)
    loss = _built("--recipe ebgan --margin 2 --repelling 0.1").loss
    assert (loss.margin, loss.repelling) == (2, 0.1)


def test_the_loss_that_a_recipe_has_is_no_change() -> None:
    assert _built("--recipe dcgan32 --loss bce") == recipe("dcgan32")
    assert _built("--recipe ebgan --loss margin --margin 3").loss.margin == 3


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("bce", "margin")])
def test_another_loss_keeps_what_every_loss_has(name: str) -> None:
    toy, mlp = _built(f"--loss {name} --r1 0.5"), _built(f"--recipe mlp --loss {name}")
    assert type(toy.loss) is type(mlp.loss) is LOSSES[name]
    assert (toy.loss.reduction, toy.loss.scale_D, toy.loss.r1) == ("sum", 0.5, 0.5)
    assert (mlp.loss.reduction, mlp.loss.scale_D, mlp.loss.r1) == ("mean", 0.5, 0.0)
    # A sigmoid head is binary cross-entropy's.
    assert (recipe("mlp").head, mlp.head) == ("sigmoid", "logits")


@pytest.mark.parametrize(
    "words, says",
    [
        ("--margin 2", "--margin has no effect on the loss bce; it is an option of margin$"),
        ("--repelling 0.1", "--repelling has no effect on the loss bce; it is an option of margin"),
        ("--recipe ebgan --label-smoothing 0.1", "--label-smoothing has no effect on the loss "
         "margin; it is an option of bce"),
        ("--recipe ebgan --generator-loss minimax", "option of bce"),
        ("--loss wasserstein-2", "unknown loss 'wasserstein-2'; there are bce, margin"),
        ("--loss margin", "energy"),
        ("--recipe ebgan --loss bce", "energy"),
        ("--recipe mlp --loss margin", "energy"),
        ("--resume run --loss bce", "--loss cannot change with --resume"),
    ],
)  # fmt: skip
def test_a_loss_that_does_not_fit_is_refused(words: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        train.main([*words.split(), "--quiet"])
    assert re.search(says, str(caught.value)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("words", ["--r1 nan", "--r1 inf", "--repelling nan", "--ema inf"])
def test_numbers_are_in_their_range(words: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        train.main(words.split())
    assert "must be from 0 to" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "a\x00b", "n" * 300, "n/" * 3000])
@pytest.mark.parametrize("words", ["train --run-dir", "train --resume", "compare --out", "sample"])
def test_what_names_no_file_is_refused(
    words: str, name: str, capsys: pytest.CaptureFixture
) -> None:
    command, *more = words.split()
    with pytest.raises(SystemExit) as caught:
        importlib.import_module(f"ganref.{command}").main([*more, name])
    said = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2 and len(said) == 1 and "names no file" in said[0]


def test_small_steps_have_one_thread_unless_more_are_asked_for() -> None:
    """A second one only waits for the first: ten times as long where the machine has other work."""
    assert cli.useful_threads(recipe("gaussian"), 2, None) == 1
    assert cli.useful_threads(recipe("gaussian"), 2, 2) == 2
    assert cli.useful_threads(recipe("mlp"), 2, None) == 2
