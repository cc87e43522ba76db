"""The standard FID and KID, by torch-fidelity (extra `inception`): numbers that compare with
published ones, on features of the Inception-v3 of 2015. Nothing is downloaded here."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..backend import need
from ..spec.errors import UserError
from .features import to_uint8

REPAIR = "reinstall the torchvision that was built with this PyTorch, from the same index"


def distances(
    real: np.ndarray, fake: np.ndarray, weights: Path | None = None, device: str = "cpu"
) -> dict[str, float]:
    """The standard FID and KID of images (n, C, H, W), uint8 or floats in [-1, 1].

    The features are PyTorch's, on that device ("cuda:1", say) if PyTorch has one, else on the
    processor. The weights are those that torch-fidelity keeps in PyTorch's cache, or the file
    named. Returns `fid`, `kid` and `kid_std` (Heusel et al. 2017; Bińkowski et al. 2018). Raises
    UserError if the package or the weights are missing or broken, or for fewer than 2 of either.
    """
    fidelity = _need("torch_fidelity")
    url = _need("torch_fidelity.feature_extractor_inceptionv3").URL_INCEPTION_V3
    name = url.rsplit("/", 1)[1]
    file = weights or Path(need("torch.hub", "torch").get_dir()) / "checkpoints" / name
    _check_weights(file, url, name if weights is None else "")
    size = min(1000, len(real), len(fake))
    if size < 2:
        raise UserError("FID and KID need at least 2 samples and 2 real examples")
    on_gpu = device != "cpu" and need("torch.cuda", "torch").is_available()
    # torch-fidelity takes whichever GPU is the current one.
    with need("torch.cuda", "torch").device(device) if on_gpu else contextlib.nullcontext():
        found = fidelity.calculate_metrics(
            input1=_tensors(fake),
            input2=_tensors(real),
            fid=True,
            kid=True,
            kid_subset_size=size,
            feature_extractor_weights_path=str(file),
            cuda=on_gpu,
            cache=False,
            save_cpu_ram=True,  # no worker processes: the images are in memory
            verbose=False,
        )
    return {
        "fid": found["frechet_inception_distance"],
        "kid": found["kernel_inception_distance_mean"],
        "kid_std": found["kernel_inception_distance_std"],
    }


def _need(module: str) -> ModuleType:
    return need(module, "torch-fidelity", extra="inception", repair=REPAIR)


def _check_weights(file: Path, url: str, name: str) -> None:
    """Refuse weights that are not there or, since they are unpickled, not those that the name ends
    in the checksum of. Raises UserError."""
    if not file.is_file():
        raise UserError(f"the Inception weights are not at {file}; download {url} to there")
    promised = re.search(r"-([0-9a-f]{8,})\.", name)
    if promised and not hashlib.sha256(file.read_bytes()).hexdigest().startswith(promised[1]):
        raise UserError(f"{file} is damaged or something else; download {url} to there again")


def _tensors(images: np.ndarray) -> Any:
    """A PyTorch data set of uint8 tensors (3, H, W)."""
    torch, utils = need("torch", "torch"), need("torch.utils.data", "torch")
    images = np.broadcast_to(to_uint8(images), (len(images), 3, *images.shape[2:]))

    class Images(utils.Dataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, i: int) -> Any:
            return torch.from_numpy(images[i].copy())

    return Images()
