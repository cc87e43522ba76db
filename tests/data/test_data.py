"""The data: points against their laws, files in their true formats, and everything refused."""

import gzip
import io
import logging
import math
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import ganref
from ganref.data import DATASETS, Dataset, decode, load, modes, points, sources, store
from ganref.spec import Recipe, UserError

TOY, RING = ganref.recipe("gaussian"), ganref.recipe("ring")
MLP = ganref.recipe("mlp").replace(batch_size=2)
GREY32 = ganref.recipe("dcgan32").replace(batch_size=2)
COLOUR = ganref.recipe("dcgan").replace(batch_size=2)
COLOUR32 = GREY32.replace(data_shape=(3, 32, 32))

in_place = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test may touch the person's own cache."""
    monkeypatch.setenv("GANREF_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def refused(match: str | None, *args: Any, **keywords: Any) -> str:
    """The message with which `load` refuses, which must be one line."""
    with pytest.raises(UserError, match=match) as caught:
        load(*args, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Points


def test_gaussian_has_its_mean_and_covariance() -> None:
    A = np.array([[1, 2], [-0.1, 0.5]])
    X = points.gaussian(3, n=400_000)
    # Four standard errors of the largest entry.
    np.testing.assert_allclose(X.mean(0), [1, 2], atol=4 * 2.1 / math.sqrt(len(X)))
    np.testing.assert_allclose(np.cov(X.T), A.T @ A, atol=4 * 6.1 / math.sqrt(len(X)))
    assert load("gaussian", TOY).array.shape == (1000, 2)


def test_ring_and_grid_are_where_they_should_be() -> None:
    for name, count, radius, std in (("ring", 8, 2.0, 0.02), ("grid", 25, math.sqrt(32), 0.05)):
        data = load(name, RING, seed=1)
        centres, told = modes(name)
        assert data.labels is not None
        assert centres.shape == (count, 2) and told == std
        assert np.linalg.norm(centres, axis=1).max() == pytest.approx(radius)
        distance = np.linalg.norm(data.array[:, None] - centres, axis=-1)
        np.testing.assert_array_equal(distance.argmin(1), data.labels)
        offsets = data.array - centres[data.labels]
        assert offsets.std() == pytest.approx(std, rel=0.03)
        expected = len(data) / count
        assert np.abs(np.bincount(data.labels) - expected).max() < 5 * math.sqrt(expected)


def test_points_depend_on_the_seed_alone() -> None:
    for name, recipe in (("gaussian", TOY), ("ring", RING), ("grid", RING)):
        first, again, other = (load(name, recipe, seed=s).array for s in (5, 5, 6))
        assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_modes_of_what_is_no_mixture() -> None:
    with pytest.raises(UserError, match="ring, grid have"):
        modes("digits")


# Batches


def test_batch_of_images_is_normalised_as_the_recipes_say() -> None:
    array = np.arange(2 * 3 * 64, dtype=np.uint8).reshape(2, 3, 8, 8)
    data = Dataset("x", array)
    single, double = data.batch([1, 0]), data.batch([1, 0], dtype=np.float64)
    assert single.dtype == np.float32 and double.dtype == np.float64
    np.testing.assert_array_equal(double, (array[::-1] / 255 - 0.5) / 0.5)
    np.testing.assert_allclose(single, double, atol=2e-7)
    assert data.batch(np.array([[0, 1], [1, 1]])).shape == (2, 2, 3, 8, 8)
    extremes = Dataset("x", np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)).batch([0, 1])
    assert extremes.ravel().tolist() == [-1, 1]


def test_batch_of_points_is_as_they_are() -> None:
    data = load("gaussian", TOY)
    assert np.array_equal(data.batch([3, 1]), data.array[[3, 1]])
    assert data.batch([3], np.float32).dtype == np.float32
    assert data.shape == (2,) and len(data) == 1000


# What does not fit


def test_data_that_do_not_fit() -> None:
    assert "gaussian, ring, grid fit it" in refused("takes data of shape", "mnist", RING)
    assert "digits" in refused("takes data of shape", "ring", MLP)
    refused("no data 'nowhere'; there are gaussian", "nowhere", MLP)
    for name in ("", "a" * 5000, "a\0b", "~nobody/x"):
        refused("no data", name, MLP)
    refused("1797 examples, fewer than one batch of 1798", "digits", MLP.replace(batch_size=1798))
    refused(r"seed must be", "gaussian", TOY, seed=-1)


# Digits


@pytest.mark.parametrize("recipe", [MLP, GREY32, COLOUR])
def test_digits_in_every_shape(recipe: Recipe) -> None:
    data = load("digits", recipe)
    assert data.array.shape == (1797, *recipe.data_shape) and data.array.dtype == np.uint8
    assert data.labels is not None and np.bincount(data.labels).min() >= 170
    assert data.array.min() == 0 and data.array.max() == 255
    assert (data.array == data.array[:, :1]).all()
    # Averaged to 4×4 they are the digits they were (others correlate with 0.67).
    size = recipe.data_shape[1] // 4 * 4
    small = data.array[:, 0, :size, :size].reshape(1797, 4, size // 4, 4, size // 4).mean((2, 4))
    original = sources.digits()[0][:, 0].reshape(1797, 4, 2, 4, 2).mean((2, 4))
    assert np.corrcoef(small.ravel(), original.ravel())[0, 1] > 0.99


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    refused(r"scikit-learn, which is not installed; pip install .*\[data\]", "digits", MLP)


def test_import_takes_numpy_alone() -> None:
    code = (
        "import sys, ganref.data\n"
        "heavy = {'PIL', 'sklearn', 'scipy', 'pooch', 'requests', 'tqdm'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# IDX


def idx(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


arrays_of_bytes = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))


@in_place
@given(array=arrays_of_bytes, zipped=st.booleans())
def test_idx_round_trip(array: np.ndarray, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "x-ubyte"
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    read = sources.read_idx(path, array.ndim)
    assert read.dtype == np.uint8 and np.array_equal(read, array)


@in_place
@given(array=arrays_of_bytes, data=st.data())
def test_idx_that_is_cut_or_changed_in_its_header_is_refused(
    array: np.ndarray, data: st.DataObject, tmp_path: Path
) -> None:
    raw = bytearray(idx(array))
    if data.draw(st.booleans(), "cut"):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    elif data.draw(st.booleans(), "longer"):
        raw += b"x"
    else:
        place = data.draw(st.integers(0, 3 + 4 * array.ndim))
        raw[place] ^= data.draw(st.integers(1, 255))
        sizes = struct.unpack(f">{array.ndim}I", raw[4 : 4 + 4 * array.ndim])
        if raw[:4] == idx(array)[:4] and math.prod(sizes) == array.size:
            return
    path = tmp_path / "x-ubyte"
    path.write_bytes(raw)
    with pytest.raises(UserError):
        sources.read_idx(path, array.ndim)


@in_place
@given(raw=st.binary(max_size=40), zipped=st.booleans())
def test_any_bytes_are_read_or_refused(raw: bytes, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "x-ubyte"
    path.write_bytes(b"\x1f\x8b" + raw if zipped else raw)
    with pytest.raises(UserError):
        sources.read_idx(path, 3)


def test_idx_messages(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    good = idx(np.zeros((4, 28, 28), np.uint8))
    for content, match in (
        (b"\x00\x00\x0d\x03" + good[4:], "begins with 00000d03, not 00000803"),
        (good[:-1], "too few bytes for shape"),
        (good + b"x", "too many bytes"),
        (good[:9], "ends within its header"),
    ):
        path.write_bytes(gzip.compress(content))
        refused(match, str(path), MLP)
    path.write_bytes(gzip.compress(good)[:-20])
    refused("cannot be read", str(path), MLP)
    path.write_bytes(gzip.compress(good))
    assert load(str(path), MLP).array.shape == (4, 1, 28, 28)


# The published data sets, in their formats, as if they had been downloaded


def place(monkeypatch: pytest.MonkeyPatch, cache: Path, name: str, *contents: bytes) -> None:
    """Put files into the cache as those of a data set, with their checksums in the table."""
    import hashlib

    (cache / name).mkdir(parents=True)
    files = []
    for file, content in zip(sources.FILES[name], contents, strict=True):
        (cache / name / file.name).write_bytes(content)
        files.append(sources.File(file.name, "md5:" + hashlib.md5(content).hexdigest(), ()))
    monkeypatch.setitem(sources.FILES, name, tuple(files))


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (6, 28, 28), np.uint8), rng.integers(0, 10, 6, np.uint8)
    place(monkeypatch, cache, "mnist", gzip.compress(idx(X)), gzip.compress(idx(y)))
    return X, y


def test_mnist_as_it_is_padded_and_resized(mnist: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = mnist
    plain, padded, resized = (load("mnist", r) for r in (MLP, GREY32, COLOUR))
    assert plain.labels is not None
    assert np.array_equal(plain.array[:, 0], X) and np.array_equal(plain.labels, y)
    assert np.array_equal(padded.array[:, 0, 2:-2, 2:-2], X)
    assert padded.array.sum() == X.sum(dtype=int)
    assert resized.array.shape == (6, 3, 64, 64)
    assert resized.array.mean() == pytest.approx(X.mean(), rel=0.02)
    colour = load("mnist", COLOUR32).array
    assert (colour == padded.array).all() and colour.shape == (6, 3, 32, 32)


def test_labels_of_another_number_are_refused(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    X, y = np.zeros((3, 28, 28), np.uint8), np.zeros(4, np.uint8)
    place(monkeypatch, cache, "fashion-mnist", idx(X), idx(y))
    refused("has 3 images but .* has 4 labels", "fashion-mnist", MLP)


def mat(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    scipy.io.savemat(out, arrays, do_compression=True)
    return out.getvalue()


def test_svhn(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), np.uint8)
    place(monkeypatch, cache, "svhn", mat(X=X, y=np.array([[1], [10], [3], [9]], np.uint8)))
    data = load("svhn", COLOUR32)
    assert data.labels is not None and data.labels.tolist() == [1, 0, 3, 9]
    for i in range(4):
        assert np.array_equal(data.array[i].transpose(1, 2, 0), X[..., i])
    grey = load("svhn", GREY32).array[:, 0].transpose(1, 2, 0)
    luminance = np.tensordot(X, [0.299, 0.587, 0.114], ([2], [0]))
    assert np.abs(grey - luminance).max() <= 1


def test_mat_refused(tmp_path: Path) -> None:
    path = tmp_path / "train_32x32.mat"
    X = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), np.uint8)
    for content, match in (
        (mat(images=X), "has no X; it must hold X"),
        (mat(X=X.astype(float)), "is float64 of shape"),
        (mat(X=X[:, :, 0]), "of shape"),
        (mat(X=X, y=np.zeros(3)), "has 4 images but 3 labels"),
        (mat(X=X)[:300], "no .mat file"),
        (b"nothing", "no .mat file"),
    ):
        path.write_bytes(content)
        refused(match, str(path), COLOUR32)


def test_pokemon_takes_sprites_of_several_sizes(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i, size in enumerate((40, 64, 96)):
            archive.writestr(f"pokemon/a/{i}.png", png(size, size, "RGB", 50 * i))
    place(monkeypatch, cache, "pokemon", out.getvalue())
    data = load("pokemon", COLOUR)
    assert data.array[:, 0, 0, 0].tolist() == [0, 50, 100]


def test_every_published_file_has_a_checksum_and_a_mirror() -> None:
    for files in sources.FILES.values():
        for file in files:
            algorithm, digest = file.checksum.split(":")
            assert len(digest) == {"md5": 32, "sha1": 40}[algorithm]
            assert len(file.urls) >= 2 and all(u.endswith(f"/{file.name}") for u in file.urls)
    assert set(sources.FILES) < set(DATASETS)


# Folders and zips


def png(width: int, height: int, mode: str = "RGB", value: Any = 0, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    colour = (value,) * 3 if mode == "RGB" and isinstance(value, int) else value
    Image.new(mode, (width, height), colour).save(out, form)
    return out.getvalue()


def folder(tmp_path: Path, **contents: bytes) -> str:
    """A folder of files; in their names `__` stands for a dot and `_in_` for a slash."""
    root = tmp_path / "pictures"
    for name, content in contents.items():
        path = root / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(root)


def zipped(tmp_path: Path, contents: dict[str, bytes]) -> str:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return str(path)


def test_folder_is_read_in_order_whatever_the_format(tmp_path: Path) -> None:
    forms = {"b__png": "PNG", "a_in_z__BMP": "BMP", "c__gif": "GIF", "d__webp": "WEBP"}
    forms |= {"e__ppm": "PPM", "f__jpeg": "JPEG", "g__jpg": "JPEG"}
    order = ["a_in_z__BMP", *sorted(n for n in forms if n[1] != "_" or n[2] == "_")]
    files = {name: png(64, 64, "RGB", 30 * order.index(name), form) for name, form in forms.items()}
    path = folder(tmp_path, readme__txt=b"no image", __hidden__png=b"x", **files)
    data = load(path, COLOUR)
    assert data.array.shape == (7, 3, 64, 64)
    assert data.note == (
        "7 images in 2 folders, 64×64; skipped: 1 file that is no image (first: readme.txt),"
        " 1 hidden (first: .hidden.png)"
    )
    np.testing.assert_allclose(data.array[:, 1, 5, 5], 30 * np.arange(7), atol=2)


def test_zip_is_read_like_a_folder(tmp_path: Path) -> None:
    files = {f"a/{i}.png": png(64, 64, "RGB", i) for i in range(3)}
    junk = {"__MACOSX/a/._0.png": b"x", "a/._1.png": b"x", "a/notes.txt": b"x"}
    data = load(zipped(tmp_path, files | junk), COLOUR)
    assert data.array[:, 0, 0, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/x.png", "C:\\x.png", "a\\..\\x"])
def test_archive_that_would_land_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path, {"ok.png": png(64, 64), name: png(64, 64)})
    refused("would land outside its folder", path, COLOUR)


def test_no_images(tmp_path: Path) -> None:
    refused("holds no images .* 1 file that is no image", folder(tmp_path, notes__txt=b"x"), COLOUR)
    refused("holds no images", zipped(tmp_path, {"a.txt": b"x"}), COLOUR)
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK\x03\x04 but no zip")
    refused("is no zip", str(bad), COLOUR)
    (tmp_path / "x.tar").write_bytes(b"x")
    refused("none of the files that are read: a folder or zip", str(tmp_path / "x.tar"), COLOUR)
    refused("takes points", folder(tmp_path, a__png=png(64, 64)), TOY)


def test_unreadable_images_are_named_and_skipped_or_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = png(64, 64, "RGB", 7)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    files = {"a__png": whole, "b__png": out.getvalue()[:-2000], "c__jpg": b"text", "d__png": whole}
    path = folder(tmp_path, e__png=b"", **files)
    with caplog.at_level(logging.WARNING, "ganref"):
        data = load(path, COLOUR)
    assert len(data) == 2 and (data.array == 7).all()
    assert data.note == "2 images, 64×64; skipped: 3 unreadable (first: b.png)"
    assert [r.getMessage() for r in caplog.records] == [f"{path}: {data.note}"]
    for name in ("e.png", "b.png", "c.jpg"):
        refused(f"{name} in .* cannot be read [(]unreadable", path, COLOUR, strict=True)
        (Path(path) / name).unlink()
    assert len(load(path, COLOUR, strict=True)) == 2


@pytest.mark.parametrize("resident", [store.RESIDENT, 0])
def test_all_images_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: int
) -> None:
    monkeypatch.setattr(store, "RESIDENT", resident)
    refused("holds no images .* 2 unreadable", folder(tmp_path, a__png=b"x", b__jpg=b""), COLOUR)


def test_member_that_is_damaged_in_the_archive_is_skipped(tmp_path: Path) -> None:
    path = Path(zipped(tmp_path, {f"{i}.bmp": png(64, 64, "RGB", i, "BMP") for i in range(3)}))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"1.bmp") + 12] ^= 0xFF
    path.write_bytes(raw)
    data = load(str(path), COLOUR)
    assert len(data) == 2 and "1.bmp" in data.note


def test_mixed_sizes_and_channels(tmp_path: Path) -> None:
    square, wide, grey = png(64, 64), png(80, 64), png(64, 64, "L")
    for name, other, match in (
        ("sizes", wide, "b.png is 80×64 colour but a.png is 64×64 colour; --mixed"),
        ("channels", grey, "b.png is 64×64 grey but a.png is 64×64 colour; --mixed"),
    ):
        path = folder(tmp_path / name, a__png=square, b__png=other, c__png=square)
        refused(match, path, COLOUR)
        assert load(path, COLOUR, mixed=True).array.shape == (3, 3, 64, 64)


def test_palette_and_alpha_do_not_count_as_mixed(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    clear.paste((10, 20, 30, 255), (0, 0, 32, 64))
    out = io.BytesIO()
    clear.save(out, "PNG")
    palette = io.BytesIO()
    Image.new("RGB", (64, 64), (10, 20, 30)).quantize(4).save(palette, "PNG")
    data = load(folder(tmp_path, a__png=out.getvalue(), b__png=palette.getvalue()), COLOUR)
    assert data.array[0, :, 0, 0].tolist() == [10, 20, 30]
    assert data.array[0, :, 0, 63].tolist() == [255, 255, 255]
    assert data.array[1, :, 0, 0].tolist() == [10, 20, 30]


def test_grey_alpha_sixteen_bits_and_bilevel(tmp_path: Path) -> None:
    deep = io.BytesIO()
    Image.fromarray(np.full((32, 32), 100 * 257 + 57, np.uint16)).save(deep, "PNG")
    files = {"a__png": deep.getvalue(), "b__png": png(32, 32, "LA", (50, 0))}
    files |= {"c__png": png(32, 32, "1", 1), "d__png": png(32, 32, "LA", (50, 255))}
    data = load(folder(tmp_path, **files), GREY32)
    assert data.array[:, 0, 0, 0].tolist() == [100, 255, 255, 50]


def test_turned_photographs_are_upright(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32] = 255
    exif = Image.Exif()
    exif[0x0112] = 3
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", exif=exif)
    data = load(folder(tmp_path, a__png=out.getvalue(), b__png=png(64, 64)), COLOUR)
    assert data.array[0, 0, 0, 0] == 0 and data.array[0, 0, 63, 0] == 255


def test_other_sizes_are_scaled_and_cropped_in_the_middle(tmp_path: Path) -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 255
    out = io.BytesIO()
    Image.fromarray(wide).save(out, "PNG")
    data = load(folder(tmp_path, a__png=out.getvalue(), b__png=out.getvalue()), COLOUR)
    assert data.array.shape == (2, 3, 64, 64) and data.array[..., 1:-1].min() == 255


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder(tmp_path, a__png=png(64, 64), b__png=png(64, 64))
    for limit in (64 * 64 - 1, 64 * 64 // 3):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        refused(f"2 of more than {limit:,} pixels .first: a.png", path, COLOUR)
        refused("a.png .*of more than", path, COLOUR, strict=True)


# Many images


def test_many_images_are_mapped_and_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    files = {f"f{i}__bmp": png(64, 64, "RGB", i, "BMP") for i in range(5)} | {"f3__bmp": b"x"}
    path = folder(tmp_path, **files)
    resident = load(path, COLOUR)
    assert not cache.exists()
    monkeypatch.setattr(store, "RESIDENT", 1000)
    mapped = load(path, COLOUR)
    assert isinstance(mapped.array, np.memmap) and not isinstance(resident.array, np.memmap)
    assert np.array_equal(mapped.array, resident.array) and mapped.note == resident.note
    assert type(mapped.batch([0, 3])) is np.ndarray
    with monkeypatch.context() as patch:
        patch.setattr(decode, "decode", None)
        again = load(path, COLOUR)
    assert np.array_equal(again.array, resident.array) and again.note == resident.note
    # Another picture of the same size in bytes.
    (tmp_path / "pictures" / "f0.bmp").write_bytes(png(64, 64, "RGB", 99, "BMP"))
    assert load(path, COLOUR).array[0, 0, 0, 0] == 99
    assert {p.suffix for p in (cache / "arrays").iterdir()} == {".npy", ".json"}


def test_interrupted_decoding_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(store, "RESIDENT", 0)
    path = folder(tmp_path, a__png=png(64, 64), b__png=png(64, 65))
    refused("--mixed", path, COLOUR)
    assert list((cache / "arrays").iterdir()) == []


def test_damaged_array_in_the_cache_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(store, "RESIDENT", 0)
    path = folder(tmp_path, a__png=png(64, 64, "RGB", 8), b__png=png(64, 64, "RGB", 9))
    load(path, COLOUR)
    (file,) = (cache / "arrays").glob("*.npy")
    file.write_bytes(file.read_bytes()[:-1])
    assert load(path, COLOUR).array[:, 0, 0, 0].tolist() == [8, 9]


# Arrays


def test_arrays_of_points_and_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, grey = rng.normal(size=(20, 2)), rng.integers(0, 256, (4, 28, 28), np.uint8)
    np.save(tmp_path / "points.npy", X.astype(np.float32))
    np.savez(tmp_path / "grey.npz", grey)
    np.save(tmp_path / "colour.npy", np.zeros((4, 3, 32, 32), np.uint8))
    assert np.array_equal(load(str(tmp_path / "points.npy"), TOY).array, X.astype(np.float32))
    assert np.array_equal(load(str(tmp_path / "grey.npz"), MLP).array[:, 0], grey)
    assert load(str(tmp_path / "colour.npy"), COLOUR).shape == (3, 64, 64)
    refused("takes data of shape", str(tmp_path / "points.npy"), MLP)
    refused("takes data of shape", str(tmp_path / "grey.npz"), TOY)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((4, 2), int), "holds int64 of shape"),
        (np.zeros((4, 28, 28)), "holds float64 of shape"),
        (np.array([[np.nan, 0], [0, 0]]), "not finite"),
        (np.array([{}], object), "cannot be read"),
        (np.zeros((4, 0, 28), np.uint8), "have no pixels"),
    ],
)
def test_arrays_refused(tmp_path: Path, array: np.ndarray, match: str) -> None:
    np.save(tmp_path / "x.npy", array)
    refused(match, str(tmp_path / "x.npy"), MLP if array.ndim == 3 else TOY)


def test_damaged_arrays_refused(tmp_path: Path) -> None:
    for name, content in (("x.npy", b"\x93NUMPY"), ("x.npz", b"PK\x03\x04"), ("y.npy", b"x")):
        (tmp_path / name).write_bytes(content)
        refused("cannot be read", str(tmp_path / name), TOY)
