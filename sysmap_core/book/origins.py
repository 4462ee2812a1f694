"""Where a result comes from: versions, data and run time."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from importlib.metadata import version

PACKAGES = ("sysmap-core", "numpy", "jax", "healpy", "astropy", "scikit-learn", "treecorr", "glass")


def provenance(*, seed: int, sources: Mapping[str, str], started: float) -> dict[str, str]:
    """Facts that identify a run.

    Parameters
    ----------
    seed : int
        Seed of the run.
    sources : mapping of str to str
        Data read, by name: a checksum, or the words ``simulated, ...``.
    started : float
        Value of :func:`time.perf_counter` at the start.

    Returns
    -------
    dict of str to str
        One fact per entry, for a table or a header.
    """
    facts = {"seed": str(seed), "Python": platform.python_version()}
    facts |= {name: version(name) for name in PACKAGES}
    facts |= dict(sources)
    facts["run time"] = f"{time.perf_counter() - started:.1f} s"
    return facts
