"""TensorFlow's DCGAN tutorial, built in Keras, in every file that it is saved in."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from told import TOLD

from ganref import initial_weights, load_backend
from ganref.exchange import reading_keras
from ganref.exchange.reading import read
from ganref.import_weights import Imported, imported
from ganref.spec import UserError

if "tf" not in TOLD:
    pytest.skip("this run was not told to have TensorFlow", allow_module_level=True)
load_backend("tf")

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

W = 3  # where the tutorial has 64


class Leaky(layers.Layer):
    """TensorFlow keeps a slope as a float32: 0.3 is another number in float64."""

    def call(self, x: Any) -> Any:
        return keras.ops.where(x > 0, x, 0.3 * x)


LEAKY = {"float32": layers.LeakyReLU, "float64": Leaky}


def make_generator(dtype: str) -> keras.Model:
    how: dict[str, Any] = {"use_bias": False, "dtype": dtype}
    kernel: dict[str, Any] = {"padding": "same", **how}
    same, leaky = {"dtype": dtype}, LEAKY[dtype]
    return keras.Sequential([
        layers.Input((10,), dtype=dtype),
        layers.Dense(7 * 7 * 4 * W, **how),
        layers.BatchNormalization(**same),
        leaky(**same),
        layers.Reshape((7, 7, 4 * W), **same),
        layers.Conv2DTranspose(2 * W, (5, 5), strides=(1, 1), **kernel),
        layers.BatchNormalization(**same),
        leaky(**same),
        layers.Conv2DTranspose(W, (5, 5), strides=(2, 2), **kernel),
        layers.BatchNormalization(**same),
        leaky(**same),
        layers.Conv2DTranspose(1, (5, 5), strides=(2, 2), activation="tanh", **kernel),
    ])  # fmt: skip


def make_discriminator(dtype: str) -> keras.Model:
    same, leaky = {"dtype": dtype}, LEAKY[dtype]
    kernel: dict[str, Any] = {"strides": (2, 2), "padding": "same", **same}
    return keras.Sequential([
        layers.Input((28, 28, 1), dtype=dtype),
        layers.Conv2D(W, (5, 5), **kernel),
        leaky(**same),
        layers.Dropout(0.3, **same),
        layers.Conv2D(2 * W, (5, 5), **kernel),
        leaky(**same),
        layers.Dropout(0.3, **same),
        layers.Flatten(**same),
        layers.Dense(1, **same),
    ])  # fmt: skip


def at_random(net: keras.Model, seed: int) -> keras.Model:
    """Every number drawn, running statistics too."""
    draw = np.random.default_rng(seed)
    for variable in net.weights:
        wide = len(variable.shape) > 1
        values = draw.standard_normal(variable.shape)
        fan = np.prod(variable.shape[:-1]) if wide else 1
        variable.assign(values / fan**0.5 if wide else np.abs(values) + 0.5)
    return net


def pair(dtype: str = "float32") -> tuple[keras.Model, keras.Model]:
    return at_random(make_generator(dtype), 0), at_random(make_discriminator(dtype), 1)


def tutorial(*paths: Path, **asked: Any) -> Imported:
    files = [(path, *read(path)) for path in paths]
    return imported(files, **{"recipe": None, "profile": "tf-tutorial"} | asked)


def differences(
    made: Imported, G: keras.Model, D: keras.Model, dtype: str, nets: str = "GD"
) -> list[float]:
    gan = load_backend("numpy").create(made.recipe, initial_weights(made.recipe), dtype=dtype)
    gan.load_state(made.state)
    draw, found = np.random.default_rng(2), []
    Z = draw.standard_normal((5, 10)).astype(dtype)
    X = draw.standard_normal((5, 1, 28, 28)).astype(dtype)
    if "G" in nets:
        images = G(Z, training=False).numpy()
        found.append(float(np.abs(gan.generate(Z) - images.transpose(0, 3, 1, 2)).max()))
    if "D" in nets:
        logits = D(X.transpose(0, 2, 3, 1), training=False).numpy()
        found.append(float(np.abs(gan.discriminate(X) - logits.ravel()).max()))
    return found


@pytest.mark.parametrize("dtype, bound", [("float32", 1e-5), ("float64", 1e-12)])
def test_the_tutorial_in_all_its_files_is_the_network_itself(
    dtype: str, bound: float, tmp_path: Path
) -> None:
    """Pads, crops, HWC order, ε and slope: any of them wrong is a thousand times that."""
    G, D = pair(dtype)
    made = {}
    for name in ("{}.keras", "{}.weights.h5"):
        paths = []
        for own, net in (("G", G), ("D", D)):
            paths.append(tmp_path / name.format(own))
            net.save(paths[-1]) if name.endswith(".keras") else net.save_weights(paths[-1])
        made[name] = tutorial(*paths)
    optimisers = [keras.optimizers.Adam(1e-4) for _ in range(2)]
    for optimiser, net in zip(optimisers, (G, D), strict=True):
        optimiser.build(net.trainable_variables)
    saved = tf.train.Checkpoint(
        generator_optimizer=optimisers[0], discriminator_optimizer=optimisers[1],
        generator=G, discriminator=D,
    )  # fmt: skip
    folder = tmp_path / "training_checkpoints"
    written = Path(saved.save(str(folder / "ckpt")))
    for path in (written, folder, written.with_name(f"{written.name}.index")):
        made[str(path)] = tutorial(path)
    for name, own in made.items():
        assert own.dtype == dtype and not own.warnings
        found = differences(own, G, D, dtype)
        print(f"{name} {dtype}: {', '.join(f'{n:.1e}' for n in found)}")
        assert max(found) < bound
        assert own.recipe.latent_dim == 10 and own.recipe.width == W


def test_a_saved_model_has_the_same_variables(tmp_path: Path) -> None:
    G, D = pair()
    G.export(tmp_path / "saved", verbose=False)
    made = tutorial(tmp_path / "saved")
    assert differences(made, G, D, "float32", "G")[0] < 1e-5


def test_a_frozen_layer_moves_nothing(tmp_path: Path) -> None:
    """keras #12470: its list of weights then has another order."""
    G, D = pair()
    before = [variable.path for variable in G.weights]
    G.layers[1].trainable = G.layers[4].trainable = False
    assert [variable.path for variable in G.trainable_variables] != before
    G.save(tmp_path / "G.keras")
    G.save_weights(tmp_path / "G.weights.h5")
    for name in ("G.keras", "G.weights.h5"):
        assert differences(tutorial(tmp_path / name), G, D, "float32", "G")[0] < 1e-5


