"""PyTorch's files of others, against the networks themselves; and every report of what goes
wrong."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from told import TOLD

from ganref import initial_weights, load_backend
from ganref.exchange.profiles import PROFILES
from ganref.exchange.reading import read
from ganref.import_weights import Imported, imported
from ganref.spec import UserError

if "torch" not in TOLD:
    pytest.skip("this run was not told to have PyTorch", allow_module_level=True)

import strangers
import torch
from torch import nn

# Whose D gives a probability, where ganref's gives the logit before it.
SQUASHED = ("pytorch-examples", "dcgan-pytorch", "csinva-mnist", "csinva-cifar", "csinva-mlp")


def save(content: Any, folder: Path, name: str = "weights.pth", **how: Any) -> Path:
    path = folder / name
    torch.save(content, path, **how)
    return path


def taken(*paths: Path, **asked: Any) -> Imported:
    """What the command makes of these files."""
    return imported(
        [(path, *read(path)) for path in paths], **{"recipe": None, "profile": None} | asked
    )


def example(*paths: Path, **asked: Any) -> Imported:
    return taken(*paths, recipe="dcgan-nyu", **asked)


def refused(words: str, *paths: Path, **asked: Any) -> str:
    with pytest.raises(UserError, match=words) as error:
        example(*paths, **asked)
    assert "\n" not in str(error.value) and "weights_only=False" not in str(error.value)
    return str(error.value)


def example_G() -> nn.Module:
    return strangers.at_random(strangers.example_G())


def difference(
    made: Imported, net: str, theirs: nn.Module, dtype: str, squashed: bool, **how: bool
) -> float:
    """Between what NumPy's backend gives in that precision, and the network itself."""
    gan = load_backend("numpy").create(made.recipe, initial_weights(made.recipe), dtype=dtype)
    gan.load_state(made.state)
    shape = made.recipe.latent_shape if net == "G" else made.recipe.data_shape
    x = np.random.default_rng(1).standard_normal((5, *shape)).astype(dtype)
    dense = isinstance(next(iter(theirs.children())), nn.Linear)
    given = torch.from_numpy(x).flatten(1) if dense else torch.from_numpy(x)
    wanted = theirs(given).detach().numpy().reshape(5, -1)
    ours = (gan.generate(x, **how) if net == "G" else gan.discriminate(x)).reshape(5, -1)
    ours = 1 / (1 + np.exp(-ours)) if squashed and net == "D" else ours
    return float(np.abs(ours - wanted).max())


@pytest.mark.parametrize("profile", strangers.PAIRS)
@pytest.mark.parametrize("dtype, bound", [("float32", 1e-5), ("float64", 1e-12)])
def test_a_profile_is_the_network_itself(
    profile: str, dtype: str, bound: float, tmp_path: Path
) -> None:
    for seed, (name, net) in enumerate(zip("GD", strangers.PAIRS[profile](), strict=True)):
        strangers.at_random(net, seed).to(getattr(torch, dtype))
        made = taken(save(net.state_dict(), tmp_path), profile=profile)
        assert made.dtype == dtype and not made.warnings
        found = difference(made, name, net, dtype, profile in SQUASHED)
        print(f"{profile} {name} {dtype}: {found:.1e}")
        assert found < bound


def test_every_profile_is_carried_or_says_what_is_missing() -> None:
    for name, profile in PROFILES.items():
        assert bool(profile.lacks) != (name in strangers.PAIRS or name == "tf-tutorial")
        if profile.lacks:
            with pytest.raises(UserError, match=f"profile {name} .* needs "):
                profile.made()


def test_another_epsilon_or_slope_is_seen(tmp_path: Path) -> None:
    """What no weights say makes a difference that the comparison shows."""
    G, D = example_G(), strangers.at_random(strangers.example_D())
    G.main[1].eps = 1e-3
    D.main[1].negative_slope = 0.3
    for name, net in (("G", G), ("D", D)):
        made = example(save(net.state_dict(), tmp_path))
        assert difference(made, name, net, "float32", True) > 1e-4


