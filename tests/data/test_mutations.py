"""Bytes that were changed at random: data are loaded or refused in one line, and nothing else."""

import gzip
import io
import random
import resource
import signal
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from data.pictures import COLOUR, MLP, encoded
from PIL import Image

import ganref
from ganref.data import load
from ganref.spec import Recipe, UserError

TIMES = 150  # by hand: a few thousand
RNG = np.random.default_rng(1)
GREY = RNG.integers(0, 256, (3, 28, 28), np.uint8)
PICTURE = RNG.integers(0, 256, (20, 24, 3), np.uint8)
TOY = ganref.recipe("gaussian").replace(batch_size=1)
COLOUR32 = ganref.recipe("dcgan32").replace(batch_size=1, data_shape=(3, 32, 32))


def saved(save: Callable[..., None], *what: Any, **how: Any) -> bytes:
    out = io.BytesIO()
    save(out, *what, **how)
    return out.getvalue()


def archive(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return out.getvalue()


def picture(form: str, mode: str = "RGB") -> bytes:
    return encoded(Image.fromarray(PICTURE).convert(mode), form)


def within(name: str) -> Callable[[bytes], bytes]:
    return lambda content: archive(name, content)


def same(content: bytes) -> bytes:
    return content


IDX = bytes((0, 0, 8, 3)) + struct.pack(">3I", *GREY.shape) + GREY.tobytes()
SVHN = {"X": RNG.integers(0, 256, (32, 32, 3, 2), np.uint8), "y": np.array([[1], [10]])}
CSV = b"x,y\n" + b"\n".join(b"%f,%f" % tuple(row) for row in RNG.normal(size=(9, 2)))
LABELLED = b"x,y,label\n" + b"\n".join(b"%f,%f,c%d" % (*RNG.normal(size=2), i) for i in range(9))
# What is changed, the recipe it is for, its name, and what is done to it after the change.
FILES: dict[str, tuple[bytes, Recipe, str, Callable[[bytes], bytes]]] = {
    "idx": (IDX, MLP, "x-images-idx3-ubyte", same),
    "gzip": (gzip.compress(IDX), MLP, "x-images-idx3-ubyte.gz", same),
    "idx-in-gzip": (IDX, MLP, "x-images-idx3-ubyte.gz", gzip.compress),
    "npy": (saved(np.save, GREY), MLP, "x.npy", same),
    "points": (saved(np.save, RNG.normal(size=(30, 2))), TOY, "x.npy", same),
    "npz": (saved(np.savez_compressed, X=GREY, y=np.arange(3)), MLP, "x.npz", same),
    "npy-in-npz": (saved(np.save, GREY), MLP, "x.npz", within("X.npy")),
    "csv": (CSV, TOY, "x.csv", same),
    "labelled-csv": (LABELLED, TOY, "x.csv", same),
    "mat": (saved(scipy.io.savemat, SVHN), COLOUR32, "x.mat", same),
    "packed-mat": (saved(scipy.io.savemat, SVHN, do_compression=True), COLOUR32, "x.mat", same),
    "zip": (archive("a/x.png", picture("PNG")), COLOUR, "x.zip", same),
    "png-in-zip": (picture("PNG"), COLOUR, "x.zip", within("x.png")),
    **{
        form: (picture(form, mode), COLOUR, f"x/x.{form.lower()}", same)
        for form, mode in (
            ("PNG", "RGBA"), ("JPEG", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "RGB"),
            ("WEBP", "RGB"), ("PPM", "RGB"), ("TGA", "RGB"), ("ICO", "RGBA"), ("SGI", "RGB"),
        )
    },
}  # fmt: skip
EXTREMES = (
    b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80",
)  # fmt: skip
WORDS = (b"9999999999", b"-1", b"\n", b"(", b"nan", b"1e999", b",", b'"', b"\0")


def changed(content: bytes, draw: random.Random) -> bytes:
    """The bytes with a few changes of all kinds, half of them near the beginning."""
    raw = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        place = draw.randrange(min(len(raw), 200 if draw.random() < 0.5 else len(raw)))
        what = draw.randrange(7)
        if what == 0:
            raw[place] = draw.randrange(256)
        elif what == 1:
            raw[place : place + 4] = draw.choice(EXTREMES)
        elif what == 2:
            del raw[place : place + draw.randrange(1, 20)]
        elif what == 3:
            raw[place:place] = draw.randbytes(draw.randrange(1, 20))
        elif what == 4:
            raw[place] ^= 1 << draw.randrange(8)
        elif what == 5:
            raw[place:place] = draw.choice(WORDS)
        elif draw.random() < 0.3:
            del raw[place:]
        if not raw:
            break
    return bytes(raw)


@pytest.fixture(autouse=True)
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may hang, and nobody's own cache is touched."""
    monkeypatch.setenv("GANREF_DATA", str(tmp_path / "cache"))

    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", FILES)
def test_changed_bytes_are_loaded_or_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    content, recipe, name, after = FILES[kind]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    given = path.parent if "/" in name else path
    draw = random.Random(kind)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(TIMES):
        path.write_bytes(after(changed(content, draw)))
        signal.alarm(20)
        try:
            data = load(str(given), recipe, mixed=True, progress=False)
            assert data.note.isprintable() and data.batch([0]).shape == (1, *recipe.data_shape)
        except UserError as error:
            assert str(error).isprintable()
    # In KiB: a header may claim 4 GiB in a file of 300 bytes.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20
    path.write_bytes(after(content))
    assert len(load(str(given), recipe, mixed=True)) > 0
