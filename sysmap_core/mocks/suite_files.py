"""Files of mock catalogues, with their truth in the header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..files import replacing
from ..sky import fits_tables
from .mock_catalogue import MockCatalog

CARDS: Mapping[str, tuple[str, str]] = {
    "SCENARIO": ("scenario", "contamination"),
    "LEVEL": ("level", "factor of the amplitudes, which contain it"),
    "SEED": ("seed", "of field, templates, galaxies and randoms"),
    "NSIDE": ("nside", "HEALPix resolution of the maps"),
    "NMEAN": ("n_mean", "expected galaxies of a whole pixel"),
    "SIGMA": ("sigma", "rms of the logarithm of the true density"),
}
"""Header cards of a file of a mock: name of the attribute, and comment."""


def write_mock(path: str | Path, mock: MockCatalog) -> Path:
    """Write a mock catalogue with its truth as a FITS file.

    Parameters
    ----------
    path : str or Path
        File to write or replace; it appears complete or not at all.
    mock : MockCatalog
        What to write.

    Returns
    -------
    Path
        The file: tables GALAXIES and RANDOMS (RA, DEC [deg], Z where there are redshifts) and MAPS (one row per
        pixel, RING, equatorial).  Every header has the cards of :data:`CARDS` and, counted from 0, A_TRUE_i, B_TRUE_i
        and TMPL_i for every template.
    """
    unit = {"RA": "deg", "DEC": "deg"}
    parts = {
        "GALAXIES": {"RA": mock.ra_gal, "DEC": mock.dec_gal, "Z": mock.z_gal},
        "RANDOMS": {"RA": mock.ra_rand, "DEC": mock.dec_rand, "Z": mock.z_rand},
        "MAPS": {"MASK": mock.mask, "DELTA_TRUE": mock.delta_true, "DELTA_OBS": mock.delta_obs}
        | {f"TEMPLATE_{i}": template for i, template in enumerate(mock.templates)},
    }
    hdus = [fits.PrimaryHDU()]
    for name, columns in parts.items():
        made = [
            fits.Column(key, "L" if key == "MASK" else "D", array=values, unit=unit.get(key))
            for key, values in columns.items()
            if values is not None
        ]
        hdus.append(fits.BinTableHDU.from_columns(made, name=name))
    hdus[-1].header.update(PIXTYPE="HEALPIX", ORDERING="RING", COORDSYS="C", INDXSCHM="IMPLICIT")
    for hdu in hdus:
        _set_cards(hdu.header, mock)
    with replacing(path) as partial:
        fits.HDUList(hdus).writeto(partial)
    return Path(path)


def read_mock(path: str | Path) -> MockCatalog:
    """Read a mock catalogue with its truth.

    Parameters
    ----------
    path : str or Path
        File that :func:`write_mock` wrote.

    Returns
    -------
    MockCatalog
        Equal to the one that was written; numbers of the header to the 15 digits that a card has room for.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is no FITS file, is cut short, or holds no mock catalogue.
    """
    wrong, advice = "holds no mock catalogue", "give a file that write_mock wrote"
    with fits_tables(path, what="mock", wrong=wrong, advice=advice) as hdus:
        return _mock(hdus)


def _set_cards(header: fits.Header, mock: MockCatalog) -> None:
    for key, (attribute, comment) in CARDS.items():
        header[key] = (getattr(mock, attribute), comment)
    header["NSYS"] = (len(mock.a_true), "templates")
    rows = (("A_TRUE", mock.a_true, "additive amplitude"), ("B_TRUE", mock.b_true, "multiplicative amplitude"))
    for key, values, comment in (*rows, ("TMPL", mock.names, "template")):
        for i, value in enumerate(values):
            name = f"{key}_{i}"
            header[name if len(name) <= 8 else f"HIERARCH {name}"] = (value, comment)


def _mock(hdus: fits.HDUList) -> MockCatalog:
    header, n_sys = hdus["GALAXIES"].header, hdus["GALAXIES"].header["NSYS"]
    found = {attribute: header[key] for key, (attribute, _) in CARDS.items()}
    found |= {name: np.array([header[f"{name.upper()}_{i}"] for i in range(n_sys)]) for name in ("a_true", "b_true")}
    found["names"] = tuple(header[f"TMPL_{i}"] for i in range(n_sys))
    for name, ending in (("GALAXIES", "gal"), ("RANDOMS", "rand")):
        columns = [c.lower() for c in hdus[name].columns.names]
        found |= {f"{c}_{ending}": np.array(hdus[name].data[c], float) for c in columns}
    maps = hdus["MAPS"].data
    found["mask"] = np.array(maps["MASK"], bool)
    found |= {name: np.array(maps[name.upper()], float) for name in ("delta_true", "delta_obs")}
    found["templates"] = np.array([maps[f"TEMPLATE_{i}"] for i in range(n_sys)], float)
    return MockCatalog(**{f.name: found[f.name] for f in fields(MockCatalog) if f.name in found})
