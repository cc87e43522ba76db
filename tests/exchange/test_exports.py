"""Every target, run without ganref in a fresh process, and what must not pass for it."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from targets import THERE

import ganref
from docs.making import exports
from ganref.exchange import layouts, to_jax, to_keras, to_numpy, to_onnx, to_pytorch
from ganref.exchange.nets import UNMOVED, Net, discriminator, generator
from ganref.exchange.verify import LIMIT, Exported, check
from ganref.export import TARGETS, origin, write
from ganref.spec import UserError
from ganref.spec.layers import BatchNorm
from ganref.training.checkpoint import Checkpoint


@pytest.mark.parametrize("target", THERE)
def test_an_export_runs_without_ganref(target: str) -> None:
    """Three recipes, G and D, each way into the files: see `ganref.exchange.verify`."""
    found = exports.measure(target, ["gaussian", "dcgan-nyu", "dcgan32"])
    numbers = [number for row in found.values() for number in row.values()]
    assert len(numbers) == 6 and all(0 < number < LIMIT for number in numbers), found


# What must not pass, and leaves nothing.


def _write(target: ModuleType, nets: list[Exported], folder: Path) -> None:
    recipe = exports.cases()["dcgan32"]
    write(
        folder / "out", target, nets,
        origin(Checkpoint(recipe, {}, 0, 0, "digits", "float32", "numpy"), folder),
    )  # fmt: skip


def _refused(target: ModuleType, nets: list[Exported], folder: Path) -> None:
    with pytest.raises(UserError, match="differs from NumPy by .*; nothing was written"):
        _write(target, nets, folder)
    assert list(folder.iterdir()) == []


def test_another_epsilon_is_seen(tmp_path: Path) -> None:
    ((net, *rest),) = exports.networks("dcgan32", "G")
    layers = (
        dataclasses.replace(layer, eps=1e-3) if isinstance(layer, BatchNorm) else layer
        for layer in net.spec.layers
    )
    other = dataclasses.replace(net, spec=dataclasses.replace(net.spec, layers=tuple(layers)))
    _refused(to_numpy, [(other, *rest)], tmp_path)


@pytest.mark.skipif("onnx" not in THERE, reason="onnx and onnxruntime are not here")
def test_a_pixel_further_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first row and column are cropped instead of the last: the shapes are right."""

    def shifted(graph: Any, operator: str, name: str, tensors: Any, **how: Any) -> None:
        if operator == "Slice":
            tensors = {key: array + (key in ("starts", "ends")) for key, array in tensors.items()}
        added(graph, operator, name, tensors, **how)

    added = to_onnx._Graph.add
    monkeypatch.setattr(to_onnx._Graph, "add", shifted)
    _refused(to_onnx, exports.networks("dcgan32", "G"), tmp_path)


@pytest.mark.skipif("jax" not in THERE, reason="JAX is not here")
@pytest.mark.parametrize("which", "GD")
def test_rows_that_are_not_permuted_are_seen(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "channels_last", lambda network, name: {})
    _refused(to_jax, exports.networks("dcgan32", which), tmp_path)


