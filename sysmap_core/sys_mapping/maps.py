"""The array interface: synthetic and real template maps, counts, overdensity and fields as plain functions of arrays.

Maps cover the full sky, RING, equatorial.
"""

from __future__ import annotations

from pathlib import Path

import glass.grf
import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..files import folder
from ..harmonic import default_lmax, variance
from ..mocks import log_spectrum, survey_mask
from ..sky import check_nside, footprint, overdensity, pixel_counts, read_map, to_nside, usable
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
    galaxy_counts, random_counts : ndarray, shape (12 nside^2,)
        Galaxies, and randoms or observed fraction, of every pixel.
    min_random_fraction : float
        Smallest coverage kept, relative to the largest.

    Returns
    -------
    delta_g : ndarray, shape (n_pix,)
        Overdensity on the footprint [1].
    good_pixels : ndarray of bool, shape (12 nside^2,)
        Footprint.

    Raises
    ------
    DataError
        When maps differ in size, or the footprint is empty or holds no galaxy.
    """
    galaxies, randoms = np.asarray(galaxy_counts, float), np.asarray(random_counts, float)
    pixels = footprint(randoms, min_random_fraction)
    good = np.zeros(randoms.size, bool)
    good[pixels] = True
    return overdensity(galaxies, randoms, pixels).delta, good


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
        When shapes differ, or a template is NaN or UNSEEN in the footprint.
    """
    templates, good = np.atleast_2d(np.asarray(templates, float)), np.asarray(good_pixels)
    if good.dtype == bool and good.shape != templates.shape[1:]:
        msg = f"templates have shape {templates.shape} and good_pixels {good.shape}: bring both to one nside"
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
        Column of the map.
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


def generate_lognormal_field(nside: int, sigma: float = 0.5, *, seed: int | None = None) -> np.ndarray:
    r"""Draw a lognormal overdensity, the exponential of a Gaussian field with a red spectrum.

    Parameters
    ----------
    nside : int
        Resolution.
    sigma : float
        Rms of the Gaussian field, whose spectrum is :math:`C_\ell \propto (\ell + 1)^{-2}`.
    seed : int, optional
        Fixes the field; another one at every call when left out.

    Returns
    -------
    ndarray, shape (12 nside^2,)
        Overdensity, larger than -1; its rms is :math:`\sqrt{\exp(\sigma^2) - 1}` [1].
        :func:`~.lognormal_field` draws one with any spectrum.

    Raises
    ------
    ParameterError
        When the resolution or ``sigma`` is not possible.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        msg = f"sigma is {sigma!r}: give a positive number"
        raise ParameterError(msg)
    gaussian = log_spectrum(check_nside(nside), sigma)
    return next(glass.fields.generate([glass.grf.Lognormal()], [gaussian], nside, rng=np.random.default_rng(seed)))


def make_galactic_mask(nside: int, lat_cut_deg: float = 20.0) -> np.ndarray:
    """Sky away from the Galactic plane: :func:`~.survey_mask`.

    Parameters
    ----------
    nside : int
        Resolution.
    lat_cut_deg : float
        Smallest distance from the plane, in Galactic latitude [deg].

    Returns
    -------
    ndarray of bool, shape (12 nside^2,)
        RING, equatorial.  The original cut in the latitude of the pixels, which is the declination.

    Raises
    ------
    ParameterError
        When the resolution or the latitude is not possible.
    """
    return survey_mask(nside, min_latitude=lat_cut_deg)


def _family(family: int) -> str:
    if family not in TEMPLATE_FAMILIES:
        raise unknown_name("template family", family, map(str, TEMPLATE_FAMILIES))
    return TEMPLATE_FAMILIES[family]