def test_sizes_are_read_from_shapes(tmp_path: Path) -> None:
    G = strangers.at_random(strangers.example_G(z=7, w=3, channels=1))
    D = strangers.at_random(strangers.example_D(w=3, channels=1))
    paths = save(G.state_dict(), tmp_path, "G.pth"), save(D.state_dict(), tmp_path, "D.pth")
    recipe = example(*paths).recipe
    assert (recipe.latent_dim, recipe.width, recipe.data_shape) == (7, 3, (1, 64, 64))
    assert example(paths[1]).recipe.latent_dim == 100  # which D does not say
    assert "latent 100 is the recipe's" in "\n".join(example(paths[1]).lines)
    wider = save(strangers.example_D(w=5, channels=1).state_dict(), tmp_path, "wide.pth")
    refused("G and D have another width each .3 and 5.", paths[0], wider)


# The reports of shared/interop.md, one by one.


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_module_is_refused_by_its_class(tmp_path: Path, zipped: bool) -> None:
    path = save(example_G(), tmp_path, _use_new_zipfile_serialization=zipped)
    words = refused("holds an object of class strangers.Main, ", path)
    assert "torch.save(model.state_dict(), 'weights.pth')" in words


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("run-by-a-pickle",)


@pytest.mark.parametrize("wrap", [torch.save, lambda c, p: Path(p).write_bytes(pickle.dumps(c))])
def test_code_in_a_pickle_is_not_run(
    wrap: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (Evil(), {"weight": torch.zeros(2), "more": [Evil()]}):
        wrap(content, tmp_path / "evil.pth")
        refused("holds an object of class ", tmp_path / "evil.pth")
    assert not (tmp_path / "run-by-a-pickle").exists()


def test_numpy_scalars_beside_the_weights_are_no_reason_to_refuse(tmp_path: Path) -> None:
    beside = {"loss": np.float64(0.5), "best": np.float32(1), "losses": [np.float64(2)], "epoch": 3}
    state = example_G().state_dict()
    for protocol in (2, 3, 4):
        path = save({"model": state, **beside}, tmp_path, pickle_protocol=protocol)
        made = example(path)
        assert np.array_equal(made.state["generator.0.weight"], state["main.0.weight"])
    refused("class numpy", save({"model": state, "all": np.zeros(3)}, tmp_path))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "module.module."])
def test_what_wrappers_put_before_names_is_taken_off_and_said(prefix: str, tmp_path: Path) -> None:
    state = example_G().state_dict()
    made = example(save({prefix + name: t for name, t in state.items()}, tmp_path))
    assert f"every name of G began with '{prefix}': left out" in "\n".join(made.lines)
    assert np.array_equal(made.state["generator.0.weight"], state["main.0.weight"])
    some = {(prefix if "main.1" in name else "") + name: t for name, t in state.items()}
    assert "left out" not in "\n".join(example(save(some, tmp_path)).lines)


def test_wrappers_as_the_framework_makes_them(tmp_path: Path) -> None:
    net = example_G()
    for wrapped in (nn.DataParallel(net), torch.compile(net), nn.DataParallel(torch.compile(net))):
        made = example(save(wrapped.state_dict(), tmp_path))
        assert "left out" in "\n".join(made.lines)


def test_a_discriminator_is_told_by_its_shapes(tmp_path: Path) -> None:
    path = save(strangers.at_random(strangers.example_D()).state_dict(), tmp_path, "netG.pth")
    assert "by its shapes a discriminator" in "\n".join(example(path).lines)
    refused("holds D by its shapes .discriminator., not G; leave --net out", path, net="G")


def test_batch_statistics_are_an_option_and_not_the_rule(tmp_path: Path) -> None:
    net = example_G()
    made = example(save(net.state_dict(), tmp_path))
    assert difference(made, "G", net, "float32", False) < 1e-5
    net.train()
    assert difference(made, "G", net, "float32", False, batch_stats=True) < 1e-5
    assert difference(made, "G", net, "float32", False) > 1e-2


def test_running_statistics_that_never_moved_are_a_warning(tmp_path: Path) -> None:
    fresh = strangers.example_G()
    assert "all running statistics of G are 0 and 1" in example(
        save(fresh.state_dict(), tmp_path)).warnings[0]  # fmt: skip
    fresh.main[1].running_mean[0] = 0.1
    assert not example(save(fresh.state_dict(), tmp_path)).warnings


