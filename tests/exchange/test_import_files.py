"""Every format, written without a framework; what is wrong with files; runs that come of them."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from targets import THERE

from checks.fuzz import foreign, imports
from docs.making import exports
from ganref import (
    evaluate,
    export,
    import_weights,
    initial_weights,
    load_backend,
    recipe,
    sample,
    train,
)
from ganref.__main__ import main as program
from ganref.exchange import reading_keras
from ganref.exchange.inert_pickle import load
from ganref.exchange.matching import fits, unknown
from ganref.exchange.naming import modules
from ganref.exchange.reading import read
from ganref.import_weights import imported
from ganref.spec import UserError
from ganref.training.checkpoint import find
from ganref.training.run import Config

ROOT = Path(__file__).parents[2]
OURS = {name.replace("main", "generator", 1): array for name, array in imports.weights().items()}


def _layers(arrays: foreign.Arrays) -> list[tuple[str, foreign.Arrays]]:
    grouped: dict[str, foreign.Arrays] = {}
    for name, array in arrays.items():
        grouped.setdefault(name.rpartition(".")[0], {})[name] = array
    return [
        ("BatchNormalization" if len(own) == 4 else "ConvTranspose", own)
        for own in grouped.values()
    ]


WRITERS: dict[str, Callable[[], bytes]] = {
    "PyTorch, a zip": lambda: foreign.zipped(foreign.torch_zip(imports.weights())),
    "PyTorch, before 1.6": lambda: foreign.torch_legacy(imports.weights()),
    "safetensors": lambda: foreign.safe_bytes(*foreign.safetensors(imports.weights())),
    "npz": lambda: foreign.zipped(foreign.npz(imports.weights())),
    "npz, compressed": lambda: foreign.zipped(foreign.npz(imports.weights()), True),
    "npz in Keras' layout": lambda: foreign.zipped(foreign.npz(imports.weights("-", True))),
    "Gluon": lambda: foreign.gluon(imports.weights()),
    "ONNX": lambda: foreign.onnx(_layers(imports.weights())),
}


def made_of(data: bytes, folder: Path, name: str = "weights") -> import_weights.Imported:
    path = folder / name
    path.write_bytes(data)
    return imported([(path, *read(path))], "dcgan-nyu", None)


def same(found: foreign.Arrays) -> bool:
    return all(np.array_equal(found[name], array) for name, array in OURS.items())


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_is_the_same_weights(kind: str, tmp_path: Path) -> None:
    made = made_of(WRITERS[kind](), tmp_path)
    assert same(made.state) and made.recipe.latent_dim == 2 and made.recipe.width == 1


@pytest.mark.parametrize("graph", ["main/", "generator/layer_with_weights-"])
def test_a_checkpoint_of_tensorflow_is_too(graph: str, tmp_path: Path) -> None:
    arrays = {n.replace("main/", graph): a for n, a in imports.weights("/", True).items()}
    beside = {"optimizer/iter": np.ones((), np.float32), "save_counter": np.ones(1, np.float32)}
    slots = {f"{n}/.OPTIMIZER_SLOT/optimizer/m": a for n, a in arrays.items() if "kernel" in n}
    index, shard = foreign.tensorflow(arrays | beside | slots)
    (tmp_path / "ckpt-7.index").write_bytes(index)
    (tmp_path / "ckpt-7.data-00000-of-00001").write_bytes(shard)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/ckpt-7"\n')
    for path in (tmp_path, tmp_path / "ckpt-7", tmp_path / "ckpt-7.index"):
        assert same(imported([(path, *read(path))], "dcgan-nyu", None).state)


def test_keras_files_are_too(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    data = foreign.hdf5(imports.weights("/", True))
    assert same(made_of(data, tmp_path).state)
    assert same(made_of(foreign.zipped({reading_keras.WEIGHTS: data}), tmp_path).state)


def test_names_of_a_profile_tell_what_shapes_cannot() -> None:
    """Of two layers with the same shapes, the profile's name goes before the order of names."""
    asked = unknown(recipe("ring")).generator  # latent to width, and width to width
    shapes = {"a": (4, 4), "b": (4, 4), "c": (2, 4)}
    arrays = {f"{n}.weight": np.ones(s, np.float32) for n, s in shapes.items()}
    arrays |= {f"{n}.bias": np.ones(s[0], np.float32) for n, s in shapes.items()}
    for names, order in ((("b", "a", "c"), "bac"), ((), "abc"), (("x", "y", "z"), "abc")):
        (fit,) = fits(asked, modules(arrays), "torch", names)
        assert "".join(module.name for module in fit.pairs.values()) == order
        assert fit.alike == [(order[0], order[1])]


