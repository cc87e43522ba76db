"""What the site shows of a recipe is what the spec, the pages and NumPy say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import ganref

pytest.importorskip("sphinx", reason="the extra `docs` has what builds the site")

from docs._ext import mathematics, networks, pages, sides, tables, trace  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"
RECIPES = list(pages.pages())


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_that_has_pages_has_two_of_the_site(name: str) -> None:
    text = (DOCS / "recipes" / f"{name}.md").read_text()
    assert "```python" not in text, "code comes from the tested files"
    for directive in ("facts", "losses", "networks", "trace", "notebooks", "cells"):
        assert f"```{{{directive}}} {name}\n" in text
    assert (
        f"{{side-by-side}} {name}\n" in (DOCS / "recipes" / f"{name}-side-by-side.md").read_text()
    )


@pytest.mark.parametrize("name", RECIPES)
def test_the_table_of_layers_is_the_spec_s(name: str) -> None:
    for network in ganref.recipe(name).networks:
        rows = tables.layers(network).splitlines()[2:]
        cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
        assert [row[-2] for row in cells[:-1]] == [tables.shape(s) for s in network.shapes]
        counts = [int(row[-1].strip("*").replace(",", "")) for row in cells if row[-1]]
        assert sum(counts[:-1]) == counts[-1] == network.num_parameters


@pytest.mark.parametrize("name", RECIPES)
def test_the_picture_has_every_step_and_shape(name: str) -> None:
    for network in ganref.recipe(name).networks:
        found = re.findall(r'class="shape"[^>]*>([^<]+)<', networks.draw(network))
        steps = networks.stages(network)
        assert found == [tables.shape(s) for s in (network.shapes[0], *(x.out for x in steps))]
        assert steps[-1].out == network.output_shape


@pytest.mark.parametrize("name", RECIPES)
def test_each_step_of_a_trace_names_code_in_each_framework(name: str) -> None:
    for step in trace.SHOWN:
        found = trace.code(name, step)
        assert list(found) == pages.frameworks(name) and all(found.values()), (step, found)


@pytest.mark.parametrize("name", ["gaussian", "mlp", "dcgan32", "ebgan"])
def test_a_trace_s_numbers_follow_from_each_other(name: str) -> None:
    """The formulas that stand beside them, once more."""
    recipe = trace.small(name).replace(**({} if name == "gaussian" else {"width": 4}))
    n = trace.compute(recipe)
    a, adam, loss = n.arrays, recipe.adam_D, recipe.loss
    terms = loss.terms_D(a["real_Y"], a["fake_Y"])
    reduced = terms.sum() if loss.reduction == "sum" else terms.mean()
    assert a["loss_D"] == pytest.approx(loss.scale_D * reduced, rel=1e-12)
    assert a["m"] == pytest.approx((1 - adam.beta1) * a["grad"], rel=1e-12)
    assert a["v"] == pytest.approx((1 - adam.beta2) * a["grad"] ** 2, rel=1e-12)
    moved = adam.lr * a["grad"] / (abs(a["grad"]) + adam.eps)
    assert a["after"] == pytest.approx(a["before"] - moved, rel=1e-9)
    terms = loss.terms_G(a["fake_Y_after"])
    reduced = terms.sum() if loss.reduction == "sum" else terms.mean()
    assert a["loss_G"] == pytest.approx(reduced, rel=1e-12)


def test_a_trace_begins_with_the_run_s_own_draws() -> None:
    n = trace.compute(ganref.recipe("gaussian"))
    W, b = (ganref.initial_weights(n.recipe)[f"generator.0.{p}"] for p in ("weight", "bias"))
    np.testing.assert_allclose(n.arrays["fake"], n.arrays["Z"] @ W.T + b, rtol=1e-12)


# Side by side.


@pytest.mark.parametrize("name", RECIPES)
def test_every_line_of_both_sides_is_shown_once_and_in_its_order(name: str) -> None:
    first, second = sides.first(name)
    for one, other in zip(
        *(pages.cells(pages.file(name, f)) for f in (first, second)), strict=True
    ):
        codes = one.code.splitlines(), other.code.splitlines()
        rows = list(sides.aligned(*codes))
        for side, lines in enumerate(codes):
            assert [row[side] for row in rows if row[side] is not None] == list(range(len(lines)))
        same = [codes[0][i] == codes[1][j] for i, j in rows if i is not None and j is not None]
        assert any(same) or one.heading == "Loss" or "import" in one.code


def test_words_that_differ_are_marked_and_no_others() -> None:
    one, other = "    x = torch.randn(3)  # a", "        x = tf.random(3)  # a"
    marks = sides.differences(one, other)
    text = [[line[a:b] for a, b in m] for line, m in zip((one, other), marks, strict=True)]
    assert [t for t in text[0] if t.strip()] == ["torch", "randn"]
    assert [t for t in text[1] if t.strip()] == ["tf", "random"]


def test_a_marked_line_is_still_the_line() -> None:
    line = 'y = f("a < b")  # and <more>'
    (pieces,) = sides.coloured(line)
    html = sides.marked(pieces, [(0, 1), (6, 12)])
    plain = re.sub(r"<[^>]+>", "", html).replace("&lt;", "<").replace("&gt;", ">")
    assert plain.replace("&amp;", "&") == line
    assert html.count("<mark>") >= 2


def test_the_space_in_front_of_a_line_is_its_indentation() -> None:
    (pieces,) = sides.coloured('    """Words."""')
    assert re.sub(r"<[^>]+>", "", sides.marked(pieces, [], 4)) == '"""Words."""'


def test_like_lines_stand_beside_each_other() -> None:
    left = ["a = Adam(net_D.parameters(), lr)", "b = 1"]
    right = ["keras.Input((2,))", "a = Adam(lr, epsilon=1e-8)", "b = 1"]
    assert list(sides.aligned(left, right)) == [(None, 0), (0, 1), (1, 2)]
    # A function beside that of its name, whatever stands before it.
    left, right = ["def f(X, Z):", "    y = f(X)"], ["def g(X, Z):", "    a = b", "def f(X, Z, t):"]
    assert (0, 2) in sides.aligned(left, right)


# Mathematics.


def test_a_formula_that_is_not_understood_is_no_page() -> None:
    assert "<mfrac>" in mathematics.mathml(r"\frac{1}{2}", "block")
    with pytest.raises(ValueError, match="more than latex2mathml takes"):
        mathematics.mathml(r"\begin{aligned} a &= b \end{aligned}", "block")


def test_a_function_stands_apart_from_its_argument() -> None:
    assert '<mi>log</mi><mspace width="0.167em"/><mi>D</mi>' in mathematics.mathml(
        r"\log D", "inline"
    )