def test_a_frozen_layer_and_another_order_change_nothing(tmp_path: Path) -> None:
    """Layers are told by shapes and names: never by their place in the file."""
    state = example_G().state_dict()
    backwards = collections.OrderedDict(reversed(state.items()))
    one = example(save(state, tmp_path)).state
    other = example(save(backwards, tmp_path, "other.pth")).state
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_names_of_a_profile_tell_what_shapes_cannot(tmp_path: Path) -> None:
    """Two layers of the same shapes, with names that sort the wrong way round."""
    net = strangers.at_random(strangers.csinva_mlp()[0])
    same = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
    G = strangers.at_random(nn.Sequential(*same, nn.Linear(16, 784), nn.Tanh()))
    made = taken(save(G.state_dict(), tmp_path), profile="csinva-mlp")
    assert "0 and 2 have the same shapes" in "\n".join(made.lines)
    assert np.array_equal(made.state["generator.0.weight"], G[0].weight.detach())
    assert difference(made, "G", G, "float32", False) < 1e-5
    renamed = {f"{4 - int(n[0])}{n[1:]}": t for n, t in net.state_dict().items()}
    made = taken(save(renamed, tmp_path), profile="csinva-mlp")
    assert difference(made, "G", net, "float32", False) < 1e-5


def test_without_a_profile_or_a_recipe_a_person_must_choose(tmp_path: Path) -> None:
    from ganref import import_weights

    path = save(example_G().state_dict(), tmp_path)
    with pytest.raises(UserError, match="ε, momentum, slopes and paddings") as error:
        import_weights.main([str(path), "--run-dir", str(tmp_path / "run")])
    fit = str(error.value).partition("by their shapes ")[2]
    assert fit == (
        "--profile pytorch-examples, --profile dcgan-pytorch, --profile gan-zoo, --profile d2l,"
        " --recipe dcgan, --recipe dcgan-nyu"
    )
    assert not (tmp_path / "run").exists()


# What files are made of.


def test_files_as_old_as_pytorch_0_4_and_the_zip_are_the_same(tmp_path: Path) -> None:
    state = example_G().state_dict()
    new, old = save(state, tmp_path, "new.pth"), tmp_path / "old.pth"
    torch.save(state, old, _use_new_zipfile_serialization=False)
    a, b = read(new)[0].nets[""], read(old)[0].nets[""]
    trusted = torch.load(new, weights_only=True)
    weights = [name for name in trusted if "num_batches" not in name]
    assert list(a) == list(b) == weights
    assert all(np.array_equal(a[n], trusted[n]) and np.array_equal(b[n], a[n]) for n in a)


def test_a_checkpoint_of_training_is_taken_apart(tmp_path: Path) -> None:
    """DCGAN-PyTorch's: networks, optimisers with tensors of the same shapes, numbers."""
    G, D = (strangers.at_random(net) for net in strangers.PAIRS["dcgan-pytorch"]())
    optimisers = {}
    for name, net in (("optimizerG", G), ("optimizerD", D)):
        own = torch.optim.Adam(net.parameters())
        for p in net.parameters():
            p.grad = torch.ones_like(p)
        own.step()
        optimisers[name] = own.state_dict()
    whole = {"generator": G.state_dict(), "discriminator": D.state_dict(), "params": {"nz": 12}}
    path = save(whole | optimisers, tmp_path)
    made = taken(path, profile="dcgan-pytorch")
    assert "by its shapes a discriminator and generator" in made.lines[0].replace(
        "generator and discriminator", "discriminator and generator")  # fmt: skip
    assert difference(made, "G", G, "float32", True) < 1e-5
    assert difference(made, "D", D, "float32", True) < 1e-5
    assert all((made.state[n] == 0).all() for n in made.state if n.endswith((".m", ".v", ".step")))
    only = taken(path, profile="dcgan-pytorch", net="G")
    assert "D is not in the files" in "\n".join(only.lines)


@pytest.mark.parametrize("before", ["net.{}.", "net_{}.", "{}.model.", "module.gan.net.{}."])
def test_both_networks_under_names_in_one_state(before: str, tmp_path: Path) -> None:
    """A module that holds both, as Lightning's and many a program's do."""
    G, D = example_G(), strangers.at_random(strangers.example_D(), 1)
    state = {
        before.format(net) + name: t
        for net, own in (("G", G), ("D", D))
        for name, t in own.state_dict().items()
    }
    made = example(save({"state_dict": state, "epoch": 3}, tmp_path))
    assert difference(made, "G", G, "float32", True) < 1e-5
    assert difference(made, "D", D, "float32", True) < 1e-5
    assert f"{'state_dict.' + before.format('G')}main.0.weight" in "\n".join(made.lines)