def test_an_export_that_cannot_be_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that asks for ganref: there it is not to be had."""
    monkeypatch.setattr(to_numpy, "save", lambda net, own, folder: None)
    with pytest.raises(UserError, match="does not run without ganref .*chain"):
        _write(to_numpy, exports.networks("gaussian", "G"), tmp_path)
    way = dataclasses.replace(to_numpy.ways(exports.networks("gaussian", "G")[0][0])[0],
                              imports=("import numpy as np", "import ganref"))  # fmt: skip
    monkeypatch.setattr(to_numpy, "ways", lambda net: [way])
    with pytest.raises(UserError, match="does not run without ganref .*ganref"):
        _write(to_numpy, exports.networks("gaussian", "G"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_takes_labels_is_refused_by_name() -> None:
    for kind, said in (("concat", "discriminator.0 .*Concat"), ("projection", "9 .*Projection")):
        with pytest.raises(UserError, match=f"{said}.* takes the example's label"):
            exports.networks(f"dcgan32, {kind}", "D")


def test_a_conditional_generator_takes_its_label_with_the_noise(tmp_path: Path) -> None:
    ((net, *rest),) = exports.networks("dcgan32, concat", "G")
    _write(to_numpy, [(net, *rest)], tmp_path)
    text = (tmp_path / "out" / "README.md").read_text()
    assert "np.eye(10)" in text and "last 10 numbers of `Z` are the class" in text


def test_statistics_that_never_moved_are_said() -> None:
    recipe = exports.cases()["dcgan32"]
    fresh = ganref.initial_weights(recipe)
    assert UNMOVED in generator(recipe, fresh, False).notes
    assert UNMOVED not in generator(recipe, exports.state(recipe), False).notes
    toy = ganref.recipe("gaussian")
    assert UNMOVED not in generator(toy, ganref.initial_weights(toy), False).notes


# What is exported is the page's.


def _page(name: str) -> ModuleType:
    return importlib.import_module(f"ganref.pages.{name}")


@pytest.mark.skipif("pytorch" not in THERE, reason="PyTorch is not here")
@pytest.mark.parametrize("name", ["gaussian", "dcgan", "dcgan-nyu", "dcgan32", "mlp", "ebgan"])
def test_a_state_dict_is_of_the_page_s_network(name: str) -> None:
    page = _page(f"{name.replace('-', '_')}_torch")
    sizes = () if name == "gaussian" else (exports.WIDTHS[name],)
    for which, make in (("G", page.generator), ("D", page.discriminator)):
        ((net, network, weights),) = exports.networks(name, which)
        own = make(*sizes).eval()
        own.load_state_dict(to_pytorch.build(net).state_dict())  # strict: no name more or less
        torch = to_pytorch.framework()
        x = torch.randn(3, *network.input_shape)
        y = own(x).detach()
        y = y.sigmoid() if network.head == "sigmoid" else y
        check(name, y.numpy(), network, weights, x.numpy())


@pytest.mark.skipif("pytorch" not in THERE, reason="PyTorch is not here")
def test_torch_export_works_where_convolutions_alone_are_told(tmp_path: Path) -> None:
    """That they are not to use TF32, as the backend tells them while it computes."""
    switch = to_pytorch.framework().backends.cudnn.conv
    before, switch.fp32_precision = switch.fp32_precision, "ieee"
    try:
        ((net, *_),) = exports.networks("gaussian", "G")
        to_pytorch.save(net, to_pytorch.build(net), tmp_path)
        assert (tmp_path / f"{net.stem}.pt2").exists()
        assert switch.fp32_precision == "ieee"  # as it was
    finally:
        switch.fp32_precision = before


@pytest.mark.skipif("keras" not in THERE, reason="TensorFlow is not here")
def test_keras_has_the_page_s_variables() -> None:
    page = _page("dcgan32_tf")
    for which, make in (("G", page.generator), ("D", page.discriminator)):
        ((net, *_),) = exports.networks("dcgan32", which)
        own, pages = to_keras.build(net), make(4)
        shapes = [[tuple(w.shape) for w in network.weights] for network in (own, pages)]
        kinds = {layer.__class__.__module__.split(".")[0] for layer in own.layers}
        assert shapes[0] == shapes[1] and kinds == {"keras"}


@pytest.mark.skipif("jax" not in THERE, reason="JAX is not here")
@pytest.mark.parametrize("name", ["gaussian", "dcgan32"])
def test_a_tree_is_what_the_page_takes(name: str) -> None:
    page = _page(f"{name}_jax")
    ((net, network, weights),) = exports.networks(name, "G")
    z = np.random.default_rng(0).standard_normal((3, *network.input_shape)).astype("float32")
    made = page.G(to_jax._tree(net), z, *([] if name == "gaussian" else [False]))
    found = np.asarray(made if name == "gaussian" else made[0])
    check(name, layouts.images_first(found), network, weights, z)


# Any batch.


def _opened(target: str, net: Net, folder: Path, x: np.ndarray) -> np.ndarray:
    """What a file gives in this process, by the lines that people are shown."""
    module = TARGETS[target]
    module.save(net, module.build(net), folder)
    way = module.ways(net)[0]
    names: dict[str, Any] = {"x": x}
    exec("\n".join((*way.imports, *way.load, f"y = {way.run.format(x='x')}")), names)
    return names["y"]


@pytest.mark.parametrize("target", [t for t in THERE if t != "numpy"])
def test_a_batch_may_be_of_any_size(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ((net, network, weights),) = exports.networks("mlp", "G")
    for size in (1, 5):
        x = np.random.default_rng(size).standard_normal((size, 100)).astype("float32")
        found = _opened(target, net, tmp_path, x)
        found = layouts.images_first(found) if TARGETS[target].LAST else found
        assert check(target, found, network, weights, x).examples == size


def test_a_spectral_weight_is_the_one_that_is_multiplied() -> None:
    recipe = exports.cases()["dcgan32, spectral"]
    net = discriminator(recipe, exports.state(recipe))
    assert not net.spec.spectral and not [n for n in net.weights if n.endswith(".u")]
    assert any("W / σ" in note for note in net.notes)
