"""Files and folders as other libraries leave them, with their labels; nothing is unpickled."""

import gzip
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from data.pictures import COLOUR, MLP, encoded, folder, plain, refused

import ganref
from ganref.data import load, mat, points_dimension
from ganref.spec import UserError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 28, 28), np.uint8)
RGB = RNG.integers(0, 256, (6, 3, 32, 32), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9])
POINTS = RNG.normal(size=(50, 2))
TOY = ganref.recipe("gaussian")
COLOUR32 = ganref.recipe("dcgan32").replace(batch_size=1, data_shape=(3, 32, 32))
NO_LIMIT = ganref.recipe("gaussian").replace(batch_size=1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may touch the person's own cache."""
    monkeypatch.setenv("GANREF_DATA", str(tmp_path / "cache"))


def idx(array: np.ndarray) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + shape + array.astype(np.uint8).tobytes()


# Points


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n{}", "{}", "\ufeffx,y\r\n{}", "x;y\n{;}", "x\ty\n{\t}", "{ }\n", "# made by me\n{}",
        '"first","second"\n{}',
    ],
)  # fmt: skip
def test_points_of_a_spreadsheet(tmp_path: Path, text: str) -> None:
    before, _, rest = text.partition("{")
    separator, _, after = rest.partition("}")
    rows = "\n".join(f"{x!r}{separator or ','}{y!r}" for x, y in POINTS.tolist())
    path = tmp_path / "points.CSV"
    path.write_text(before + rows + after, "utf-8", newline="")
    assert np.array_equal(load(str(path), TOY).array, POINTS)
    assert points_dimension(str(path)) == 2


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\n", "cannot be read .no rows"),
        (b"x,y\n", "cannot be read .no rows"),
        (b"x,y\n1,2\n3\n", "cannot be read .*as many numbers in each"),
        (b"x,y\n1,2\n3,four\n", "cannot be read .*four"),
        (b"1,2\n3,nan\n", "not finite"),
        (b"\xff\xfe1,2", "cannot be read"),
        (b"a,b\nc,d\n", "cannot be read"),
    ],
)
def test_spreadsheets_refused(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    refused(match, path, NO_LIMIT)


@pytest.mark.parametrize(
    ("text", "labels", "classes"),
    [
        ("x,y,label\n1,2,0\n3,4,1\n5,6,0\n", [0, 1, 0], ()),
        ("Class;x;y\n7;1;2\n9;3;4\n7;5;6\n", [7, 9, 7], ()),
        ('"x"\t"class"\t"y"\n1\tb\t2\n3\t"a"\t4\n5\tb\t6\n', [1, 0, 1], ("a", "b")),
        ("x y labels # three\n1 2 3.0\n# none\n3 4 1e0\n5 6 -0\n", [3, 1, 0], ()),
        ("x,y,label\n1,2,3\n3,4,cat\n5,6,3\n", [0, 1, 0], ("3", "cat")),
    ],
)
def test_a_column_of_classes(
    tmp_path: Path, text: str, labels: list[int], classes: tuple[str, ...]
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    data = load(str(path), NO_LIMIT)
    assert data.array.tolist() == [[1, 2], [3, 4], [5, 6]] and points_dimension(str(path)) == 2
    assert data.labels is not None and data.labels.dtype == np.int64
    assert (data.labels.tolist(), data.classes) == (labels, classes)


@pytest.mark.parametrize("header", ["", "x,y\n", "a,b\n", "X,Y\n"])
def test_y_is_a_coordinate(tmp_path: Path, header: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(header + "1,2\n3,4\n")
    data = load(str(path), NO_LIMIT)
    assert data.array.tolist() == [[1, 2], [3, 4]] and data.labels is None


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("x,y,label\n1,2,0\n3,4,\n", "row 2 has no label"),
        ("x,y,label\n1,2,0\n3,4\n", "row 2 has 2 columns, the header 3"),
        ("x,y,label\n1,2,0.5\n", "row 1 has the label 0.5, which is no whole number"),
        ("x,y,label\n1,2,0\n1,2,nan\n", "row 2 has the label nan, which is no whole number"),
        ("x,y,label\n1,2,1e99\n", "which is no whole number"),
        ("label,x,class\n1,2,0\n", "columns label and class would both be classes"),
        ("label\n1\n", "the column label has no points beside it"),
        ("x,y,label\n1,two,0\n", "two"),
        ("x,y,label\n", "no rows"),
    ],
)
def test_columns_of_classes_refused(tmp_path: Path, content: str, match: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    refused(match, path, NO_LIMIT)


def test_points_of_another_dimension_say_which_recipe_fits(tmp_path: Path) -> None:
    path = tmp_path / "points.npy"
    np.save(path, RNG.normal(size=(50, 5)))
    refused(r"are \(5,\); recipe.replace\(data_shape=\(5,\)\) takes them", path, TOY)
    assert load(str(path), TOY.replace(data_shape=(5,))).shape == (5,)
    assert points_dimension(str(path)) == 5


def test_dimension_of_points_by_name_and_path(tmp_path: Path) -> None:
    assert points_dimension("ring") == 2 and points_dimension("mnist") is None
    np.save(tmp_path / "x.npy", GREY)
    folder(tmp_path / "x", {"a.png": encoded(plain())})
    for name in ("x.npy", "x"):
        assert points_dimension(str(tmp_path / name)) is None
    with pytest.raises(UserError, match="no data 'nowhere'"):
        points_dimension("nowhere")
    (tmp_path / "x.txt").write_text("words")
    with pytest.raises(UserError, match="none of the files that are read") as caught:
        points_dimension(str(tmp_path / "x.txt"))
    assert "set of images" not in str(caught.value)


# Arrays


def test_suffixes_in_capitals(tmp_path: Path) -> None:
    for name, save in (("G.NPY", np.save), ("G.NPZ", np.savez)):
        with (tmp_path / name).open("wb") as file:
            save(file, GREY)
        assert np.array_equal(load(str(tmp_path / name), MLP).array[:, 0], GREY)


@pytest.mark.parametrize("names", [("X", "y"), ("x_train", "y_train"), ("images", "labels")])
@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_labels_of_an_npz(tmp_path: Path, names: tuple[str, str], shape: tuple[int, ...]) -> None:
    path, (X, y) = tmp_path / "mnist.npz", names
    np.savez(path, **{X: GREY, y: LABELS.reshape(shape), "x_test": GREY[:2], "y_test": LABELS[:2]})
    data = load(str(path), MLP)
    assert data.labels is not None and data.labels.tolist() == LABELS.tolist()
    assert np.array_equal(data.array[:, 0], GREY) and data.labels.dtype == np.int64
    np.savez(path, **{X: GREY, y: LABELS[:-1]})
    refused(r"has 6 examples but labels of shape \(5,\)", path, MLP)
    np.savez(path, **{X: GREY, y: LABELS / 2})
    refused("labels of float64; they must be whole", path, MLP)


def test_points_of_an_npz_have_labels_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=POINTS, y=np.arange(50) % 3)
    data = load(str(tmp_path / "x.npz"), TOY.replace(batch_size=1))
    assert data.labels is not None and data.labels.tolist() == [i % 3 for i in range(50)]
    np.save(tmp_path / "x.npy", POINTS)
    assert load(str(tmp_path / "x.npy"), TOY.replace(batch_size=1)).labels is None


def test_npz_with_several_arrays_says_how_it_should_be(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=GREY, b=GREY)
    refused("holds a, b; its images or points must be called X", tmp_path / "x.npz", MLP)
    np.savez(tmp_path / "one.npz", anything=GREY)
    assert len(load(str(tmp_path / "one.npz"), MLP)) == 6


def test_channels_last(tmp_path: Path) -> None:
    np.save(tmp_path / "rgb.npy", RGB.transpose(0, 2, 3, 1))
    np.save(tmp_path / "grey.npy", GREY[..., None])
    assert np.array_equal(load(str(tmp_path / "rgb.npy"), COLOUR32).array, RGB)
    assert np.array_equal(load(str(tmp_path / "grey.npy"), MLP).array[:, 0], GREY)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (GREY / 255, r"save \(x \* 255\).round\(\).astype\(np.uint8\), for these are from 0 to 1"),
        (GREY / 127.5 - 1, r"save \(\(x \+ 1\) \* 127.5\).round\(\)"),
        (GREY.astype(np.float32), "x.round.*for these are from 0 to 255"),
        (GREY.astype(int), "x.round.*for these are from 0 to 255"),
        (GREY > 9, r"x \* np.uint8\(255\)"),
        (GREY.astype(int) * 9 - 5, "scaled to 0 to 255, for these are from -5 to"),
        (RGB[:, [0, 1]], r"holds uint8 of shape \(6, 2, 32, 32\); it must be"),
        (GREY.reshape(6, 784), r"shape \(6, 784\); it must be"),
        (GREY[0, 0], r"shape \(28,\); it must be"),
        (np.array(3.0), r"shape \(\); it must be"),
    ],
)
def test_arrays_that_are_no_images_say_what_would_be(
    tmp_path: Path, array: np.ndarray, advice: str
) -> None:
    np.save(tmp_path / "x.npy", array)
    refused(advice, tmp_path / "x.npy", MLP)


