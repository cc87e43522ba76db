"""The precisions that `dtype` names, and how one that is not here is refused.

| dtype    | weights, statistics, Adam, losses | matrix products and convolutions                |
|----------|-----------------------------------|-------------------------------------------------|
| float32  | float32                           | float32 (no TF32: 24 bits of every factor)      |
| float64  | float64                           | float64                                         |
| tf32     | float32                           | factors cut to 11 bits by an NVIDIA GPU         |
| bfloat16 | float32                           | factors and what lies between layers: 8 bits    |

The last two are mixed precision (Micikevicius et al. 2018; bfloat16 needs no loss scaling, since it
has float32's exponents).
"""

from __future__ import annotations

from .errors import UserError

DTYPES = ("float32", "float64", "tf32", "bfloat16")


def storage(dtype: str) -> str:
    """The type in which weights are kept and data handed over."""
    return "float64" if dtype == "float64" else "float32"


def check_dtype(dtype: str, here: list[str], framework: str, device: str) -> None:
    """Refuse a precision that is not among those `here`. Raises UserError."""
    if dtype not in here:
        reason = {
            "tf32": " (it is a mode of NVIDIA GPUs since 2020, under PyTorch, TensorFlow and JAX)",
            "bfloat16": " (PyTorch, TensorFlow and JAX have it where the processor or GPU does)",
        }.get(dtype, "")
        raise UserError(
            f"{framework} has no dtype {dtype!r} on {device} here{reason}; there are "
            + ", ".join(here)
        )
