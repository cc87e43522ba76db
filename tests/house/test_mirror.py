"""Every backend is the others' mirror: the same files, names, order, parameters and docstrings."""

from __future__ import annotations

import importlib
import inspect
import itertools
from pathlib import Path
from typing import Any

import pytest
from mirror import FILES, common, module, outline
from told import TOLD

import ganref
from ganref import backend as contract
from ganref.backend import BACKENDS

# What a file has beside the others': with this, all of it is there in every backend.
BESIDE = {
    # Derivatives by hand are NumPy's.
    ("numpy", "layers"): {"forward", "backward", "gradients", "codes"},
    ("numpy", "losses"): {"grad_D", "grad_G", "grad_codes", "pull"},
    # MXNet's batch normalisation would change the statistics in the backward pass, and penalties
    # need tangents in a direction that NumPy has too; its symbols have no second derivative. No
    # operator of its new arrays stops a gradient: a block is given v, its direction, from outside.
    ("mxnet", "layers"): {"update_stats", "tangent", "direction"},
    ("mxnet", "losses"): {"Slopes", "pull"},
    # JAX differentiates and compiles pure functions: a network is one too, of what its cells hold.
    ("jax", "framework"): {"enable_x64", "wide"},
    ("jax", "layers"): {"Variable", "Chain", "copy", "convolve", "outputs", "tensors", "put"},
    ("jax", "losses"): {"gradients_D", "gradients_G"},
}
# Lines that stand unchanged in both files of every pair, of 100 in the shorter: the rule in what
# is the same algorithm everywhere.
RULE = {"gan": 100, "steps": 66, "optim": 30}


def _folder(backend: str) -> Path:
    return Path(importlib.import_module(BACKENDS[backend].module).__file__ or "").parent


def test_backends_have_the_same_files(backend: str) -> None:
    files = {path.stem for path in _folder(backend).glob("*.py")}
    folders = {path.parent.name for path in _folder(backend).glob("*/__init__.py")}
    assert files == {"__init__", *FILES} - {"fast"} and folders == {"fast"}


@pytest.mark.parametrize("file", FILES)
def test_backends_have_the_same_names_in_the_same_order(framework: str, file: str) -> None:
    """With the same parameters and docstrings, whose first paragraph is everybody's."""
    expected, found = (outline(b, file, BESIDE.get((b, file), set())) for b in ("numpy", framework))
    assert found == expected


def test_the_same_algorithm_is_the_same_text(capsys: pytest.CaptureFixture[str]) -> None:
    """The table of lines that stand unchanged, for each pair of backends and each file."""
    pairs = list(itertools.combinations(TOLD, 2))
    table = [["file", *("-".join(pair) for pair in pairs)]]
    for file in FILES:
        found = [common(*pair, file) for pair in pairs]
        table.append([file, *(f"{same} of {short}-{long}" for same, short, long in found)])
        for pair, (same, short, _) in zip(pairs, found, strict=True):
            assert 100 * same >= RULE.get(file, 0) * short, f"{file} of {pair}"
    with capsys.disabled():
        print("\nLines that stand unchanged, of so many in the shorter and the longer file:")
        for row in table:
            print("  ".join(f"{cell:>16}" for cell in row))


# The contract.


def _names(function: Any) -> list[tuple[str, Any]]:
    return [(p.name, p.kind) for p in inspect.signature(function).parameters.values()]


def _offered(protocol: Any) -> dict[str, Any]:
    public = {name: value for name, value in vars(protocol).items() if not name.startswith("_")}
    return {name: value for name, value in public.items() if inspect.isfunction(value)}


@pytest.mark.parametrize(
    ("protocol", "file", "name"),
    [
        (contract.GAN, "gan", "GAN"),
        (contract.Network, "layers", "Network"),
        (contract.Optimiser, "optim", "Adam"),
    ],
)
def test_a_backend_keeps_the_contract(backend: str, protocol: Any, file: str, name: str) -> None:
    """The names and arguments of the protocols; a backend may add defaults to arguments."""
    found = getattr(module(backend, file), name)
    for method, wanted in _offered(protocol).items():
        assert _names(getattr(found, method)) == _names(wanted), f"{name}.{method}"


def test_a_backend_offers_the_contract_and_no_more(backend: str) -> None:
    here = importlib.import_module(BACKENDS[backend].module)
    assert set(here.__all__) == {*_offered(contract.Backend), "GAN"}
    for name, wanted in _offered(contract.Backend).items():
        assert _names(getattr(here, name)) == _names(wanted)[1:], name


def test_a_network_prints_as_a_summary(backend: str) -> None:
    recipe = ganref.recipe("gaussian")
    weights = ganref.initial_weights(recipe)
    gan: Any = ganref.load_backend(backend).create(recipe, weights)
    for network in (gan.net_G, gan.net_D):
        assert all(type(layer).__name__ in repr(network) for layer in network.spec.layers)