def test_arrays_are_not_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.save(tmp_path / "x.npy", np.array([Trap()]), allow_pickle=True)
    np.savez(tmp_path / "x.npz", X=np.array([Trap()]))
    for name in ("x.npy", "x.npz"):
        refused("Python objects are never unpacked", tmp_path / name, MLP)
    for name in ("data.pkl", "data.pt", "data_batch_1"):
        # PyTorch wraps its pickles into an archive.
        pickled = b"PK\3\4" if name == "data.pt" else pickle.dumps(Trap())
        (tmp_path / name).write_bytes(pickled)
        refused("holds pickles, which may run any program .* np.savez", tmp_path / name, MLP)
    assert not (tmp_path / "sprung").exists()


def test_what_is_done_to_an_array_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    (tmp_path / "x.idx").write_bytes(idx(GREY))
    notes = [load(str(tmp_path / "x.npy"), r).note for r in (MLP, COLOUR32, COLOUR)]
    assert notes == [
        "",
        "6 images, 32×32, all resized (bilinear), turned colour",
        "6 images, 64×64, all resized (bilinear), turned colour",
    ]
    padded = load(str(tmp_path / "x.idx"), COLOUR32)
    assert padded.note == "6 images, 32×32, all padded with zeros, turned colour"
    assert np.array_equal(padded.array[:, 2, 2:-2, 2:-2], GREY)