def test_numbers_in_other_orders_are_the_same(tmp_path: Path) -> None:
    """Big-endian, and column by column, as `.npy` may have them."""
    turned = {n: np.asfortranarray(a.astype(">f4")) for n, a in imports.weights().items()}
    assert same(made_of(foreign.zipped(foreign.npz(turned)), tmp_path).state)


@pytest.mark.parametrize("target", THERE)
def test_what_is_exported_comes_back(target: str, tmp_path: Path) -> None:
    """Bit by bit, through every format that is written here."""
    module = export.TARGETS[target]
    files = {"pytorch": ".pt", "keras": ".keras", "gluon": ".params"}
    for which in "GD":
        ((net, _, weights),) = exports.networks("dcgan32", which)
        module.save(net, module.build(net), tmp_path)
        ending = files.get(target, ".onnx" if target == "onnx" else ".npz")
        (path,) = tmp_path.glob(f"{net.stem}*{ending}")
        made = imported([(path, *read(path))], "dcgan32", None, which)
        for p in net.spec.params:
            assert np.array_equal(made.state[p.name], weights[p.name]), (path.name, p.name)


# Files that are not what they seem: one line, and no more memory than they have bytes.

HUGE = 10 * 2**30


def _huge_safetensors() -> bytes:
    entry = {"dtype": "F32", "shape": [HUGE // 4], "data_offsets": [0, HUGE]}
    return foreign.safe_bytes({"main.0.weight": entry}, bytes(900))


def _huge_npy() -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<f4", "fortran_order": False, "shape": (HUGE // 4,)})  # fmt: skip
    return foreign.zipped({"main.0.weight.npy": out.getvalue() + bytes(900)})


def _huge_gluon() -> bytes:
    shape = struct.pack("<iq", 1, HUGE // 4)
    head = struct.pack("<QQQIi", 0x112, 0, 1, 0xF993FAC9, 0)
    return head + shape + struct.pack("<iii", 1, 0, 0) + bytes(900)


def _huge_torch() -> bytes:
    members = foreign.torch_zip({"main.0.weight": np.ones(4, np.float32)})
    sixteen = b"J" + struct.pack("<i", 4)
    return foreign.zipped(members | {
        "w/data.pkl": members["w/data.pkl"].replace(sixteen, b"J" + struct.pack("<i", 2**31 - 1))
    })  # fmt: skip


def _huge_onnx() -> bytes:
    tensor = foreign.field(1, HUGE // 4) + foreign.field(2, 1) + foreign.field(8, "w")
    node = foreign.field(1, "x") + foreign.field(1, "w") + foreign.field(4, "Conv")
    graph = foreign.field(1, node) + foreign.field(5, tensor + foreign.field(9, bytes(900)))
    return foreign.field(1, 8) + foreign.field(7, graph)


def _bomb(name: str) -> bytes:
    return foreign.zipped({name: bytes(200 << 20)}, deflated=True)


def _pickle_of(opcodes: bytes) -> bytes:
    return foreign.zipped({"w/data.pkl": b"\x80\x02" + opcodes + b"."})


# Deeper and wider than any list has a right to be, and a memo at place four billion.
_LAUGHS = b"]q\x00" + b"".join(b"(" + b"h" + bytes([i]) * 1 + b"h" + bytes([i])
                               + b"t" + b"q" + bytes([i + 1]) for i in range(60))  # fmt: skip
BAD = {
    "lies beyond the end": _huge_safetensors,
    "which takes 10,737,418,240 bytes, and the file has": _huge_npy,
    "of 10,737,418,240 bytes lies beyond the end": _huge_gluon,
    "which takes 8,589,934,588 bytes, and the file has 16": _huge_torch,
    "which takes 10,737,418,240 bytes": _huge_onnx,
    "claims to unpack .* bytes to 209,715,200": lambda: _bomb("model.weights.h5"),
    "claims to unpack 2.* to 209,715,200": lambda: _bomb("w.npy"),
    "array 'w' is of objects, which are a pickle": lambda: foreign.zipped(
        {"w.npy": foreign.npz({"w": np.array([{}], object)})["w.npy"]}),
    "holds an object of class posix.system": lambda: _pickle_of(b"cposix\nsystem\n)R"),
    "holds an object of class builtins.bytearray": lambda: _pickle_of(
        b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R"),
    "holds an object of class torch.FloatStorage": lambda: _pickle_of(
        b"ctorch\nFloatStorage\nJ\xff\xff\xff\x7f\x85R"),
    "holds no weights by name": lambda: _pickle_of(_LAUGHS),
    "holds no weights by name; save them": lambda: _pickle_of(b"]r\xff\xff\xff\xff"),
    "holds a pickle with INST": lambda: _pickle_of(b"(ios\nsystem\n"),
    "holds no whole pickle": lambda: _pickle_of(b"h\x07"),
    "nothing that ganref knows": lambda: b"GIF89a" + bytes(90),
    "is nothing that ganref knows": lambda: b"",
    "is a zip archive, but of nothing": lambda: foreign.zipped({"picture.png": b"x"}),
    "is a pickle, which ganref does not run": lambda: b"\x80\x04]\x94.",
    "holds an object of class numpy": lambda: __import__("pickle").dumps(np.ones(3)),
    "is a checkpoint of ganref itself": lambda: foreign.safe_bytes(
        {"__metadata__": {"ganref": "{}"}}, b""),
    "is no whole file of safetensors": lambda: foreign.safe_bytes({"w": 1}, b""),
    "is F8_E4M3; ganref reads float32": lambda: foreign.safe_bytes(
        {"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, b"ab"),
    "sparse": lambda: struct.pack("<QQQIi", 0x112, 0, 1, 0xF993FAC9, 1) + bytes(90),
    "lies in another file; save the model in one": lambda: foreign.field(1, 8) + foreign.field(
        7, foreign.field(5, foreign.field(8, "w") + foreign.field(2, 1) + foreign.field(14, 1))),
}  # fmt: skip


@pytest.mark.parametrize("words", BAD)
def test_a_bad_file_is_one_line(words: str, tmp_path: Path) -> None:
    data = BAD[words]()
    tracemalloc.start()
    with pytest.raises(UserError, match=words) as error:
        made_of(data, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in str(error.value) and str(error.value).startswith(str(tmp_path))
    assert peak < 20 * len(data) + (4 << 20)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_truncated_file_is_one_line(kind: str, tmp_path: Path) -> None:
    data = WRITERS[kind]()
    for size in (1, 7, 40, len(data) // 2, len(data) - 20):
        with pytest.raises(UserError) as error:
            made_of(data[:size], tmp_path)
        assert "\n" not in str(error.value) and len(str(error.value)) < 900


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none", "there is no file"), (tmp_path, "is a folder without"),
                        (Path("/dev/null"), "cannot be read: it is no file")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            read(path)


def test_a_file_of_another_framework_says_what_fits_nearly(tmp_path: Path) -> None:
    """A tutorial's G for the example's recipe: nothing but words comes of it."""
    other = recipe("dcgan32").replace(width=1, latent_dim=2)
    arrays = {p.name: np.ones(p.shape, np.float32) for p in other.generator.params}
    with pytest.raises(UserError, match="does not fit recipe dcgan-nyu: as its G, .* is missing"):
        made_of(foreign.zipped(foreign.npz(arrays)), tmp_path)


def test_a_name_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    arrays = imports.weights() | {"\x1b[2Jevil\n.weight": np.ones((2, 2), np.float32)}
    with pytest.raises(UserError) as error:
        made_of(foreign.torch_legacy(arrays), tmp_path)
    assert r"leaves \x1b[2Jevil\n.weight over" in str(error.value)
    arrays = {"n" * 400: np.ones((2, 2), np.float32)}
    with pytest.raises(UserError, match="a name of 400 letters"):
        made_of(foreign.torch_legacy(arrays), tmp_path)


def test_nothing_is_imported_by_name_of_a_pickle() -> None:
    """The opcodes of a harmless name leave no module behind."""
    before = set(sys.modules)
    with pytest.raises(UserError, match="class this.s"):
        load(io.BytesIO(b"\x80\x02cthis\ns\n."))
    assert "this" not in set(sys.modules) - before


# The command.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    made = recipe("gaussian")
    weights = initial_weights(made, 3)
    weights = {n: (a + 0.25).astype(np.float32) for n, a in weights.items()}
    np.savez(folder / "toy.npz", **weights)  # type: ignore[arg-type]
    words = f"{folder / 'toy.npz'} --recipe gaussian --run-dir {folder / 'run'} --seed 4"
    assert import_weights.main(words.split()) == 0
    return folder / "run"


def test_a_run_samples_is_measured_goes_on_and_is_exported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = np.load(run.parent / "toy.npz")
    made = find(run)
    assert made.step == 0 and made.seed == 4 and made.dtype == "float32"
    assert all(np.array_equal(made.state[n], weights[n]) for n in weights)
    assert sample.main([str(run), "--out", str(tmp_path / "a.npy"), "--num", "5"]) == 0
    gan = load_backend("numpy").create(made.recipe, dict(weights))
    assert np.load(tmp_path / "a.npy").shape == (5, 2) and gan is not None
    assert evaluate.main([str(run), "--num", "200", "--out", str(tmp_path / "e")]) == 0
    words = ["--to", "numpy", "--net", "both", "-o", str(tmp_path / "out")]
    assert export.main([str(run), *words]) == 0
    assert train.main(["--resume", str(run), "--steps", "4", "--quiet"]) == 0
    assert find(run).step == 4
    capsys.readouterr()


def test_training_goes_on_as_from_these_weights(tmp_path: Path) -> None:
    """The first step of what goes on is the step of a GAN that begins with the weights."""
    made = recipe("gaussian")
    weights = {n: a.astype(np.float32) for n, a in initial_weights(made, 9).items()}
    np.savez(tmp_path / "w.npz", **weights)  # type: ignore[arg-type]
    where = ["--run-dir", str(tmp_path / "r"), "--seed", "9"]
    assert import_weights.main([str(tmp_path / "w.npz"), "--recipe", "gaussian", *where]) == 0
    assert train.main(["--resume", str(tmp_path / "r"), "--steps", "3", "--quiet"]) == 0
    assert train.main(["--run-dir", str(tmp_path / "t"), "--seed", "9", "--steps", "3",
                       "--quiet"]) == 0  # fmt: skip
    one, other = find(tmp_path / "r").state, find(tmp_path / "t").state
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_without_a_length_it_goes_on_for_the_recipe_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "w.npz", **initial_weights(recipe("gaussian")))  # type: ignore[arg-type]
    words = f"{tmp_path / 'w.npz'} --recipe gaussian --run-dir {tmp_path / 'r'}"
    assert import_weights.main(words.split()) == 0
    lengths: list[int] = []

    def trained(config: Config, *_: object) -> dict[str, float]:
        lengths.append(config.steps)
        return dict.fromkeys(("loss_D", "loss_G", "examples_per_sec"), 0.0)

    monkeypatch.setattr(train.loop, "train", trained)
    assert train.main(["--resume", str(tmp_path / "r"), "--quiet"]) == 0
    assert lengths == [2500]  # 20 epochs of 1,000 points


def test_the_map_is_written_and_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = run.parent / "again"
    words = f"{run.parent / 'toy.npz'} --recipe gaussian --run-dir {again}"
    assert import_weights.main(words.split()) == 0
    said = capsys.readouterr().out.splitlines()
    text = (again / "import.txt").read_text().splitlines()
    assert text == said[:-1] and said[-1].startswith(f"written: {again}")
    table = [line.split() for line in text if line.startswith("generator.0.")]
    assert table[0] == ["generator.0.weight", "generator.0.weight", "2×2", "as", "it", "is"]
    assert "Adam's moments are zero: training goes on as from its first step" in text
    assert any(line.startswith("from recipe gaussian, since no weights hold them") for line in text)


@pytest.mark.parametrize(
    "words, said",
    [
        ("", "name a file of weights"),
        ("toy.npz --recipe gaussian", "name a folder for the run with --run-dir"),
        ("toy.npz --run-dir new", "--recipe gaussian"),
        ("toy.npz --recipe dcgan-nyu --run-dir new", "does not fit recipe dcgan-nyu"),
        ("toy.npz --recipe none --run-dir new", "unknown recipe 'none'"),
        ("toy.npz --profile none --run-dir new", "unknown profile 'none'"),
        ("toy.npz --profile keras-wgan-gp --run-dir new", "needs an upsampling layer"),
        ("toy.npz --profile d2l --recipe mlp --run-dir new", "makes recipe dcgan, not mlp"),
        ("toy.npz --recipe gaussian --run-dir run", "holds a run"),
        ("toy.npz toy.npz --recipe gaussian --run-dir new", "the same network twice"),
        ("none.npz --recipe gaussian --run-dir new", "there is no file none.npz"),
        ("toy.npz --recipe gaussian --backend none --run-dir new", "none"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    words: str, said: str, run: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(run.parent)
    before = sorted(run.parent.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["ganref", "import", *words.split()])
    with pytest.raises(SystemExit) as stop:
        program()
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and out == ""
    assert said in err and len(err.splitlines()) == 1
    assert sorted(run.parent.rglob("*")) == before


def test_a_full_disk_leaves_nothing(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise UserError("no room")

    monkeypatch.setattr(import_weights, "write_atomically", full)
    words = f"{run.parent / 'toy.npz'} --recipe gaussian --run-dir {tmp_path / 'new'}"
    with pytest.raises(UserError, match="no room"):
        import_weights.main(words.split())
    assert list(tmp_path.iterdir()) == []


def test_the_list_has_every_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert import_weights.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    from ganref.exchange.profiles import PROFILES

    assert [line.split()[0] for line in lines] == list(PROFILES)
    assert any("ε 0.001, momentum 0.99; slopes 0.3" in line for line in lines)


def test_import_takes_no_framework(run: Path) -> None:
    """Readers know bytes: PyTorch's files too are read where there is no PyTorch."""
    path = run.parent / "G.pth"
    path.write_bytes(WRITERS["PyTorch, a zip"]())
    code = (
        "import sys\nfrom ganref.import_weights import main\n"
        f"main([{str(path)!r}, '--recipe', 'dcgan-nyu', '--run-dir', {str(run.parent / 'G')!r}])\n"
        "print([m for m in ('torch', 'tensorflow', 'mxnet', 'jax', 'onnx') if m in sys.modules])"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
