"""The detectors: each fires in its lab, says so once, and is silent where nothing is wrong."""

import json
import time

import numpy as np
import pytest
from cases import narrow, with_loss

import ganref
from ganref import data
from ganref.draws import batches, rng
from ganref.labs import collapse
from ganref.spec import Adam, Recipe, on_data
from ganref.spec.steps import Trace
from ganref.training import detectors


def watched(
    recipe: Recipe, name: str, steps: int, seed: int = 0, backend: str = "numpy"
) -> tuple[detectors.Detectors, Trace, list[dict]]:
    """A run as the loop makes it, with its detectors: (watch, trace, rows of metrics)."""
    dataset = data.load(name, recipe, seed, progress=False)
    source = batches.Source(recipe, dataset, seed, "float32")
    weights = ganref.initial_weights(recipe, seed)
    gan = ganref.load_backend(backend).create(recipe, weights)
    watch = detectors.Detectors(recipe, dataset.batch(np.arange(detectors.SAMPLES)))
    noise = rng.latent(recipe, rng.Stream(seed, rng.PICTURES), range(1), (64,))[0]
    traces, rows = [], []
    for chunk in batches.plan(source, 0, steps, None):
        batch = source.draw(chunk)
        traces.append(gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks))
        watch.observe(chunk.start + 1, traces[-1])
        if chunk.stop % source.steps_per_epoch == 0:
            watch.inspect(chunk.stop, gan.generate(noise))
            rows.append({"step": chunk.stop, **watch.fields()})
    return watch, Trace(*map(np.concatenate, zip(*traces, strict=True))), rows


def trace_of(
    steps: int, loss_D: float = 1.0, loss_G: float = 1.0, D_G_z: float = 0.5, D_x: float = 0.6
) -> Trace:
    columns = (loss_D, loss_G, D_x, D_G_z, D_G_z)
    return Trace(*(np.full(steps, value) for value in columns))


RING = ganref.recipe("ring").replace(width=32, batch_size=64)


@pytest.mark.parametrize("generator", ["minimax", "non_saturating"])
def test_saturation_fires_in_its_lab(generator: str) -> None:
    """G as good as held, D trained: only minimax's gradient vanishes."""
    held = with_loss(RING, generator=generator).replace(
        adam_D=Adam(1e-2, 0.5), adam_G=Adam(1e-12, 0.5)
    )
    watch, trace, _ = watched(held, "ring", 600)
    assert trace.D_G_z_after[-1] < detectors.WEAK
    if generator == "non_saturating":
        assert not watch.detections
        return
    (detection,) = watch.detections
    assert detection.kind == "saturation" and 300 <= detection.step <= 600
    assert f"step {detection.step:,}" in detection.words and "non_saturating" in detection.words
    assert watch.fields()["G_signal"] == pytest.approx(trace.D_G_z_after[500:600].mean())


def test_saturation_is_the_formula_s_derivative() -> None:
    fooled = detectors.Detectors(ganref.recipe("ring"), np.zeros((2, 2)))
    (detection,) = fooled.observe(1, trace_of(300, D_G_z=0.995))
    assert "fooled" in detection.words and fooled.fields()["G_signal"] == pytest.approx(0.005)
    energy = detectors.Detectors(on_data(ganref.recipe("ebgan"), "ring", True), np.zeros((2, 2)))
    assert not energy.observe(1, trace_of(1000, D_G_z=0.0))


def test_saturation_is_a_d_that_scores_everything_alike() -> None:
    """And neither scores that happen to be equal now and then, nor equal energies."""

    def detections(recipe: Recipe, *gaps: float) -> list[detectors.Detection]:
        watch, found = detectors.Detectors(recipe, np.zeros((2, 2))), []
        for i, gap in enumerate(gaps):
            found += watch.observe(100 * i + 1, trace_of(100, D_x=0.5 + gap))
        return found

    ring = ganref.recipe("ring")
    (detection,) = detections(ring, 1e-3, 0.0, 2e-7, -2e-7, 0.0)
    assert (detection.kind, detection.step) == ("saturation", 400) and "--lr-D" in detection.words
    assert not detections(ring, 0.0, 0.0, 1e-5, 0.0, 0.0, -1e-5)
    assert not detections(on_data(ganref.recipe("ebgan"), "ring", True), *[0.0] * 9)


