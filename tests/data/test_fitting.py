"""What is done to images so that they fit: said, chosen, and as the numbers should be."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from data.pictures import COLOUR, GREY, encoded, folder, plain, refused
from PIL import Image

from ganref.data import CROP, RESIZE, Fitting, load, store
from ganref.data.fitting import fit
from ganref.spec import UserError

WIDE = np.zeros((100, 300, 3), np.uint8)
WIDE[:, 100:200] = 255
RAMP = np.tile(np.linspace(0, 65535, 64).round().astype(np.uint16), (64, 1))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may touch the person's own cache."""
    monkeypatch.setenv("GANREF_DATA", str(tmp_path / "cache"))


def one(tmp_path: Path, content: bytes, recipe=COLOUR, **how):  # type: ignore[no-untyped-def]
    """(pixels, note) of a picture that is alone in its folder."""
    data = load(str(folder(tmp_path / "x", {"a": content})), recipe, **how)
    return data.array[0], data.note


# Said


def test_what_is_done_is_said_with_counts(tmp_path: Path) -> None:
    frames = [plain(0), plain(255)]
    files = {
        "a.png": encoded(WIDE), "b.png": encoded(WIDE), "c.png": encoded(plain(5, mode="L")),
        "d.png": encoded(RAMP), "e.gif": encoded(frames[0], "GIF", save_all=True,
                                                 append_images=frames[1:]),
        "f.png": encoded(Image.new("RGBA", (64, 64), (1, 2, 3, 4))),
        "g.jpg": encoded(plain(9), "JPEG", exif=turned(6)),
    }  # fmt: skip
    path = folder(tmp_path / "x", files)
    note = load(str(path), COLOUR, mixed=True).note
    assert note == (
        "7 images, 64×64, 2 resized (bilinear), 2 cropped to squares, 2 turned colour,"
        " 1 of 16 bits scaled to 8, 1 of several frames, the first taken,"
        " 1 with transparency laid on white, 1 turned upright"
    )
    assert "5 turned grey" in load(str(path), GREY, mixed=True).note
    tall = COLOUR.replace(stack="mlp", data_shape=(3, 20, 40))
    assert "7 cropped to 40×20" in load(str(path), tall, mixed=True).note
    assert "2 stretched to squares" in load(str(path), COLOUR, mixed=True, crop="none").note


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_nothing_is_said_to_be_done_where_nothing_is(tmp_path: Path) -> None:
    assert one(tmp_path, encoded(plain(3)))[1] == "1 image, 64×64"
    assert one(tmp_path, encoded(plain(3, mode="L")), GREY)[1] == "1 image, 64×64"
    # A square that is only smaller loses nothing.
    note = one(tmp_path, encoded(plain(3, (32, 32))))[1]
    assert note == "1 image, 64×64, 1 resized (bilinear)"


# Sixteen bits


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path, form: str) -> None:
    pixels, note = one(tmp_path, encoded(RAMP, form), GREY)
    np.testing.assert_allclose(pixels[0], RAMP / 257, atol=1)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert note == "1 image, 64×64, 1 of 16 bits scaled to 8"


def test_colour_of_sixteen_bits_is_scaled_and_said(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + np.repeat(row, 3).astype(">u2").tobytes() for row in RAMP)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
    pixels, note = one(tmp_path, png + chunk(b"IEND", b""))
    np.testing.assert_allclose(pixels[1], RAMP / 257, atol=1)
    assert note == "1 image, 64×64, 1 of 16 bits scaled to 8"


def test_numbers_that_eight_bits_cannot_stand_for_are_left_out(tmp_path: Path) -> None:
    files = {
        "a.png": encoded(plain(0, mode="L")),
        "b.tif": encoded(np.full((64, 64), 0.5, np.float32), "TIFF"),
        "c.tif": encoded(np.full((64, 64), 70_000, np.int32), "TIFF"),
        "d.tif": encoded(np.full((64, 64), -1, np.int32), "TIFF"),
    }
    note = load(str(folder(tmp_path / "x", files)), GREY).note
    assert note == "1 image, 64×64; skipped: 3 unreadable (first: b.tif)"


def test_grey_of_sixteen_bits_that_is_clear_becomes_white(tmp_path: Path) -> None:
    pixels, note = one(tmp_path, encoded(RAMP, transparency=0), GREY)
    assert pixels[0, :, 0].tolist() == [255] * 64 and pixels[0, 0, 1] < 5
    assert note.endswith("1 of 16 bits scaled to 8, 1 with transparency laid on white")


# Chosen


@pytest.mark.parametrize("resize", [name for name in RESIZE if name != "off"])
def test_filters_are_pillows(tmp_path: Path, resize: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    pixels, note = one(tmp_path, encoded(noise), resize=resize)
    method = Image.Resampling[{"area": "BOX"}.get(resize, resize.upper())]
    wanted = np.asarray(Image.fromarray(noise).resize((64, 64), method))
    assert np.array_equal(pixels.transpose(1, 2, 0), wanted)
    assert note == f"1 image, 64×64, 1 resized ({resize})"


def test_the_default_is_what_it_was(tmp_path: Path) -> None:
    pixels, _ = one(tmp_path, encoded(WIDE))
    assert pixels[..., 1:-1].min() == 255
    assert Fitting() == Fitting("bilinear", "center")
    digits = [load("digits", GREY, **how).array for how in ({}, {"resize": "nearest"})]
    assert not np.array_equal(*digits)
    assert len(np.unique(digits[1])) == 17


def test_every_choice_has_its_own_place_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    direct = [load("digits", GREY, resize=name).array for name in ("bilinear", "nearest")]
    monkeypatch.setattr(store, "RESIDENT", 0)
    for name, wanted in zip(("bilinear", "nearest"), direct, strict=True):
        mapped = load("digits", GREY, resize=name).array
        assert isinstance(mapped, np.memmap) and np.array_equal(mapped, wanted)


def test_no_crop_stretches(tmp_path: Path) -> None:
    pixels, note = one(tmp_path, encoded(WIDE), crop="none")
    assert pixels[0, 30, [2, 32, 61]].tolist() == [0, 255, 0]
    assert note == "1 image, 64×64, 1 resized (bilinear), 1 stretched to squares"


def test_no_resize_crops_or_refuses(tmp_path: Path) -> None:
    pixels, note = one(tmp_path, encoded(WIDE), resize="off")
    assert np.array_equal(pixels.transpose(1, 2, 0), WIDE[18:82, 118:182])
    assert note == "1 image, 64×64, 1 cropped to squares"
    path = tmp_path / "x"
    refused("a: an image is 300×100, the recipe takes 64×64", path, COLOUR, resize="off",
            crop="none")  # fmt: skip
    folder(path, {"a": encoded(plain(0, (64, 63)))})
    refused("64×63, .* --resize is off; --resize bilinear enlarges it", path, COLOUR, resize="off")
    folder(path, {"a": encoded(plain(0))})
    assert load(str(path), COLOUR, resize="off", crop="none").note == "1 image, 64×64"
    refused("--resize is off", "digits", GREY, resize="off")


def test_words_that_nobody_knows(tmp_path: Path) -> None:
    refused("unknown resize 'cubic'; there are bilinear, bicubic", "digits", GREY, resize="cubic")
    refused("unknown crop 'middle'; there are center, none", "digits", GREY, crop="middle")
    assert CROP == ("center", "none")
    with pytest.raises(UserError, match="10×10"):
        fit(plain(0, (10, 10)), (3, 64, 64), Fitting("off"))
