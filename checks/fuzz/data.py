"""Data files of every format with changed bytes, alone, in folders and in zips."""

from __future__ import annotations

import gzip
import io
import logging
import os
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ganref import data, recipe
from ganref.spec import Recipe

from . import mutate
from .outcome import Outcome, attempt

IMAGES = {
    "grey.png": ("PNG", "L"), "colour.png": ("PNG", "RGBA"), "palette.png": ("PNG", "P"),
    "deep.png": ("PNG", "I;16"), "photo.jpg": ("JPEG", "RGB"), "plain.bmp": ("BMP", "RGB"),
    "moving.gif": ("GIF", "P"), "small.webp": ("WEBP", "RGB"), "scan.tif": ("TIFF", "L"),
    "old.pgm": ("PPM", "L"),
}  # fmt: skip


def files(rng: np.random.Generator) -> dict[str, bytes]:
    """A good file of each format, a few hundred bytes long."""
    from PIL import Image

    pixels = rng.integers(0, 256, (28, 28), np.uint8)
    found = {}
    for name, (form, mode) in IMAGES.items():
        image = Image.fromarray(pixels.astype(np.uint16) * 256 if mode == "I;16" else pixels)
        out = io.BytesIO()
        (image if mode in ("I;16", "L") else image.convert(mode)).save(out, form)
        found[name] = out.getvalue()
    idx = b"\0\0\x08\x03" + np.array([3, 28, 28], ">u4").tobytes() + bytes(rng.bytes(3 * 784))
    found |= {"train-images-idx3-ubyte": idx, "train-images-idx3-ubyte.gz": gzip.compress(idx)}
    for name, array in {
        "images.npy": rng.integers(0, 256, (3, 28, 28), np.uint8),
        "last.npy": rng.integers(0, 256, (3, 28, 28, 1), np.uint8),
        "points.npy": rng.normal(size=(9, 2)),
    }.items():
        out = io.BytesIO()
        np.save(out, array)
        found[name] = out.getvalue()
    out = io.BytesIO()
    labels = np.arange(3)
    np.savez_compressed(out, x_train=rng.integers(0, 256, (3, 28, 28), np.uint8), y_train=labels)
    found["mnist.npz"] = out.getvalue()
    table = "x,y\n" + "".join(f"{a:.3f},{b:.3f}\n" for a, b in rng.normal(size=(9, 2)))
    found["points.csv"] = table.encode()
    found["train.mat"] = _mat(rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("grey.png", "photo.jpg", "deep.png"):
            archive.writestr(f"class/{name}", found[name])
    found["images.zip"] = out.getvalue()
    return found


def _mat(rng: np.random.Generator) -> bytes:
    from scipy.io import savemat

    out = io.BytesIO()
    X = rng.integers(0, 256, (28, 28, 3, 3), np.uint8)
    savemat(out, {"X": X, "y": np.array([[1], [2], [10]], np.uint8)})
    return out.getvalue()


class Data:
    """Every format, read for a recipe that it could fit."""

    def __init__(self, folder: Path) -> None:
        logging.getLogger("ganref").setLevel(logging.CRITICAL)
        os.environ["GANREF_DATA"] = str(folder / "cache")
        self.folder = folder / "data"
        self.good = files(np.random.default_rng(0))
        self.images: Recipe = recipe("mlp").replace(batch_size=2)
        self.points: Recipe = recipe("gaussian").replace(batch_size=2)

    def case(self, rng: random.Random) -> Outcome:
        """One changed file, alone or in a folder of good ones."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        name = rng.choice(list(self.good))
        blob = self.good[name]
        changed = mutate.lines(rng, blob) if name.endswith("csv") and rng.random() < 0.5 else (
            mutate.bytes_(rng, blob)
        )  # fmt: skip
        path = self.folder / name
        path.write_bytes(changed)
        if name in IMAGES:
            for i in range(2):
                (self.folder / f"good{i}.png").write_bytes(self.good["grey.png"])
            self._odd(rng)
            path = self.folder
        takes_points = "points" in name
        options: dict[str, Any] = {"mixed": rng.random() < 0.7, "strict": rng.random() < 0.3}
        chosen = self.points if takes_points != (rng.random() < 0.05) else self.images
        outcome, found = attempt(lambda: self._load(path, chosen, options))
        return outcome

    def _load(self, path: Path, chosen: Recipe, options: dict[str, Any]) -> None:
        dataset = data.load(str(path), chosen, progress=False, **options)
        batch = dataset.batch(np.arange(2))
        assert batch.shape == (2, *dataset.shape) and np.isfinite(batch).all()
        assert "\n" not in dataset.note

    def _odd(self, rng: random.Random) -> None:
        """What else lies in people's folders."""
        way = rng.randrange(12)
        if way == 0:
            os.mkfifo(self.folder / "pipe.png")
        elif way == 1:
            (self.folder / "round").symlink_to(self.folder)
        elif way == 2:
            (self.folder / "nowhere.png").symlink_to("nowhere")
        elif way == 3:
            (self.folder / "labels.csv").write_text("file,class\n")
        elif way == 4:
            (self.folder / ".ipynb_checkpoints").mkdir()
        elif way == 5:
            (self.folder / "folder.png").mkdir()
        elif way == 6:
            (self.folder / os.fsdecode(b"\xff\xfe.png")).write_bytes(self.good["grey.png"])