def test_saturation_fires_where_the_toy_comes_to_a_stop() -> None:
    watch, _, rows = watched(ganref.recipe("gaussian"), "gaussian", 20_000, seed=1)
    assert [detection.kind for detection in watch.detections] == ["saturation"]
    assert "alike" in watch.detections[0].words and watch.detections[0].step > 5 * 2500
    assert rows[-1]["warnings"] == ["saturation"]


@pytest.mark.parametrize("chunks", [[2000], [1] * 2000, [125] * 16, [99, 1, 499, 1, 500, 900]])
def test_scores_are_compared_at_the_same_steps_however_a_run_is_cut(chunks: list[int]) -> None:
    trace = trace_of(2000)
    trace.D_x[[99, 599, 1099]] = trace.D_G_z[0]  # the last steps of the toy's readings
    watch, at = detectors.Detectors(ganref.recipe("gaussian"), np.zeros((2, 2))), 0
    for n in chunks:
        watch.observe(at + 1, Trace(*(column[at : at + n] for column in trace)))
        at += n
    assert [detection.step for detection in watch.detections] == [1100]


@pytest.mark.parametrize("seed", [0, 1])
def test_collapse_fires_in_its_lab_and_not_where_it_was_cured(seed: int) -> None:
    games = collapse.recipes()
    ill, _, rows = watched(games[collapse.PLAIN], "ring", collapse.STEPS, seed)
    assert [detection.kind for detection in ill.detections] == ["collapse"]
    assert "--r1" in ill.detections[0].words
    assert rows[-1]["diversity"] < detectors.LOW and rows[-1]["warnings"] == ["collapse"]
    well, _, rows = watched(games["R1 = 0.1"], "ring", 1500, seed)
    assert not well.detections and rows[-1]["diversity"] > detectors.HIGH


@pytest.mark.parametrize("seed", [0, 1])
def test_divergence_fires_in_its_lab(seed: int) -> None:
    fast = RING.replace(adam_D=Adam(1.0, 0.5), adam_G=Adam(1.0, 0.5))
    watch, _, _ = watched(fast, "ring", 600, seed)
    assert watch.detections[0].kind == "divergence" and "--lr" in watch.detections[0].words


def test_divergence_counts_per_example_and_in_margins() -> None:
    def detections(recipe: Recipe, *levels: float) -> list[detectors.Detection]:
        watch = detectors.Detectors(recipe, np.zeros((2, 2)))
        return [a for v in levels for a in watch.observe(1, trace_of(100, loss_G=v))]

    ring, toy = ganref.recipe("ring"), ganref.recipe("gaussian")
    energy = with_loss(on_data(ganref.recipe("ebgan"), "ring", True), margin=10.0)
    assert detections(ring, 60) and not detections(ring, 40)
    assert not detections(toy, 60) and detections(toy, 480)
    assert (
        not detections(energy, 1, 60)
        and not detections(energy, 900, 600)
        and detections(energy, 1, 600)
    )
    # A critic's scores may drift together, nobody can tell how far; growth without end may not.
    critic = on_data(ganref.recipe("wgan-gp"), "ring", True)
    assert not detections(critic, 1, 600, 4900) and detections(critic, 1, 600, 5100)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_toy_s_default_run_is_silent(seed: int) -> None:
    watch, _, rows = watched(ganref.recipe("gaussian"), "gaussian", 2500, seed)
    assert not watch.detections
    assert rows[-1]["diversity"] > 0.5 and rows[-1]["G_signal"] == pytest.approx(0.5, abs=0.1)


