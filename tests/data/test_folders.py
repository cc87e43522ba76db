"""Folders and zips: every image in them is used, and whatever is not is said. Nothing hangs."""

import os
import signal
import socket
import stat
import struct
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.pictures import COLOUR, encoded, folder, plain, refused, zipped
from PIL import Image, features

from ganref.data import load, store
from ganref.data.listing import MEMBER_LIMIT, classes_of

PNG = encoded(plain(7))


@pytest.fixture(autouse=True)
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test touches the person's own cache, and none may hang."""
    monkeypatch.setenv("GANREF_DATA", str(tmp_path / "cache"))

    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# Every format, by content


def test_whatever_pillow_reads_is_an_image_whatever_it_is_called(tmp_path: Path) -> None:
    forms = {"a.tif": "TIFF", "b.jfif": "JPEG", "c.pgm": "PPM", "d.TGA": "TGA",
             "e.jp2": "JPEG2000", "f": "PNG", "g.txt": "BMP", "h.png": "TIFF", "i.ico": "ICO",
             "j.sgi": "SGI"}  # fmt: skip
    if features.check("avif"):
        forms["k.avif"] = "AVIF"
    files = {
        name: encoded(plain(20 * i), form, **({"sizes": [(64, 64)]} if form == "ICO" else {}))
        for i, (name, form) in enumerate(sorted(forms.items()))
    }
    for path in (folder(tmp_path / "x", files), zipped(tmp_path / "x.zip", files)):
        data = load(str(path), COLOUR)
        assert data.note == f"{len(forms)} images, 64×64"
        wanted = [20 * sorted(forms).index(name) for name in sorted(forms)]
        np.testing.assert_allclose(data.array[:, 0, 9, 9], wanted, atol=3)


def test_decoders_that_run_programs_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr("subprocess.check_call", lambda *args, **_: started.append(args))
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *args: started.append(args))
    eps = encoded(plain(), "EPS")
    data = load(str(folder(tmp_path / "x", {"a.png": PNG, "b.eps": eps, "c.png": eps})), COLOUR)
    assert data.note == "1 image, 64×64; skipped: 2 unreadable (first: b.eps)"
    assert not started


# The same in a folder and a zip


def test_what_is_left_out_is_the_same_in_a_folder_and_a_zip(tmp_path: Path) -> None:
    files = {"a/1.png": PNG, "b/2.png": PNG, "b/c/3.png": PNG}
    files |= {".hidden.png": PNG, "a/._1.png": b"note", ".ipynb_checkpoints/1.png": PNG}
    files |= {"__MACOSX/a/1.png": PNG, "Thumbs.db": b"x", "b/desktop.ini": b"x"}
    files |= {"readme.txt": b"words", "list.csv": b"1,2", "b/broken.jpg": b"no"}
    notes = {
        load(str(path), COLOUR, progress=False).note
        for path in (folder(tmp_path / "x", files), zipped(tmp_path / "x.zip", files))
    }
    assert notes == {
        "3 images in 3 folders, 64×64; skipped: 2 files that are no images (first: list.csv),"
        " 6 hidden (first: .hidden.png), 1 unreadable (first: b/broken.jpg)"
    }


def test_a_folder_may_itself_lie_in_a_hidden_one(tmp_path: Path) -> None:
    path = folder(tmp_path / ".cache" / "x", {"a.png": PNG})
    assert load(str(path), COLOUR).note == "1 image, 64×64"


def test_names_cannot_break_the_line(tmp_path: Path) -> None:
    path = folder(tmp_path / "two\nlines", {"a.png": PNG, "b\n\x1b[2J.txt": b"x"})
    assert load(str(path), COLOUR).note.isprintable()
    os.rename(path / "a.png", path / "c\r.png")
    (path / "c\r.png").write_bytes(PNG[:60])
    refused("unreadable", path, COLOUR)
    refused("unreadable", path, COLOUR, strict=True)
    (tmp_path / os.fsdecode(b"raw\xff")).mkdir()
    refused("no images", tmp_path / os.fsdecode(b"raw\xff"), COLOUR)


# Links


def test_linked_folders_are_followed_and_cycles_are_not(tmp_path: Path) -> None:
    root = folder(tmp_path / "x", {"a/1.png": PNG})
    folder(tmp_path / "elsewhere", {"2.png": PNG, "deep/3.png": PNG})
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "again").symlink_to(root)
    (tmp_path / "elsewhere" / "deep" / "up").symlink_to(tmp_path / "elsewhere")
    (root / "4.png").symlink_to(root / "a" / "1.png")
    (root / "5.png").symlink_to(root / "nowhere.png")
    (root / "6.png").symlink_to(root / "6.png")
    note = load(str(root), COLOUR).note
    assert note.startswith(
        "4 images in 4 folders, 64×64; skipped: 2 linked folders that were there"
    )
    assert "2 unreadable (first: 5.png)" in note


