"""The files of a survey that does not exist: what a stranger brings, with a truth that is known.

Three photometric systems that respond to the same conditions in different ways, three bins in redshift, galaxies that
are missing and made up for by weights, a coverage that is known at a fine resolution, and files as surveys have them.
Fields are drawn at four times the resolution of the analysis, and some galaxies have satellites.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import healpy as hp
import numpy as np
from astropy.io import fits
from astropy.table import Table

from ..files import replacing
from ..mocks import clustering_sigma, shape_spectrum, simulate_catalogue, survey_mask, thinned, with_satellites
from ..samples import SampleSpec, galactic_caps, simulated_conditions
from ..sky import Catalogue, PartialMap, check_nside, to_nside, uniform_randoms, write_healsparse
from ..templates import standardise

FINER = 4
"""Resolution of the fields and of the coverage, over that of the run."""

Z_EDGES = (0.3, 0.5, 0.7, 0.9)

RMS = (0.40, 0.34, 0.29)
"""rms of the true overdensity in pixels of NSIDE 32, for every bin [1]."""

TEMPLATES = ("EBV", "STARDENS", "PSFSIZE_R", "GALDEPTH_Z")
"""Maps that the survey comes with; dust is real, the others are simulated."""

_AS_SIMULATED = {"STARDENS": "nstar_faint"}

AMPLITUDES: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "N": ((-0.04, 0.06, 0.10, 0.0), (-0.04, 0.0, 0.05, 0.0)),
    "S": ((-0.04, 0.06, -0.09, 0.04), (-0.04, 0.0, -0.05, 0.04)),
    "D": ((-0.02, 0.0, 0.0, 0.0), (-0.02, 0.0, 0.0, 0.0)),
}
"""Additive and multiplicative amplitudes per rms of :data:`TEMPLATES` in every region, in the middle bin."""

GROWTH = (0.6, 1.0, 1.4)
"""Factor of the amplitudes in every bin: distant galaxies are fainter, and suffer more."""

GALAXIES_PER_PIXEL = 20.0

RANDOMS_PER_PIXEL = 32.0

SATELLITES = 0.15


@dataclass(frozen=True)
class MadeSurvey:
    """A made survey in files.

    Parameters
    ----------
    spec : SampleSpec
        What its owner would say of it.
    a, b : dict of str to ndarray, shape (n_bins, n_sys)
        True amplitudes of every region and bin, per rms of the template there [1].
    names : tuple of str, length n_sys
        Templates.
    delta : ndarray, shape (n_bins, 12 nside^2)
        True overdensity of every bin, full sky [1].
    """

    spec: SampleSpec
    a: dict[str, np.ndarray]
    b: dict[str, np.ndarray]
    names: tuple[str, ...]
    delta: np.ndarray


def made_survey(folder: str | Path, nside: int = 32, seed: int = 1) -> MadeSurvey:
    """Make a survey and write its files.

    Parameters
    ----------
    folder : str or Path
        Where to write; made when missing, older files of these names are replaced.
    nside : int
        Resolution of its contamination, and of the run.
    seed : int
        Fixes everything.

    Returns
    -------
    MadeSurvey
        With the truth.

    Notes
    -----
    ``galaxies.parquet`` and ``randoms.parquet`` have the columns of DESI; ``observed_fraction.hsp`` is a HealSparse
    map; ``maps/`` holds one NESTED map, and a table with several maps.
    """
    folder = Path(folder)
    (folder / "maps").mkdir(parents=True, exist_ok=True)
    of_sky, of_conditions, of_randoms, *of_bins = np.random.SeedSequence(seed).spawn(3 + len(RMS))
    fine = FINER * check_nside(nside)
    observed, regions = _observed(fine, np.random.default_rng(of_sky)), region_map(fine)
    maps = _conditions(nside, of_conditions)
    randoms = _thin(_uniform(observed, RANDOMS_PER_PIXEL * FINER**-2, of_randoms), observed, of_randoms)
    contamination = {bin_: _contamination(maps, observed, regions, nside, bin_) for bin_ in range(len(RMS))}
    drawn = [_galaxies(observed, nside, *contamination[i], RMS[i], of_bins[i]) for i in range(len(RMS))]
    bins = [galaxies for galaxies, _ in drawn]
    paths = _write(folder, bins, randoms, observed, regions, maps, np.random.default_rng(of_sky.spawn(1)[0]))
    spec = SampleSpec(
        nside,
        **paths,
        identifier="made_survey",
        title="Made survey: three photometric systems, three bins in redshift",
        simulated=True,
        weight_columns=("WEIGHT_COMP",),
        z_edges=Z_EDGES,
        regions="PHOTSYS",
        frame="equatorial",
        seed=seed,
    )
    a, b = ({r: np.outer(GROWTH, AMPLITUDES[r][i]) for r in AMPLITUDES} for i in (0, 1))
    return MadeSurvey(spec, a, b, TEMPLATES, np.array([delta for _, delta in drawn]))


def region_map(nside: int) -> np.ndarray:
    """Photometric system of every pixel: N north of +25 deg and S south of it in the northern cap, D in the southern.

    Parameters
    ----------
    nside : int
        Resolution.

    Returns
    -------
    ndarray of str, shape (12 nside^2,)
        RING, equatorial.
    """
    ra, dec = hp.pix2ang(nside, np.arange(hp.nside2npix(nside)), lonlat=True)
    north = np.where(dec > 25.0, "N", "S")
    return np.where(galactic_caps(ra, dec) == "NGC", north, "D")


def _observed(nside: int, rng: np.random.Generator) -> np.ndarray:
    """Observed fraction: ragged patches, and less around bright stars."""
    mask = survey_mask(nside, min_latitude=25.0, dec_range=(-25.0, 65.0))
    stars = rng.choice(mask.size, mask.size // 200, replace=False)
    fraction = np.where(mask, rng.beta(12.0, 1.0, mask.size), 0.0)
    fraction[stars] *= rng.random(stars.size) < 0.5
    return fraction


def _conditions(nside: int, sequence: np.random.SeedSequence) -> np.ndarray:
    found = simulated_conditions(nside, sequence)
    return found.select([_AS_SIMULATED.get(name, name) for name in TEMPLATES]).maps


def _contamination(maps, observed, regions, nside: int, z_bin: int) -> tuple[np.ndarray, np.ndarray]:
    """A and B of one bin on the full sky, at the resolution of the run."""
    share, additive, multiplicative = to_nside(observed, nside), np.zeros(maps.shape[1]), np.zeros(maps.shape[1])
    coarse = region_map(nside)
    for region, (a, b) in AMPLITUDES.items():
        pixels = np.flatnonzero((coarse == region) & (share > 0))
        scaled = standardise(maps, TEMPLATES, pixels).values
        additive[pixels], multiplicative[pixels] = GROWTH[z_bin] * (np.array([a, b]) @ scaled)
    return additive, multiplicative


def _galaxies(observed, nside: int, additive, multiplicative, rms: float, sequence) -> tuple[Catalogue, np.ndarray]:
    """Galaxies of a bin, and its true overdensity."""
    rng_field, rng_galaxies, rng_more = map(np.random.default_rng, sequence.spawn(3))
    fine = FINER * nside
    spectrum = shape_spectrum(3 * fine - 1)
    spectrum *= (rms / clustering_sigma(spectrum, 32)) ** 2
    number = GALAXIES_PER_PIXEL * FINER**-2 * np.count_nonzero(observed)
    rngs = {"rng_field": rng_field, "rng_galaxies": rng_galaxies}
    mock = simulate_catalogue(
        spectrum, observed > 0, number, nside, **rngs, additive=additive, multiplicative=multiplicative
    )
    seen = _kept(with_satellites(mock.galaxies, SATELLITES, rng_more), observed, rng_more)
    ra, dec = hp.pix2ang(fine, np.arange(observed.size), lonlat=True)
    # spectra are missing where fibres collide, in stripes of the sky
    completeness = 0.85 + 0.1 * np.sin(np.radians(9.0 * ra)) * np.cos(np.radians(5.0 * dec))
    return thinned(seen, completeness, rng_more), mock.delta


def _uniform(observed, per_pixel: float, sequence) -> Catalogue:
    number = int(per_pixel * np.count_nonzero(observed))
    return uniform_randoms(observed > 0, number, np.random.default_rng(sequence))


def _thin(points: Catalogue, observed: np.ndarray, sequence: np.random.SeedSequence) -> Catalogue:
    return _kept(points, observed, np.random.default_rng(sequence.spawn(1)[0]))


def _kept(points: Catalogue, share: np.ndarray, rng: np.random.Generator) -> Catalogue:
    chance = share[hp.ang2pix(hp.npix2nside(share.size), points.ra, points.dec, lonlat=True)]
    return points.restricted(rng.random(len(points)) < chance)


def _write(folder: Path, bins, randoms, observed, regions, maps, rng) -> dict[str, str]:
    z = np.concatenate(
        [rng.uniform(low, high, len(c)) for c, low, high in zip(bins, Z_EDGES[:-1], Z_EDGES[1:], strict=True)]
    )
    ra, dec, weight = (np.concatenate([getattr(c, which) for c in bins]) for which in ("ra", "dec", "weights"))
    order = rng.permutation(len(ra))
    galaxies = {"TARGETID": 39627000000000000 + np.arange(len(ra)), "TARGET_RA": ra, "TARGET_DEC": dec, "Z": z}
    galaxies |= {"PHOTSYS": _region(regions, ra, dec), "WEIGHT_COMP": weight}
    paths = {"data": folder / "galaxies.parquet", "randoms": folder / "randoms.parquet"}
    _write_parquet(paths["data"], {name: values[order] for name, values in galaxies.items()})
    places = {"TARGET_RA": randoms.ra, "TARGET_DEC": randoms.dec, "PHOTSYS": _region(regions, randoms.ra, randoms.dec)}
    _write_parquet(paths["randoms"], places)
    pixels = np.flatnonzero(observed)
    sparse = PartialMap(pixels, observed[pixels], hp.npix2nside(observed.size))
    paths["coverage"] = folder / "observed_fraction.hsp"
    write_healsparse(paths["coverage"], sparse, quantity="FRACTION", survey="made")
    _write_maps(folder / "maps", maps)
    return {name: str(path) for name, path in paths.items()} | {"template_dir": str(folder / "maps")}


def _region(regions: np.ndarray, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    return regions[hp.ang2pix(hp.npix2nside(regions.size), ra, dec, lonlat=True)]


def _write_parquet(path: Path, columns: dict[str, np.ndarray]) -> None:
    with replacing(path) as partial:
        Table(columns).write(partial, format="parquet", overwrite=True)


def _write_maps(folder: Path, maps: np.ndarray) -> None:
    """Dust NESTED, the others in one table as desitarget writes them."""
    nside = hp.npix2nside(maps.shape[1])
    nested = hp.reorder(maps[0], r2n=True)
    first = fits.BinTableHDU.from_columns([fits.Column("EBV", "D", array=nested)])
    first.header.update(PIXTYPE="HEALPIX", ORDERING="NESTED", NSIDE=nside, COORDSYS="C")
    columns = [fits.Column("HPXPIXEL", "K", array=np.arange(maps.shape[1]))]
    columns += [fits.Column(name, "D", array=values) for name, values in zip(TEMPLATES[1:], maps[1:], strict=True)]
    others = fits.BinTableHDU.from_columns(columns)
    others.header.update(HPXNSIDE=nside, HPXNEST=False)
    for name, table in (("EBV_nested.fits", first), ("pixweight.fits", others)):
        with replacing(folder / name) as partial:
            fits.HDUList([fits.PrimaryHDU(), table]).writeto(partial, overwrite=True)
