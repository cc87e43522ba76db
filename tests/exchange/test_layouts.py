"""Names and orders of others: networks that no recipe has, in every framework, held to NumPy."""

from __future__ import annotations

import inspect
from types import ModuleType

import numpy as np
import pytest
from targets import THERE

from ganref.exchange import layouts
from ganref.exchange.layouts import jax_places, same_padding, torch_names
from ganref.exchange.nets import Net, inference
from ganref.exchange.verify import check
from ganref.export import TARGETS
from ganref.spec import Network, UserError
from ganref.spec.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Reshape,
    Tanh,
)

FEATURES = [Dense(5, 48, bias=False), BatchNorm(48, 1e-3), LeakyReLU(0.3), Reshape((3, 4, 4))]
NETWORKS = {
    # TensorFlow's tutorial: what normalises the vector lies in its order too.
    "tutorial": ((5,), [*FEATURES, ConvTranspose(3, 2, 5, 2, (1, 2), False), Tanh()]),
    "encoder": ((2, 6, 6), [Conv(2, 3, 3, 2, (0, 1)), LeakyReLU(0), Flatten(), BatchNorm(27),
                            Dropout(0.3), Dense(27, 12), Reshape((3, 2, 2))]),
    "odd": ((2, 7, 5), [Conv(2, 3, 3, 2, (1, 1)), ConvTranspose(3, 2, 3, 2, (0, 1)),
                        Conv(2, 2, 4, 3, (1, 2)), ConvTranspose(2, 3, 2, 3), Tanh()]),
    "still": ((2, 4, 4), [ConvTranspose(2, 3, 5, 1, (2, 2)), Conv(3, 2, 5, 1, (1, 2)),
                          ConvTranspose(2, 2, 4, 2, (0, 1)), ConvTranspose(2, 1, 3, 1, (0, 0))]),
}  # fmt: skip


def _net(name: str) -> Net:
    shape, layers = NETWORKS[name]
    network = Network("generator", shape, tuple(layers), "samples")
    draw = np.random.default_rng(0)
    weights = {p.name: draw.uniform(0.1, 1, p.shape).astype("float32") for p in network.params}
    weights = {n: a if "running" in n else a - 0.5 for n, a in weights.items()}
    return inference(Net(network, weights, "generator", "Z", "X", "normal"))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("target", THERE)
def test_any_network_is_the_same_everywhere(target: str, name: str) -> None:
    net, module = _net(name), TARGETS[target]
    x = np.random.default_rng(1).standard_normal((3, *net.spec.input_shape)).astype("float32")
    given = layouts.images_last(x) if module.LAST else x
    found = RUN[target](module, net, given)
    found = layouts.images_first(found) if module.LAST else found
    check(name, found, net.spec, net.weights, x)


def _numpy(module, net, x):
    from ganref.exchange import chain

    return chain.forward(module.build(net), x)


def _torch(module, net, x):
    return module.build(net)(module.framework().from_numpy(x)).detach().numpy()


def _onnx(module, net, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(module.build(net).SerializeToString())
    return session.run(["X"], {"Z": x})[0]


RUN = {
    "numpy": _numpy,
    "pytorch": _torch,
    "keras": lambda module, net, x: module.build(net)(x).numpy(),
    "gluon": lambda module, net, x: module.build(net)(module.framework().np.array(x)).asnumpy(),
    "jax": lambda module, net, x: np.asarray(module.build(net)(module._tree(net), x)),
    "onnx": _onnx,
}


@pytest.mark.parametrize("layout", [layouts.in_keras, layouts.in_jax, layouts.as_it_is])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_layout_goes_back(layout, name: str) -> None:
    net = _net(name)
    back = layout(net.spec, layout(net.spec, net.weights), back=True)
    for name, array in net.weights.items():
        np.testing.assert_array_equal(back[name], array)


def test_a_vector_of_two_orders_is_refused() -> None:
    layers = [Flatten(), LeakyReLU(0), Reshape((3, 4, 2)), Flatten(), Dense(24, 1)]
    network = Network("generator", (2, 3, 4), tuple(layers), "samples")
    with pytest.raises(UserError, match="two orders"):
        layouts.channels_last(network, "generator.4.weight")
    network = Network("generator", (24,), (Reshape((2, 3, 4)),), "samples")
    with pytest.raises(UserError, match="input's order"):
        layouts.channels_last(network, "generator.0.weight")


def test_names_are_the_pages() -> None:
    names = torch_names(_net("encoder").spec)
    assert names["generator.0.weight"] == "1.weight"  # zeros come before
    assert names["generator.3.running_mean"] == "4.running_mean"
    places = jax_places(_net("tutorial").spec)
    assert places["generator.1.running_var"] == (0, "var")
    assert places["generator.4.weight"] == (1, "W")


@pytest.mark.parametrize(
    "sizes, expected",
    [((5, 2, 32), (1, 2)), ((4, 2, 64), (1, 1)), ((5, 1, 7), (2, 2)), ((3, 2, 7), (1, 1)),
     ((2, 3, 6), (0, 0))],
)  # fmt: skip
def test_same_is_tensorflow_s(sizes: tuple[int, int, int], expected: tuple[int, int]) -> None:
    assert same_padding(*sizes) == expected


def test_targets_are_mirrors() -> None:
    """The same functions in the same order, of the same parameters, that say the same first."""

    def public(module: ModuleType) -> dict[str, tuple[list[str], str]]:
        return {
            name: (
                list(inspect.signature(found).parameters),
                (found.__doc__ or "").split(".")[0].split(":")[0],
            )
            for name, found in vars(module).items()
            if inspect.isfunction(found) and found.__module__ == module.__name__ and name[0] != "_"
        }

    first = public(TARGETS["pytorch"])
    assert list(first) == ["framework", "build", "save", "ways", "signature"]
    for target, module in TARGETS.items():
        assert list(public(module).items()) == list(first.items()), target
        assert isinstance(module.TITLE, str) and isinstance(module.LAST, bool), target
