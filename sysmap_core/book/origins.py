"""Where a result comes from: versions, data and run time."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

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


def timed(
    function: Callable[..., Any], *arguments: Any, clock: Callable[[], float] = time.perf_counter, **options: Any
) -> tuple[Any, float]:
    """Call a function, and say how long it took.

    Parameters
    ----------
    function : callable
        What is timed.
    *arguments, **options
        What it is called with.
    clock : callable
        Seconds: wall time by default, :func:`time.process_time` for that of the processor.

    Returns
    -------
    result : object
        What the function returned.
    seconds : float
        Time between call and return [s].
    """
    start = clock()
    result = function(*arguments, **options)
    return result, clock() - start