def test_a_folder_is_named_by_its_own_place_before_a_link(tmp_path: Path) -> None:
    root = folder(tmp_path / "x", {"zebra/1.png": PNG, "cat/2.png": PNG})
    (root / "all").symlink_to(root / "zebra")
    data = load(str(root), COLOUR)
    assert len(data) == 2 and data.classes == ("cat", "zebra")
    assert "1 linked folder that was there already (first: all)" in data.note


def test_many_links_to_one_another_end(tmp_path: Path) -> None:
    for i in range(30):
        place = folder(tmp_path / "x" / f"{i}", {"a.png": PNG})
        for j in range(2):
            (place / f"link{j}").symlink_to(tmp_path / "x" / f"{(i + 1) % 30}")
    assert len(load(str(tmp_path / "x"), COLOUR)) == 30


# What cannot be opened


def test_folder_that_cannot_be_opened_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder(tmp_path / "x", {"a.png": PNG, "locked/b.png": PNG})
    scandir = os.scandir

    def refusing(place: Any) -> Any:
        # To root nothing is closed.
        if str(place).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refusing)
    note = load(str(path), COLOUR).note
    assert note == "1 image, 64×64; skipped: 1 folder that cannot be opened (first: locked)"
    refused("locked in .* cannot be read", path, COLOUR, strict=True)


