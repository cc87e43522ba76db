"""What this processor is, as Linux tells it."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def fields() -> dict[str, str]:
    """The fields of /proc/cpuinfo for one core; nothing where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def instructions() -> set[str]:
    """The names of its instruction sets."""
    return set(f"{fields().get('flags', '')} {fields().get('Features', '')}".split())


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself (AVX512-BF16, AMX, or ARM's BF16):
    emulation would be slower than float32."""
    return bool(instructions() & {"avx512_bf16", "amx_bf16", "bf16"})