def test_what_is_off_by_a_pixel_or_in_another_order_is_seen(tmp_path: Path) -> None:
    """What makes the comparison worth something: the wrong tools' results are far away."""
    G, D = pair()
    G.save(tmp_path / "G.keras")
    D.save(tmp_path / "D.keras")
    made = tutorial(tmp_path / "G.keras", tmp_path / "D.keras")
    for name, wrong in (
        ("generator.7.weight", lambda w: np.roll(w, 1, 3)),
        ("generator.0.weight", _as_if_channels_first),
        ("generator.1.running_mean", _as_if_channels_first),
        ("discriminator.7.weight", lambda w: _as_if_channels_first(w.T).T),
    ):
        other = made._replace(state=made.state | {name: wrong(made.state[name])})
        assert max(differences(other, G, D, "float32")) > 1e-3, name


def _as_if_channels_first(w: np.ndarray) -> np.ndarray:
    """Rows in the other order, of 7×7 images."""
    return w.reshape(-1, 49, *w.shape[1:]).swapaxes(0, 1).reshape(w.shape)


def test_the_configuration_is_not_looked_at(tmp_path: Path) -> None:
    """keras #21602: a `.keras` whose configuration would run code has weights all the same."""
    G, D = pair()
    G.save(tmp_path / "G.keras")
    ran = tmp_path / "ran"
    code = {"class_name": "Lambda", "config": {"function": f"open({str(ran)!r}, 'w')"}}
    with zipfile.ZipFile(tmp_path / "G.keras") as file:
        h5 = file.read("model.weights.h5")
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as file:
        file.writestr("config.json", json.dumps(code))
        file.writestr("model.weights.h5", h5)
    assert differences(tutorial(tmp_path / "evil.keras"), G, D, "float32", "G")[0] < 1e-5
    assert not ran.exists()


def test_hdf5_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = np.ones((2, 2), np.float32)
    cases = {
        "links 'a' to another place": lambda f: f.__setitem__(
            "a", h5py.ExternalLink(str(tmp_path / "other.h5"), "kernel")),
        "links 'b' to another place": lambda f: f.__setitem__("b", h5py.SoftLink("/c")),
        "keeps 'c' in another file": lambda f: f.create_dataset(
            "c", (4,), "f4", external=[(str(tmp_path / "x.bin"), 0, 16)]),
        "array 'd' is object": lambda f: f.create_dataset("d", data=["text"]),
        "claims 40,000,000,000 bytes in a file of": lambda f: f.create_dataset(
            "e", (10**5, 10**5), "f4", chunks=(100, 100)),
        "holds .* twice": lambda f: f.create_group("g").__setitem__("h", f["g"]),
    }  # fmt: skip
    for words, spoil in cases.items():
        path = tmp_path / "spoilt.h5"
        with h5py.File(path, "w") as file:
            spoil(file)
        with pytest.raises(UserError, match=words):
            tutorial(path)


def test_a_process_that_hdf5_ends_is_a_refusal() -> None:
    with pytest.raises(UserError, match="so damaged that HDF5 ends over it .exit code -11."):
        reading_keras.verdict(-11, b"", b"")
    with pytest.raises(UserError, match="claims more memory"):
        reading_keras.verdict(2, b"", b"claims more memory than there is\n")


def test_a_checkpoint_without_its_numbers_says_what_is_missing(tmp_path: Path) -> None:
    G, _ = pair()
    path = Path(tf.train.Checkpoint(generator=G).save(str(tmp_path / "ckpt")))
    (tmp_path / f"{path.name}.data-00000-of-00001").unlink()
    with pytest.raises(UserError, match="lacks ckpt-1.data-00000-of-00001, which holds"):
        tutorial(path)