# Headers that claim more than there is


def npy_header(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    text = repr({"descr": kind, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", [(10**6, 10**6, 10), (2**40, 2**40, 2**40), (-1, 28, 28)])
def test_headers_that_claim_too_much_take_no_memory(
    tmp_path: Path, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(*_: object, **__: object) -> None:
        raise AssertionError("memory would be asked for")

    monkeypatch.setattr(np.lib.format, "read_array", reading)
    raw = npy_header(shape) + bytes(1000)
    (tmp_path / "x.npy").write_bytes(raw)
    refused("too short for uint8 of shape", tmp_path / "x.npy", MLP)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", raw)
    refused("too short for uint8 of shape", tmp_path / "x.npz", MLP)


def test_idx_that_claims_too_much(tmp_path: Path) -> None:
    path = tmp_path / "x-ubyte"
    huge = bytes((0, 0, 8, 3)) + b"\xff" * 12
    path.write_bytes(huge + bytes(1000))
    refused("has too few bytes", path, MLP)
    path.write_bytes(gzip.compress(huge + bytes(1000)))
    refused("claims shape .* cannot hold", path, MLP)
    # More than it claims: the rest is not unpacked.
    path.write_bytes(gzip.compress(idx(GREY) + bytes(50 << 20)))
    refused("too many bytes", path, MLP)


def test_encrypted_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=GREY)
    raw = bytearray((tmp_path / "x.npz").read_bytes())
    raw[raw.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "x.npz").write_bytes(raw)
    refused("is encrypted; save it without", tmp_path / "x.npz", MLP)


# IDX and torchvision's folders


@pytest.mark.parametrize("images_zipped", [True, False])
@pytest.mark.parametrize("labels_zipped", [True, False])
def test_labels_beside_an_idx_are_found(
    tmp_path: Path, images_zipped: bool, labels_zipped: bool
) -> None:
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    for name, array, packed in zip(
        names, (GREY, LABELS), (images_zipped, labels_zipped), strict=True
    ):
        content = gzip.compress(idx(array)) if packed else idx(array)
        (tmp_path / f"{name}{'.gz' if packed else ''}").write_bytes(content)
    given = tmp_path / f"{names[0]}{'.gz' if images_zipped else ''}"
    data = load(str(given), MLP)
    assert data.labels is not None and data.labels.tolist() == LABELS.tolist()
    for path in tmp_path.glob("*labels*"):
        path.write_bytes(idx(LABELS[:2]))
    refused("has 6 images but .* has 2 labels", given, MLP)


def test_idx_alone_has_no_labels(tmp_path: Path) -> None:
    (tmp_path / "my.idx").write_bytes(idx(GREY))
    assert load(str(tmp_path / "my.idx"), MLP).labels is None


@pytest.mark.parametrize("inside", ["MNIST/raw/", "raw/", ""])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_folders_of_torchvision(tmp_path: Path, inside: str, suffix: str) -> None:
    pack = gzip.compress if suffix else bytes
    files = {
        f"{inside}train-images-idx3-ubyte{suffix}": pack(idx(GREY)),
        f"{inside}train-labels-idx1-ubyte{suffix}": pack(idx(LABELS)),
        f"{inside}t10k-images-idx3-ubyte{suffix}": pack(idx(GREY[:2])),
    }
    data = load(str(folder(tmp_path / "root", files)), MLP)
    assert data.labels is not None and data.labels.tolist() == LABELS.tolist()
    folder(tmp_path / "root" / "KMNIST" / "raw", {"train-images-idx3-ubyte": idx(GREY)})
    refused("holds several data sets; choose .*KMNIST", tmp_path / "root", MLP)


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py/"])
def test_pickles_of_cifar_are_refused(tmp_path: Path, inside: str) -> None:
    path = folder(tmp_path / "x", {f"{inside}data_batch_1": pickle.dumps({b"data": GREY})})
    refused("holds pickles, which may run any program and are never opened", path, COLOUR32)


# MATLAB's files


def matlab(path: Path, compressed: bool = True, **arrays: Any) -> Path:
    scipy.io.savemat(path, arrays, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    "kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
)  # fmt: skip
def test_arrays_are_those_that_scipy_reads(tmp_path: Path, kind: str, compressed: bool) -> None:
    arrays = {
        "X": RNG.integers(0, 100, (3, 4, 2, 5)).astype(kind),
        "y": np.arange(7, dtype=kind)[:, None], "z": np.ones((2, 0), kind), "one": np.array([[3]]),
        "words": "abc", "cells": np.array([1, "a"], object), "record": {"a": 1},
    }  # fmt: skip
    path = matlab(tmp_path / "x.mat", compressed, **arrays)
    found = mat.read_arrays(path, ("X", "y", "z", "one"))
    told = scipy.io.loadmat(path)
    for name, array in found.items():
        assert array.dtype == told[name].dtype and np.array_equal(array, told[name]), name
    assert set(found) == {"X", "y", "z", "one"}
    with pytest.raises(ValueError, match="no array of real numbers"):
        mat.read_arrays(path, ("cells",))


def test_files_of_matlab_that_are_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"X": GREY[0]}, format="4")
    refused("not MATLAB's version 5; save with -v7", path, COLOUR32)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + b"\x89HDF")
    refused("a version that is not 5; save with -v7", path, COLOUR32)


def test_matlab_file_that_claims_too_much(tmp_path: Path) -> None:
    header = b"MATLAB 5.0".ljust(124) + b"\0\1IM"
    packed = zlib.compress(struct.pack("<II", 14, 2**32 - 1) + bytes(100))
    path = tmp_path / "x.mat"
    path.write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)
    refused("claims 4,294,967,295 bytes", path, COLOUR32)
    path.write_bytes(header + struct.pack("<II", 14, 2**31))
    refused("ends too soon", path, COLOUR32)
    shape = b"\5\0\0\0\x10\0\0\0" + struct.pack("<4i", 2, 2, 3, 1)
    raw = bytearray(matlab(path, False, X=np.zeros((2, 2, 3, 1), np.uint8)).read_bytes())
    place = raw.index(shape)
    raw[place + 8 : place + 12] = struct.pack("<i", 2**31 - 1)
    path.write_bytes(raw)
    refused("X is not of its shape", path, COLOUR32)


def test_a_single_picture_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(encoded(plain()))
    refused(
        "none of the files that are read: a folder or zip of images", tmp_path / "x.png", COLOUR
    )