# As long as NumPy makes bearable: the narrow networks at the recipes' own rates.
@pytest.mark.parametrize(
    "name, steps",
    [("ring", 2500), ("mlp", 1200), ("dcgan", 120), ("dcgan-nyu", 120), ("dcgan32", 150),
     ("ebgan", 120)],
)  # fmt: skip
def test_other_recipes_are_silent(name: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RING if name == "ring" else narrow(name)
    if len(recipe.data_shape) == 3:
        recipe = recipe.replace(data_shape=(1, *recipe.data_shape[1:]))
        monkeypatch.setattr(data.Dataset, "__len__", lambda self: 50 * recipe.batch_size)
    # More and earlier readings than a run this short would give.
    monkeypatch.setattr(detectors, "EVERY", min(detectors.EVERY, steps // 5))
    monkeypatch.setattr(detectors, "WINDOW", min(detectors.WINDOW, steps // 5))
    watch, trace, _ = watched(recipe, recipe.data, steps)
    assert np.isfinite(trace.loss_D).all()
    assert not watch.detections


def test_ebgan_on_points_is_silent() -> None:
    recipe = on_data(ganref.recipe("ebgan"), "gaussian", True).replace(width=16)
    watch, _, _ = watched(recipe, "gaussian", 1000)
    assert not watch.detections


@pytest.mark.parametrize("name, high", [("ring", 0.02), ("gaussian", 0.018)])
def test_how_a_run_is_cut_into_chunks_does_not_matter(name: str, high: float) -> None:
    generator = np.random.default_rng(0)
    k = 2345
    trace = Trace(*generator.uniform(0, high, (5, k)).astype(np.float32))
    recipe = with_loss(ganref.recipe(name), generator="minimax")
    found = []
    for chunks in ([k], [1] * k, [125] * 18 + [95], [99, 1, 101, 2144]):
        watch, at = detectors.Detectors(recipe, np.zeros((2, 2))), 0
        said = []
        for n in chunks:
            said += watch.observe(at + 1, Trace(*(v[at : at + n] for v in trace)))
            at += n
        assert said == watch.detections
        found.append((watch.detections, watch.fields()))
    assert all(f == found[0] for f in found) and found[0][0]


def test_a_resumed_run_knows_what_was_said() -> None:
    """From what steps.csv and metrics.jsonl hold: the same state, and nothing said twice."""
    games = collapse.recipes()
    first, trace, rows = watched(games[collapse.PLAIN], "ring", collapse.STEPS)
    assert first.detections
    logged = Trace(*(np.array([float(str(float(v))) for v in column]) for column in trace))
    rows = json.loads(json.dumps(rows))
    again = detectors.Detectors(games[collapse.PLAIN], data.load("ring", RING).batch(np.arange(48)))
    again.replay(logged, rows)
    assert again.fields() == first.fields()
    assert [a.kind for a in again.detections] == ["collapse"]
    more = trace_of(500)
    assert again.observe(collapse.STEPS + 1, more) == first.observe(collapse.STEPS + 1, more) == []
    same = np.zeros((64, 2))
    assert again.inspect(3600, same) == first.inspect(3600, same) == []
    assert again.fields() == first.fields()


def test_lists_are_taken_as_arrays_are() -> None:
    trace = Trace(*np.random.default_rng(0).uniform(0, 0.018, (5, 777)).astype(np.float32))
    recipe = with_loss(ganref.recipe("ring"), generator="minimax")
    arrays, lists = (detectors.Detectors(recipe, np.zeros((2, 2))) for _ in range(2))
    assert arrays.observe(1, trace) == lists.observe(1, Trace(*(v.tolist() for v in trace)))
    assert arrays.detections and arrays.fields() == lists.fields()


def test_the_steps_of_a_toy_are_read_and_looked_at_less_often() -> None:
    toy = with_loss(ganref.recipe("gaussian"), generator="minimax")
    generator = np.random.default_rng(0)
    watch = detectors.Detectors(toy, generator.standard_normal((48, 2)))
    scores = np.full(3000, 1.0)
    for start in range(0, 3000, 500):
        scores[start : start + 100] = 1e-3
    trace = trace_of(3000)._replace(D_G_z_after=scores)
    (detection,) = watch.observe(1, trace)
    assert detection.step == 1100 and "for 1100 steps" in detection.words
    assert watch.fields()["G_signal"] == pytest.approx(1e-3)
    watch.inspect(2375, generator.standard_normal((48, 2)))
    assert watch.fields()["diversity"] is None
    watch.inspect(2500, generator.standard_normal((48, 2)))
    assert watch.fields()["diversity"] == pytest.approx(1, abs=0.3)


def test_the_warning_comes_once() -> None:
    recipe = with_loss(ganref.recipe("ring"), generator="minimax")
    watch = detectors.Detectors(recipe, np.random.default_rng(0).standard_normal((48, 2)))
    assert len(watch.observe(1, trace_of(1000, D_G_z=1e-3))) == 1
    assert not watch.observe(1001, trace_of(1000, D_G_z=1e-3))
    assert watch.fields()["warnings"] == ["saturation"]


def test_diversity_that_never_came_is_no_collapse_before_long() -> None:
    generator = np.random.default_rng(0)
    real, blob = generator.standard_normal((48, 2)), 0.01 * generator.standard_normal((48, 2))
    watch = detectors.Detectors(ganref.recipe("ring"), real)
    said = [watch.inspect(step, blob) for step in range(500, 12_001, 500)]
    assert [bool(detections) for detections in said].index(True) == 19


def test_spread_is_a_quantile_of_the_distances() -> None:
    x = np.random.default_rng(0).standard_normal((48, 3, 4, 4)) + 1e3
    rows = x.reshape(48, -1)
    i, j = np.triu_indices(48, 1)
    distances = np.sort(np.linalg.norm(rows[i] - rows[j], axis=1))
    assert detectors.spread(x) == pytest.approx(distances[int(0.2 * len(distances))], rel=1e-6)
    assert detectors.spread(x) == detectors.spread(np.concatenate([x, 0 * x]))
    plane = x[:, 0, 0, :2]
    flat = np.pad(plane, ((0, 0), (0, 1)))  # the same points in space
    assert detectors.spread(plane) == pytest.approx(detectors.spread(flat), rel=1e-6)
    assert detectors.spread(np.zeros((48, 2))) == 0 and np.isnan(detectors.spread(x[:1]))


def test_samples_that_are_not_finite_are_not_judged() -> None:
    watch = detectors.Detectors(RING, np.random.default_rng(0).standard_normal((48, 2)))
    assert not watch.inspect(1000, np.full((48, 2), np.nan))
    assert watch.fields()["diversity"] is None


def test_watching_costs_less_than_a_hundredth_of_the_toy_s_step() -> None:
    recipe = ganref.recipe("gaussian")
    dataset = data.load("gaussian", recipe, 0)
    source = batches.Source(recipe, dataset, 0, "float32")
    gan = ganref.load_backend("numpy").create(recipe, ganref.initial_weights(recipe, 0))
    noise, shares = np.zeros((200, 2)), []
    for _ in range(3):  # the best of a few: a busy neighbour is not what this is about
        watch = detectors.Detectors(recipe, dataset.batch(np.arange(48)))
        training = detecting = 0.0
        for chunk in batches.plan(source, 0, 1250, None):
            batch = source.draw(chunk)
            start = time.process_time()
            trace = gan.train_trace(batch.X, batch.Z)
            middle = time.process_time()
            watch.observe(chunk.start + 1, trace)
            watch.inspect(chunk.stop, noise)
            training += middle - start
            detecting += time.process_time() - middle
        shares.append(detecting / training)
        print(f"detecting {detecting / 1250e-6:.2f} µs of {training / 1250e-6:.0f} µs a step")
    assert min(shares) < 0.01
