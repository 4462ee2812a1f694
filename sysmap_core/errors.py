"""Errors and warnings that a user can act on.

Every message names the thing, what came and what to do.  All errors derive from
:class:`SysmapError`, and from the built-in type a caller would expect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SysmapError(Exception):
    """Base of all errors that this package raises on purpose."""


class ParameterError(SysmapError, ValueError):
    """A parameter has a name or a value that is not known."""


class DataError(SysmapError, ValueError):
    """Data do not hold what is needed, or contradict each other."""


class MissingDataError(SysmapError, FileNotFoundError):
    """A file or folder that was asked for is not there."""


class ShortChainWarning(UserWarning):
    """A Markov chain is too short against its autocorrelation time."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ParameterError:
    """Error for a name that is not in a table, with the nearest one that is.

    Parameters
    ----------
    kind : str
        What the name stands for, e.g. ``"method"``.
    name : object
        What came.
    known : iterable of str
        The names that exist.

    Returns
    -------
    ParameterError
        To be raised by the caller.
    """
    known = list(known)
    folded = {k.lower(): k for k in known}
    near = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.4)
    hint = f"did you mean {folded[near[0]]!r}? " if near else ""
    return ParameterError(f"unknown {kind} {name!r}: {hint}known: {', '.join(known)}")
