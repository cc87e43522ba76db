"""JAX's copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ganref.jax.framework import jax, jnp, resolve_device


def copying(size: int, device: str) -> Callable[[], Any]:
    """What copies `size` bytes that lie on the device to another place there, to its end."""
    x = jax.device_put(jnp.ones(size // 4, jnp.float32), resolve_device(device))
    # A change of sign: a mere copy is nothing to a compiler.
    negative = jax.jit(jnp.negative).lower(x).compile()
    return lambda: negative(x).block_until_ready()
