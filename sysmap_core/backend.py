"""JAX, in double precision.

The one place that sets ``jax_enable_x64``: maxima and likelihood ratios are differences of
large numbers and need it.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)
# on a GPU, products of float32 would otherwise have the precision of much shorter numbers
jax.config.update("jax_default_matmul_precision", "highest")

import jax.numpy as jnp  # noqa: E402  (after the precision is set)

__all__ = ["jax", "jnp"]
