"""The array interface: synthetic and real template maps, counts and overdensity as plain functions of arrays.

Maps cover the full sky, RING, equatorial.
"""

from __future__ import annotations

from pathlib import Path

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..files import folder
from ..harmonic import default_lmax, variance
from ..sky import Counts, check_nside, footprint, overdensity, pixel_counts, read_map, to_nside, usable
from ..templates import FAMILIES, standardise, synthetic_maps

TEMPLATE_FAMILIES = dict(enumerate(FAMILIES))
"""Names of the families of synthetic templates by their number, Berlfein et al. (2024), section 4."""

_REAL = {"GAIA_nstar_faint": ("nstar_faint", 5), "LS10_GALDEPTH_Z": ("GALDEPTH_Z", 4)}


def systematic_power_spectrum(nside: int, family: int) -> np.ndarray:
    """Spectrum of a family of synthetic templates.

    Parameters
    ----------
    nside : int
        Resolution.
    family : int
        Key of :data:`TEMPLATE_FAMILIES`.

    Returns
    -------
    ndarray, shape (3 nside,)
        C_l of unit variance without a monopole [sr].

    Raises
    ------
    ParameterError
        For an unknown family, or a resolution that HEALPix has not.
    """
    cl = FAMILIES[_family(family)](np.arange(default_lmax(check_nside(nside)) + 1.0))
    cl[0] = 0.0
    return cl / variance(cl)


def generate_systematic_map(nside: int, family: int, seed: int | np.random.SeedSequence | None = None) -> np.ndarray:
    """Draw a synthetic template.

    Parameters
    ----------
    nside : int
        Resolution.
    family : int
        Key of :data:`TEMPLATE_FAMILIES`.
    seed : int or numpy.random.SeedSequence, optional
        Fixes the map; another one at every call when left out.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Map with zero mean and unit rms over the full sky.  Standardise it on the footprint before it is fitted:
        :func:`~.standardise`.

    Raises
    ------
    ParameterError
        For an unknown family, or a resolution that HEALPix has not.
    """
    values = synthetic_maps(check_nside(nside), [_family(family)], np.random.default_rng(seed))[0]
    return (values - values.mean()) / values.std()


def generate_systematic_maps(
    nside: int, families: list[int] | None = None, seed: int | np.random.SeedSequence | None = None
) -> np.ndarray:
    """Draw several synthetic templates.

    Parameters
    ----------
    nside : int
        Resolution.
    families : list of int, optional
        Keys of :data:`TEMPLATE_FAMILIES`; all five by default.
    seed : int or numpy.random.SeedSequence, optional
        Fixes the maps; others at every call when left out.

    Returns
    -------
    ndarray, shape (n_sys, 12 nside^2)
        As :func:`generate_systematic_map`, independent of each other.

    Raises
    ------
    ParameterError
        When no family is asked for, and as :func:`generate_systematic_map`.
    """
    families = list(TEMPLATE_FAMILIES) if families is None else list(families)
    if not families:
        msg = f"families is empty: give some of {', '.join(map(str, TEMPLATE_FAMILIES))}"
        raise ParameterError(msg)
    parent = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    children = parent.spawn(len(families))
    return np.array([generate_systematic_map(nside, *one) for one in zip(families, children, strict=True)])


