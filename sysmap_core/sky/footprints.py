"""Which pixels of the sky a map, a fit or a spectrum is about.

One value is shared by everything that lies on the same pixels, so that two things are compared once, at the door,
and what belongs to the pixels alone is computed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property

import healpy as hp
import numpy as np

from ..errors import DataError
from .pixels import check_nside

_KEPT = 2  # of one kind: patterns of coverage come and go, the pixels stay


class Memory:
    """What was computed from a value once, kept as long as that value lives.

    It is not part of the value: copies, files and other processes start without it.
    """

    def remember(self, kind: str, key: Hashable, make: Callable[[], object]):
        """Return what ``make`` gives, computed the first time only.

        Parameters
        ----------
        kind : str
            What it is; the two latest keys of a kind are kept.
        key : hashable
            What it depends on, beside the value that remembers it.
        make : callable
            Computes it.

        Returns
        -------
        object
            The same object every time; it must not be changed.
        """
        kept = self.__dict__.setdefault("_memory", {}).setdefault(kind, {})
        if key not in kept:
            kept[key] = make()
            for old in list(kept)[:-_KEPT]:
                del kept[old]
        return kept[key]

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "_memory"}


@dataclass(frozen=True, eq=False)
class Footprint(Memory):
    """Pixels of the sky, in a fixed order.

    Parameters
    ----------
    pixels : ndarray of int, shape (n_pix,)
        HEALPix indices, RING, equatorial, each once.
    nside : int or None
        Resolution of the indices; None where the place of the pixels is not known.

    Raises
    ------
    DataError
        When pixels are not indices of this resolution, or come more than once.
    ParameterError
        When ``nside`` is not one of HEALPix.

    Examples
    --------
    >>> import numpy as np
    >>> north = Footprint(np.arange(4), 1)
    >>> north.f_sky == 4 / 12, north == Footprint(np.arange(4), 1), north == Footprint(np.arange(4), 2)
    (True, True, False)
    """

    pixels: np.ndarray
    nside: int | None = None

    def __post_init__(self):
        pixels = np.asarray(self.pixels)
        if pixels.ndim != 1 or pixels.size == 0 or not np.issubdtype(pixels.dtype, np.integer):
            msg = f"pixels have shape {pixels.shape} and type {pixels.dtype}: give HEALPix indices, RING"
            raise DataError(msg)
        size = np.inf if self.nside is None else hp.nside2npix(check_nside(self.nside))
        wrong = pixels.size - np.unique(pixels[(pixels >= 0) & (pixels < size)]).size
        if wrong:
            where = "below 0" if self.nside is None else f"outside 0 to {size - 1}"
            msg = f"{wrong} pixels are repeated or {where}: give RING indices of nside {self.nside}, each once"
            raise DataError(msg)
        object.__setattr__(self, "pixels", pixels)

    def __len__(self):
        return self.pixels.size

    def __eq__(self, other):
        if not isinstance(other, Footprint):
            return NotImplemented
        return self is other or (self.nside == other.nside and self.checksum == other.checksum)

    def __hash__(self):
        return hash((self.nside, self.checksum))

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the indices, in their order."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels, dtype="<i8").tobytes()).hexdigest()

    @property
    def n_pix(self) -> int:
        """Number of pixels."""
        return len(self)

    @property
    def pixel_area(self) -> float:
        """Area of a pixel [sr]."""
        return hp.nside2pixarea(self.nside)

    @property
    def f_sky(self) -> float:
        """Fraction of the sky."""
        return self.n_pix / hp.nside2npix(self.nside)

    def full_sky(self, values: np.ndarray, fill: float = hp.UNSEEN) -> np.ndarray:
        """Full-sky map of values on the pixels, ``fill`` elsewhere."""
        full = np.full(hp.nside2npix(self.nside), fill, dtype=float)
        full[self.pixels] = values
        return full

    def places(self, part: np.ndarray) -> np.ndarray:
        """Where some pixels are among those of the footprint.

        Parameters
        ----------
        part : ndarray of int, shape (n_kept,)
            HEALPix indices.

        Returns
        -------
        ndarray of int, shape (n_kept,)
            Indices into ``pixels``.

        Raises
        ------
        DataError
            When there is none, or one is not in the footprint.
        """
        part = np.asarray(part)
        strange = np.sum(~np.isin(part, self.pixels))
        if strange or not len(part):
            msg = f"{strange} of {len(part)} pixels are not among the {self.n_pix} of the footprint: give some of these"
            raise DataError(msg)
        order = np.argsort(self.pixels)
        return order[np.searchsorted(self.pixels, part, sorter=order)]

    def __str__(self):
        place = "at unknown places" if self.nside is None else f"at nside {self.nside}"
        return f"{self.n_pix} pixels {place}"


def shared_footprint(*, need_place: bool = False, **maps) -> Footprint:
    """Footprint of things that have to lie on the same pixels.

    Parameters
    ----------
    need_place : bool
        Whether the place of the pixels has to be known.
    **maps : object with a ``footprint``
        Field, templates, result of a fit, ..., by the names that an error gives them.

    Returns
    -------
    Footprint
        That of the first one.

    Raises
    ------
    DataError
        When they lie on different pixels, or in another order, or places are wanted and not known.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core import overdensity, standardise
    >>> counts, pixels = np.full(12, 5.0), np.arange(8)
    >>> field = overdensity(counts, np.ones(12), pixels)
    >>> templates = standardise(np.arange(12.0)[None], ["dust"], pixels)
    >>> print(shared_footprint(field=field, templates=templates))
    8 pixels at nside 1
    """
    (first, one), *others = maps.items()
    if need_place and one.footprint.nside is None:
        msg = f"the place of the pixels of the {first} is not known (nside is None): give HEALPix indices with an nside"
        raise DataError(msg)
    for name, other in others:
        if one.footprint != other.footprint:
            msg = (
                f"the {first} has {one.footprint} and the {name} {other.footprint}, or others, or in another order: "
                "use the same pixels, and standardise the templates on field.pixels"
            )
            raise DataError(msg)
    return one.footprint
