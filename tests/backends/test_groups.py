"""Groups of a batch: what they mean, and that workers compute the same together."""

import numpy as np
import pytest
from cases import draws, grouped, groups, narrow, one_step, trace_differences, with_loss

import ganref
from ganref.draws.batches import own_rows
from ganref.spec import Recipe, UserError
from ganref.spec.formulas import grad_pulling_away, pulling_away
from ganref.spec.groups import group_size, share

CASES = groups() | {
    "dcgan": grouped(ganref.recipe("dcgan").replace(width=8, batch_size=4), 2),
    # A term that R sums with one that it does not.
    "sums": grouped(with_loss(narrow("ebgan"), repelling=0.1, reduction="sum"), 2),
    # Nothing is coupled: any number of workers, whatever the groups.
    "toy": narrow("gaussian"),
}


def _gan(backend: str, recipe: Recipe):
    weights = ganref.initial_weights(recipe)
    return ganref.load_backend(backend).create(recipe, weights, dtype="float64", compile="off")


def _part(array: np.ndarray, rank: int, workers: int, batches: int = 1) -> np.ndarray:
    return own_rows(array[None], rank, workers, batches)[0]


@pytest.mark.parametrize("name", CASES)
def test_workers_compute_it_together(backend: str, name: str) -> None:
    """Losses and gradients of a batch are the sums of two halves' (means, where R is one), and
    running statistics their means."""
    recipe = CASES[name]
    own = share(recipe, 2)
    assert own.batch_size == recipe.batch_size // 2
    (X, Z), more = one_step(recipe)
    seen = {n: mask[2 * recipe.D_updates] for n, mask in more["masks"].items()}
    found, stats = [], []
    for rank, workers in ((0, 1), (0, 2), (1, 2)):
        x, z = (_part(a, rank, workers, recipe.D_updates) for a in (X, Z))
        masks, last = (
            {n: np.stack([_part(m, rank, workers) for m in mask]) for n, mask in kept.items()}
            for kept in (more["masks"], {n: m[None] for n, m in seen.items()})
        )
        gan = _gan(backend, recipe if workers == 1 else own)
        gradients = gan.gradients(x, z, masks=masks)
        loss_D = gan.update_D(x, z, masks=masks)
        now = {n: a for n, a in gan.state().items() if n.startswith("disc") and "running" in n}
        fresh = _gan(backend, recipe if workers == 1 else own)
        loss_G = fresh.update_G(z, masks={n: m[0] for n, m in last.items()})
        now |= {f"G {n}": a for n, a in fresh.state().items() if "running" in n}
        found.append({"loss_D": loss_D, "loss_G": loss_G} | gradients)
        stats.append(now)
    factor = recipe.loss.weight(2)
    for net in ("loss", "generator", "discriminator"):
        names = [n for n in found[0] if n.startswith(net)]
        largest = max(np.abs(found[0][n]).max() for n in names)
        for n in names:
            together = factor * (found[1][n] + found[2][n])
            assert np.abs(together - found[0][n]).max() <= 1e-12 * max(largest, 2e-3), n
    for n, whole in stats[0].items():
        apart = np.abs((stats[1][n] + stats[2][n]) / 2 - whole).max()
        assert apart <= 1e-13 * max(np.abs(whole).max(), 1e-3), n


@pytest.mark.parametrize("count", [2, 4])
def test_a_few_steps_of_the_dcgan(framework: str, count: int) -> None:
    recipe = grouped(ganref.recipe("dcgan").replace(width=8, batch_size=8), count)
    (X, Z), more = draws(recipe, 2)
    weights = ganref.initial_weights(recipe)
    oracle, gan = (
        ganref.load_backend(name).create(recipe, weights, dtype="float64")
        for name in ("numpy", framework)
    )
    expected, found = (one.train_trace(X, Z, **more) for one in (oracle, gan))
    assert max(trace_differences(recipe, found, expected).values()) < 1e-9


def test_a_group_is_a_batch_of_its_own() -> None:
    recipe = grouped(narrow("dcgan32"), 2)
    Z = one_step(recipe)[0][1]
    whole = _gan("numpy", recipe)
    before = whole.state()
    samples = whole.net_G.run(Z)
    halves = [_gan("numpy", share(recipe, 2)) for _ in range(2)]
    parts = [half.net_G.run(z) for half, z in zip(halves, np.split(Z, 2), strict=True)]
    assert np.array_equal(samples, np.concatenate(parts))
    alone = _gan("numpy", grouped(recipe, 1)).net_G.run(Z)
    assert np.abs(samples - alone).max() > 1e-3 * np.abs(alone).max()
    after, states = whole.state(), [half.state() for half in halves]
    for name in (n for n in after if n.startswith("generator") and "running" in n):
        mean = (states[0][name] + states[1][name]) / 2
        assert np.abs(after[name] - mean).max() < 1e-15 and not np.array_equal(
            after[name], before[name]
        )


def test_the_repelling_term_of_groups() -> None:
    codes = np.random.default_rng(0).standard_normal((6, 4))
    parts = np.split(codes, 3)
    assert pulling_away(codes, 3) == pytest.approx(np.mean([pulling_away(p) for p in parts]))
    expected = np.concatenate([grad_pulling_away(p) for p in parts]) / 3
    assert np.array_equal(grad_pulling_away(codes, 3), expected)
    assert pulling_away(codes, 3) != pytest.approx(pulling_away(codes))


def test_groups_change_nothing_where_nothing_is_coupled() -> None:
    recipe = narrow("gaussian")
    (X, Z), more = draws(recipe, 3)
    one, other = (_gan("numpy", r) for r in (recipe, grouped(recipe, 4)))
    for a, b in zip(one.train_trace(X, Z, **more), other.train_trace(X, Z, **more), strict=True):
        assert np.array_equal(a, b)


def test_what_cannot_be_cut_or_shared_is_refused(backend: str) -> None:
    recipe = grouped(narrow("dcgan32"), 2)
    for batch, count in ((4, 3), (4, 0), (4, 8)):
        with pytest.raises(UserError, match="groups"):
            group_size(batch, count)
        with pytest.raises(UserError, match="groups"):
            grouped(recipe, 2).replace(norm=ganref.spec.Norm(groups=count))
    gan, Z = _gan(backend, recipe), np.zeros((3, 100))
    with pytest.raises(UserError, match="a batch of 3 is not cut into 2"):
        gan.generate(Z, batch_stats=True)
    assert gan.generate(Z).shape == (3, 1, 32, 32)  # in inference there are no groups
    assert gan.discriminate(np.zeros((3, 1, 32, 32))).shape == (3,)


def test_workers_share_whole_groups() -> None:
    with pytest.raises(UserError, match="3 workers cannot share 2 groups"):
        share(grouped(narrow("dcgan32"), 2), 3)
    with pytest.raises(UserError, match="3 workers cannot share a batch of 8"):
        share(narrow("gaussian"), 3)
    with pytest.raises(UserError, match="at least 1"):
        share(narrow("gaussian"), 0)
    assert share(grouped(narrow("dcgan32"), 4), 2).norm.groups == 2