def pixelize_catalog(ra: np.ndarray, dec: np.ndarray, nside: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Count the objects in every pixel of the sky: :func:`~.pixel_counts`.

    Parameters
    ----------
    ra, dec : ndarray, shape (n_obj,)
        Equatorial coordinates [deg].
    nside : int
        Resolution.
    weights : ndarray, shape (n_obj,), optional
        Weight of every object [1].

    Returns
    -------
    ndarray, shape (12 nside^2,)
        (Weighted) counts.

    Raises
    ------
    DataError
        When coordinates are not finite or not in degrees.
    """
    return pixel_counts(ra, dec, nside, weights)


def compute_overdensity(
    galaxy_counts: np.ndarray, random_counts: np.ndarray, min_random_fraction: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Overdensity on the pixels that are covered well enough: :func:`~.overdensity`.

    Parameters
    ----------
    galaxy_counts, random_counts : ndarray, of one shape
        Galaxies, and randoms or observed fraction, of the pixels of the sky or of any part of it.
    min_random_fraction : float
        Smallest coverage kept, relative to the largest; a pixel without any is never kept.

    Returns
    -------
    delta_g : ndarray, shape (n_pix,)
        Overdensity on the footprint [1].
    good_pixels : ndarray of bool, of the shape that came
        Footprint.

    Raises
    ------
    DataError
        When maps differ in size, or the footprint is empty or holds no galaxy.
    """
    galaxies, randoms = np.asarray(galaxy_counts, float), np.asarray(random_counts, float)
    flat = randoms.ravel()
    pixels = footprint(flat, min_random_fraction)
    pixels = pixels[flat[pixels] > 0.0]
    good = np.zeros(flat.size, bool)
    good[pixels] = True
    if galaxies.shape == randoms.shape:
        # a part of the sky is put on a whole one: the place of its pixels does not matter here
        galaxies, randoms = (_whole_sky(counts.ravel()) for counts in (galaxies, randoms))
    return overdensity(Counts.known(galaxies), Counts.known(randoms), pixels).delta, good.reshape(
        np.shape(random_counts)
    )


def assign_template_values(templates: np.ndarray, good_pixels: np.ndarray) -> np.ndarray:
    """Template values on a footprint.

    Parameters
    ----------
    templates : ndarray, shape (n_sys, 12 nside^2)
        Template maps.
    good_pixels : ndarray of bool, shape (12 nside^2,), or of int, shape (n_pix,)
        Footprint.

    Returns
    -------
    ndarray, shape (n_sys, n_pix)
        Values as they are; :func:`~.standardise` brings them to zero mean and unit rms there.

    Raises
    ------
    DataError
        When shapes differ, integers are no indices (as those of a mask of zeros and ones, which the original took for
        indices), or a template is NaN or UNSEEN in the footprint.
    """
    templates, good = np.atleast_2d(np.asarray(templates, float)), np.asarray(good_pixels)
    if good.dtype == bool and good.shape != templates.shape[1:]:
        msg = f"templates have shape {templates.shape} and good_pixels {good.shape}: bring both to one nside"
        raise DataError(msg)
    if good.dtype != bool and not _are_indices(good, templates.shape[1]):
        msg = (
            f"good_pixels has values of type {good.dtype} which repeat or are no pixels of {templates.shape[1]}: give "
            "a mask of type bool, good_pixels.astype(bool), or HEALPix indices"
        )
        raise DataError(msg)
    values = templates[:, good]
    lost = np.sum(~usable(values), axis=1)
    if lost.any():
        msg = f"templates {np.flatnonzero(lost).tolist()} are NaN or UNSEEN in {lost.max()} pixels: leave these out"
        raise DataError(msg)
    return values


def load_real_template(
    fits_path: str | Path,
    column: str,
    nside: int | None = None,
    *,
    valid_min: float = 0.0,
    ordering: str | None = None,
    frame: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read a template map and standardise it where it is known.

    Parameters
    ----------
    fits_path : str or Path
        HEALPix map in a FITS table.
    column : str
        Column of the map, in any table of the file.
    nside : int, optional
        Resolution wanted; that of the file by default.
    valid_min : float
        Values up to it, as those of missing observations, are not known; they do not enter coarser pixels.
    ordering, frame : str, optional
        Pixel ordering and sky frame, where the header does not say, as in :func:`~.read_map`.

    Returns
    -------
    template : ndarray, shape (12 nside^2,)
        Zero mean and unit rms over the valid pixels, zero elsewhere.
    valid_mask : ndarray of bool, shape (12 nside^2,)
        Where the template is known.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file is no map, does not say its ordering or frame, or has no valid pixel or a constant one.
    ParameterError
        For an unknown column or resolution.

    Notes
    -----
    The original read every file as it lay: NESTED and Galactic maps came out scrambled.  Here they are brought to
    RING and equatorial, and a file that does not say what it is has to be declared.
    """
    values = read_map(fits_path, ordering=ordering, frame=frame, column=column)
    values = np.where(usable(values) & (values > valid_min), values, hp.UNSEEN)
    values = values if nside is None else to_nside(values, nside)
    valid = usable(values)
    if not valid.any():
        msg = f"{fits_path} has no value of {column} above {valid_min:g}: give another column or valid_min"
        raise DataError(msg)
    template = np.zeros(values.size)
    template[valid] = standardise(values[None], (column,), np.flatnonzero(valid)).values[0]
    return template, valid


def load_real_templates(
    nside: int, syst_dir: str | Path, *, ordering: str | None = None, frame: str | None = None
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Read the density of faint stars and the depth in z of one resolution.

    Parameters
    ----------
    nside : int
        Resolution.
    syst_dir : str or Path
        Folder with ``GAIA_nstar_faint_NSIDE_00064.fits`` and ``LS10_GALDEPTH_Z_NSIDE_0064.fits``, for NSIDE 64.
    ordering, frame : str, optional
        As in :func:`load_real_template`.

    Returns
    -------
    templates : ndarray, shape (2, 12 nside^2)
        Each with zero mean and unit rms where it is known, zero elsewhere.
    names : list of str
        ``GAIA_nstar_faint`` and ``LS10_GALDEPTH_Z``.
    valid_mask : ndarray of bool, shape (12 nside^2,)
        Where both are known.

    Raises
    ------
    MissingDataError, DataError, ParameterError
        When the folder or a file is missing, and as :func:`load_real_template`.

    Notes
    -----
    :func:`~.read_templates` reads all maps of a folder.
    """
    top, name = folder(syst_dir, "syst_dir"), f"{check_nside(nside)}"
    found = [
        load_real_template(
            top / f"{stem}_NSIDE_{name.zfill(digits)}.fits", column, nside, ordering=ordering, frame=frame
        )
        for stem, (column, digits) in _REAL.items()
    ]
    maps, masks = (np.array(part) for part in zip(*found, strict=True))
    return maps, list(_REAL), masks.all(0)


def _family(family: int) -> str:
    if family not in TEMPLATE_FAMILIES:
        raise unknown_name("template family", family, map(str, TEMPLATE_FAMILIES))
    return TEMPLATE_FAMILIES[family]


def _whole_sky(counts: np.ndarray) -> np.ndarray:
    nside = 1
    while hp.nside2npix(nside) < counts.size:
        nside *= 2
    return np.pad(counts, (0, hp.nside2npix(nside) - counts.size))


def _are_indices(values: np.ndarray, n_pix: int) -> bool:
    inside = values.ndim == 1 and values.dtype.kind in "iu" and np.all((values >= 0) & (values < n_pix))
    return bool(inside) and np.unique(values).size == values.size