def test_pipes_sockets_and_devices_are_no_files(tmp_path: Path) -> None:
    path = folder(tmp_path / "x", {"a.png": PNG})
    os.mkfifo(path / "b.png")
    (path / "c.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as unix:
        before = os.getcwd()
        os.chdir(path)
        unix.bind("d.png")
        os.chdir(before)
        for strict in (False, True):
            note = load(str(path), COLOUR, strict=strict).note
            assert note == "1 image, 64×64; skipped: 3 that are no regular files (first: b.png)"
    for given in (path / "b.png", "/dev/zero", path / "d.png"):
        refused("is a device, pipe or socket; data are in a regular", given, COLOUR)
    os.mkfifo(tmp_path / "points.npy")
    refused("device, pipe or socket", tmp_path / "points.npy", COLOUR)


def test_empty_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of /proc are, to look at, and some of them give nothing until something happens."""
    path = folder(tmp_path / "x", {"a.png": PNG, "b.png": b"", "c": b""})
    original = Path.open

    def opening(self: Path, *args: Any, **how: Any) -> Any:
        assert self.stat().st_size, f"{self} is opened"
        return original(self, *args, **how)

    monkeypatch.setattr(Path, "open", opening)
    assert load(str(path), COLOUR).note == (
        "1 image, 64×64; skipped: 1 file that is no image (first: c), 1 unreadable (first: b.png)"
    )
    refused("b.png .* cannot be read", path, COLOUR, strict=True)
    refused("is empty; data are a folder or zip", path / "c", COLOUR)
    (path / "x.npy").touch()
    refused("is empty", path / "x.npy", COLOUR)


def test_truncated_photograph_is_named_or_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = encoded(noise, "JPEG")
    path = folder(tmp_path / "x", {"a.jpg": whole, "b.jpg": whole[: len(whole) // 2]})
    assert load(str(path), COLOUR).note == "1 image, 64×64; skipped: 1 unreadable (first: b.jpg)"
    refused("b.jpg in .* cannot be read .unreadable.; remove it", path, COLOUR, strict=True)


# Too much


def test_a_photograph_beyond_the_limit_is_decoded_at_a_fraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = np.zeros((160, 320, 3), np.uint8)
    wide[:, 160:] = 255
    files = {"a.jpg": encoded(wide, "JPEG"), "b.png": encoded(wide), "c.jpg": encoded(wide, "JPEG")}
    path = folder(tmp_path / "x", files)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000)
    data = load(str(path), COLOUR)
    assert data.note == (
        "2 images, 64×64, 2 resized (bilinear), 2 cropped to squares;"
        " skipped: 1 of more than 40,000 pixels (first: b.png)"
    )
    assert data.array[0, 0, 32, 4] < 9 and data.array[0, 0, 32, 60] > 246
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        packed = load(str(zipped(tmp_path / "x.zip", files)), COLOUR)
    assert packed.note == data.note and np.array_equal(packed.array, data.array)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    refused("3 of more than 20,000 pixels", path, COLOUR)


def test_archive_that_claims_more_than_it_can_hold_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.png": PNG, "b.png": PNG})
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\1\2")
    raw[entry + 24 : entry + 28] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(raw)
    refused("claims to hold 4,294,967,.* do not trust it", path, COLOUR)


def test_members_that_are_too_large_or_encrypted_are_left_out(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(400_000)
    path = zipped(tmp_path / "x.zip", {"a.png": PNG, "b.png": PNG, "c.png": PNG, "d.bin": noise})
    raw = bytearray(path.read_bytes())
    second = raw.index(b"PK\1\2", raw.index(b"PK\1\2") + 1)
    raw[second + 24 : second + 28] = struct.pack("<I", MEMBER_LIMIT + 1)
    third = raw.index(b"PK\1\2", second + 1)
    raw[third + 8] |= 1
    path.write_bytes(raw)
    assert load(str(path), COLOUR).note == (
        "1 image, 64×64; skipped: 1 encrypted (first: c.png), 1 file that is no image (first:"
        " d.bin), 1 of more than 256 MiB unpacked (first: b.png)"
    )
    refused("cannot be read .(encrypted|of more)", path, COLOUR, strict=True)


def test_what_is_no_image_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", {"a.png": PNG, "b.bin": bytes(1 << 20)})
    read = []
    original = zipfile.ZipFile.read
    monkeypatch.setattr(
        zipfile.ZipFile, "read", lambda self, name: read.append(name) or original(self, name)
    )
    load(str(path), COLOUR)
    assert read == ["a.png"]


def test_member_without_a_name_does_no_harm(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.png": PNG, "b.png": PNG, "c": b"x"})
    path.write_bytes(path.read_bytes().replace(b"b.png", b"\0.png"))
    assert len(load(str(path), COLOUR)) == 2


# Classes


def test_classes_are_the_folders_of_the_images_that_are_used(tmp_path: Path) -> None:
    files = {"cat/1.png": PNG, "cat/2.png": b"no", "dog/deep/3.png": PNG, "dog/4.png": PNG}
    for around in ("", "train/", "data/train/"):
        inside = {around + name: content for name, content in files.items()}
        path = zipped(tmp_path / f"{len(around)}.zip", inside)
        for data in (load(str(path), COLOUR), load(str(path), COLOUR, mixed=True)):
            assert data.labels is not None and data.labels.dtype == np.int64
            assert (data.labels.tolist(), data.classes) == ([0, 1, 1], ("cat", "dog"))


@pytest.mark.parametrize(
    "names",
    [["1.png", "a/2.png"], ["a/1.png", "a/2.png"], ["train/1.png", "test/2.png"], []],
)
def test_folders_that_are_no_classes(names: list[str]) -> None:
    assert classes_of(names) is None


# The cache


def test_note_labels_and_mode_come_back_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"cat/1.png": PNG, "cat/2.png": b"no", "dog/3.png": encoded(plain(3, (80, 70))),
             "words.txt": b"x", ".hidden": b""}  # fmt: skip
    path = folder(tmp_path / "x", files)
    direct = load(str(path), COLOUR, mixed=True)
    monkeypatch.setattr(store, "RESIDENT", 0)
    before = os.umask(0o027)
    try:
        load(str(path), COLOUR, mixed=True)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "cache" / "arrays").iterdir()}
    assert modes == {0o640}
    again = load(str(path), COLOUR, mixed=True)
    assert isinstance(again.array, np.memmap) and again.labels is not None
    assert (again.note, again.classes) == (direct.note, ("cat", "dog"))
    assert again.labels.tolist() == [0, 1] and again.identity == direct.identity
    other = load(str(path), COLOUR, mixed=True, resize="nearest")
    assert "resized (nearest)" in other.note and "resized (bilinear)" in again.note


def test_array_in_the_cache_that_is_another_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "RESIDENT", 0)
    path = folder(tmp_path / "x", {"a.png": PNG})
    load(str(path), COLOUR)
    (array,) = (tmp_path / "cache" / "arrays").glob("*.npy")
    for bad in (np.zeros((1, 3, 8, 8), np.uint8), np.zeros((1, 3, 64, 64))):
        np.save(array, bad)
        assert load(str(path), COLOUR).array[0, 0, 0, 0] == 7
    array.with_suffix(".json").write_text('{"a": 1}')
    assert load(str(path), COLOUR).array[0, 0, 0, 0] == 7