def test_of_several_networks_a_person_says_which(tmp_path: Path) -> None:
    """pytorch_GAN_zoo keeps an average of G beside it."""
    nets = {"netG": strangers.ZooG(), "avgG": strangers.ZooG(), "netD": strangers.ZooD()}
    path = save({n: strangers.at_random(net).state_dict() for n, net in nets.items()}, tmp_path)
    refused("several networks that fit G: netG, avgG; say which with --part", path)
    assert "netD" not in "\n".join(example(path, part="avgG").lines)
    refused("has no part 'G'; there is netG, avgG, netD", path, part="G")


def test_a_decision_of_several_numbers_is_refused_by_its_layer(tmp_path: Path) -> None:
    path = save(strangers.ZooD(11).state_dict(), tmp_path)
    words = refused(
        "as its D, 7 of 8 layers fit, and discriminator.11.weight .1, 32, 4, 4. is missing", path
    )
    assert "the nearest that is left is decisionLayer.weight (11, 32, 4, 4)" in words


def test_what_is_missing_or_left_over_is_named(tmp_path: Path) -> None:
    state = example_G().state_dict()
    more = state | {"main.13.weight": torch.zeros(3, 3)}
    assert "main.13.weight (3, 3) is left over" in refused("left over", save(more, tmp_path))
    less = {name: t for name, t in state.items() if name != "main.4.running_var"}
    words = refused("generator.4.weight .16., .* is missing", save(less, tmp_path))
    assert "the nearest that is left is main.4.weight" in words
    other = state | {"main.12.weight": torch.zeros(4, 3, 5, 5)}
    words = refused(
        "8 of 9 layers fit, and generator.12.weight .4, channels, 4, 4. is missing",
        save(other, tmp_path),
    )
    assert "nearest that is left is main.12.weight (4, 3, 5, 5)" in words


@pytest.mark.parametrize("dtype, digits", [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_halves_are_converted_and_said(dtype: str, digits: float, tmp_path: Path) -> None:
    net = example_G()
    state = {n: t.to(getattr(torch, dtype)) for n, t in net.state_dict().items()}
    made = example(save(state, tmp_path))
    assert f"tensors are {dtype}: converted to float32" in made.lines[1]
    wanted = state["main.0.weight"].float().numpy()
    assert np.array_equal(made.state["generator.0.weight"], wanted)
    assert np.allclose(wanted, net.main[0].weight.detach(), rtol=digits, atol=1e-6)


def test_what_no_weights_are_is_refused(tmp_path: Path) -> None:
    state = example_G().state_dict()
    for number in (float("nan"), float("inf")):
        odd = state | {"main.9.weight": torch.full_like(state["main.9.weight"], number)}
        refused("'main.9.weight' holds numbers that are not finite", save(odd, tmp_path))
    odd = state | {"main.9.weight": torch.zeros(8, 4, 4, 4, dtype=torch.int8)}
    refused("'main.9.weight' is int8; ganref takes weights as float32", save(odd, tmp_path))
    odd = state | {"main.9.weight": torch.zeros(8, 4, 4, 4, dtype=torch.complex64)}
    refused("is torch.ComplexFloatStorage|class torch", save(odd, tmp_path))
    odd = state | {"main.1.running_var": -state["main.1.running_var"]}
    refused(
        "is a variance and holds negative numbers .theirs: main.1.running_var", save(odd, tmp_path)
    )


def test_a_view_that_sees_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    """Ten gigabytes in a kilobyte: one number, seen again and again."""
    wide = torch.zeros(1).expand(50_000, 50_000)
    refused("sees 1 numbers of a storage of 1", save({"weight": wide}, tmp_path))
    stored = torch.zeros(1000)
    many = {f"{i}.weight": stored for i in range(100)}
    refused("many times the numbers in the file", save(many, tmp_path))


def test_strides_are_followed(tmp_path: Path) -> None:
    state = example_G().state_dict()
    odd = {n: t.transpose(0, 1).contiguous().transpose(0, 1) if t.ndim > 1 else t
           for n, t in state.items()}  # fmt: skip
    assert not odd["main.0.weight"].is_contiguous()
    made = example(save(odd, tmp_path))
    assert np.array_equal(made.state["generator.0.weight"], state["main.0.weight"])


def test_a_program_is_refused(tmp_path: Path) -> None:
    torch.jit.trace(example_G(), torch.zeros(1, 12, 1, 1)).save(str(tmp_path / "traced.pt"))
    refused("is a TorchScript program", tmp_path / "traced.pt")
