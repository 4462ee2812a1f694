"""Mock catalogues with known contamination: one field and one set of templates, observed in four scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import healpy as hp
import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..harmonic import default_lmax, variance
from ..sky import Catalogue, check_nside, footprint, scatter_galaxies, to_nside, uniform_randoms
from ..templates import FAMILIES, standardise, synthetic_maps
from .footprints import survey_mask
from .lognormal import drawn_lognormal, expected_counts, gaussian_spectrum
from .mock_catalogue import SCENARIOS, ContaminationScenario, MockCatalog
from .shells import draw_redshifts

AMPLITUDE = 0.1
"""Rms of amplitudes that are drawn, per rms of the template."""


def make_mock_catalog(
    nside: int,
    n_sys: int,
    a_true: np.ndarray | None = None,
    b_true: np.ndarray | None = None,
    *,
    scenario: ContaminationScenario = "combined",
    template_families: Sequence[int | str] | None = None,
    n_mean: float = 30.0,
    sigma: float = 0.5,
    lat_cut_deg: float = 20.0,
    rand_factor: int = 8,
    seed: int = 0,
    **options,
) -> MockCatalog:
    """Simulate a contaminated galaxy catalogue with its truth.

    Parameters
    ----------
    nside, n_sys, n_mean, sigma, lat_cut_deg, rand_factor, seed
        As in :func:`make_mock_suite`.
    a_true, b_true : ndarray, shape (n_sys,), optional
        Amplitudes, per rms of the template; those that the scenario does not have are zero.
    scenario : {"none", "additive", "multiplicative", "combined"}
        Contamination.
    template_families : sequence of int or str, length n_sys, optional
        As in :func:`make_mock_suite`.
    **options
        ``mask``, ``spectrum``, ``nz`` and ``level`` of :func:`make_mock_suite`.

    Returns
    -------
    MockCatalog
        The same as in the suite of this seed.
    """
    suite = make_mock_suite(
        nside,
        n_sys,
        scenarios=[scenario],
        a_amplitudes=a_true,
        b_amplitudes=b_true,
        n_mean=n_mean,
        sigma=sigma,
        lat_cut_deg=lat_cut_deg,
        rand_factor=rand_factor,
        seed=seed,
        template_families=template_families,
        **options,
    )
    return suite[scenario]


def make_mock_suite(
    nside: int,
    n_sys: int,
    *,
    scenarios: Sequence[ContaminationScenario] | None = None,
    a_amplitudes: np.ndarray | None = None,
    b_amplitudes: np.ndarray | None = None,
    n_mean: float = 30.0,
    sigma: float = 0.5,
    lat_cut_deg: float = 20.0,
    rand_factor: int = 8,
    seed: int = 0,
    template_families: Sequence[int | str] | None = None,
    mask: np.ndarray | None = None,
    spectrum: np.ndarray | None = None,
    nz: tuple[np.ndarray, np.ndarray] | None = None,
    level: float = 1.0,
) -> dict[str, MockCatalog]:
    r"""Simulate one field with several contaminations.

    Parameters
    ----------
    nside : int
        Resolution of the templates and of the maps of the result.
    n_sys : int
        Number of templates.
    scenarios : sequence of str, optional
        Rows of :data:`SCENARIOS`; all four by default.
    a_amplitudes, b_amplitudes : ndarray, shape (n_sys,), optional
        Amplitudes, per rms of the template; drawn with rms :data:`AMPLITUDE` by default.  The multiplicative
        scenario has ``b_amplitudes`` as both, see :data:`SCENARIOS`.
    n_mean : float
        Expected galaxies of a whole pixel.
    sigma : float
        Rms of the logarithm of the true density, when no spectrum is given.
    lat_cut_deg : float
        Smallest Galactic latitude of the footprint, when no mask is given [deg].
    rand_factor : int
        Randoms for each galaxy.
    seed : int
        Fixes everything.
    template_families : sequence of int or str, length n_sys, optional
        Rows of :data:`~.FAMILIES`, or their numbers; one after the other by default.
    mask : ndarray of bool, shape (12 nside_field^2,), optional
        Footprint, RING, equatorial, see :func:`~.survey_mask`.  The field is drawn at its
        resolution, ``nside`` or finer, where galaxies are placed uniformly inside pixels.
    spectrum : ndarray, shape (lmax + 1,), optional
        Spectrum of the pixel averages of the true field at the resolution of the mask [sr].  By default the
        logarithm of the density is a Gaussian field with :math:`C_\ell \propto (\ell + 1)^{-2}`.
    nz : tuple of ndarray, shape (n_z,), optional
        Redshifts and n(z), for redshifts of galaxies and randoms.
    level : float
        Factor of the amplitudes.

    Returns
    -------
    dict of str to MockCatalog
        By scenario.  Field, templates and randoms are the same, and the galaxies are drawn from one set of objects:
        catalogues differ by their contamination.  A scenario does not depend on which others were asked for.

    Raises
    ------
    ParameterError
        When a resolution, scenario, family, level or number is not possible.
    DataError
        When amplitudes have another shape, or no lognormal field has the spectrum.

    Notes
    -----
    Contamination acts on the mean counts, before they are sampled (Berlfein et al. 2024, Eqs. 11-13).
    """
    scenarios = list(SCENARIOS) if scenarios is None else list(scenarios)
    for scenario in scenarios:
        if scenario not in SCENARIOS:
            raise unknown_name("scenario", scenario, SCENARIOS)
    _check_numbers(n_mean=n_mean, sigma=sigma, rand_factor=rand_factor)
    families = _families(template_families, n_sys)
    mask = survey_mask(nside, min_latitude=lat_cut_deg) if mask is None else np.asarray(mask, bool)
    n_field = hp.npix2nside(mask.size)
    if n_field < check_nside(nside):
        msg = f"the mask has NSIDE {n_field} and the mock {nside}: give a mask at NSIDE {nside} or finer"
        raise ParameterError(msg)
    of_field, of_galaxies, of_randoms, of_templates, of_amplitudes = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)
    )
    coverage = to_nside(mask.astype(float), nside)
    pixels = footprint(coverage)
    templates, names = _templates(nside, families, pixels, of_templates)
    drawn = of_amplitudes.normal(0.0, AMPLITUDE, (2, n_sys))
    given = zip("ab", (a_amplitudes, b_amplitudes), drawn, strict=True)
    amplitudes = {"": np.zeros(n_sys)} | {name: level * _amplitudes(name, x, d) for name, x, d in given}

    gaussian = log_spectrum(n_field, sigma) if spectrum is None else gaussian_spectrum(spectrum)[0]
    delta = drawn_lognormal(gaussian, n_field, of_field)
    number, means = n_mean * coverage.sum(), {}
    for scenario, (a, b) in SCENARIOS.items():
        acting = (to_nside(amplitudes[which] @ templates, n_field) for which in (a, b))
        means[scenario] = expected_counts(delta, *acting, mask, number)
    objects, seen = sample_together(means, of_galaxies)
    randoms = uniform_randoms(mask, round(rand_factor * number), of_randoms)
    z, z_rand = (
        None if nz is None else draw_redshifts(*nz, len(c), rng)
        for c, rng in ((objects, of_galaxies), (randoms, of_randoms))
    )
    shared = {
        "nside": nside,
        "ra_rand": _within_turn(randoms.ra),
        "dec_rand": randoms.dec,
        "templates": templates,
        "delta_true": to_nside(delta, nside),
        "mask": np.isin(np.arange(coverage.size), pixels),
        "n_mean": float(n_mean),
        "sigma": float(np.sqrt(variance(gaussian))),
        "seed": int(seed),
        "level": float(level),
        "names": names,
        "z_rand": z_rand,
    }
    suite = {}
    for scenario in scenarios:
        a, b = (amplitudes[which] for which in SCENARIOS[scenario])
        there = seen[scenario]
        own = {
            "ra_gal": _within_turn(objects.ra[there]),
            "dec_gal": objects.dec[there],
            "z_gal": None if z is None else z[there],
        }
        density = 1.0 + (1.0 + b @ templates) * shared["delta_true"] + a @ templates
        truth = {"delta_obs": np.maximum(density, 0.0) - 1.0, "a_true": a, "b_true": b}
        suite[scenario] = MockCatalog(scenario=scenario, **shared, **own, **truth)
    return suite


def log_spectrum(nside: int, sigma: float) -> np.ndarray:
    r"""Spectrum of the logarithm of the density of default mocks.

    Parameters
    ----------
    nside : int
        Resolution of the field.
    sigma : float
        Rms of the logarithm of the density in a pixel.

    Returns
    -------
    ndarray, shape (3 nside,)
        :math:`C_\ell \propto (\ell + 1)^{-2}` without a monopole [sr].
    """
    cl = FAMILIES["power_neg2"](np.arange(default_lmax(nside) + 1.0))
    cl[0] = 0.0
    return cl * (sigma**2 / variance(cl))


def sample_together(
    means: Mapping[str, np.ndarray], rng: np.random.Generator
) -> tuple[Catalogue, dict[str, np.ndarray]]:
    """Draw Poisson samples of several densities from one set of objects.

    Parameters
    ----------
    means : mapping of str to ndarray, shape (12 nside^2,)
        Expected objects of every pixel, RING, by name.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    objects : Catalogue
        Sample of the largest of the densities, uniform inside pixels.
    seen : dict of str to ndarray of bool, shape (n_obj,)
        Which of them belong to each density: a Poisson sample, and as much the same as can be.
    """
    most = np.max(list(means.values()), axis=0)
    counts = rng.poisson(most)
    objects = scatter_galaxies(counts, hp.npix2nside(most.size), rng)
    place = np.repeat(np.arange(most.size), counts)
    height = rng.random(len(objects)) * most[place]
    return objects, {name: height < mean[place] for name, mean in means.items()}


def _within_turn(ra: np.ndarray) -> np.ndarray:
    """Right ascensions in [0, 360); twice, as a tiny negative one becomes 360 by rounding."""
    return ra % 360.0 % 360.0


def _check_numbers(**numbers) -> None:
    for name, value in numbers.items():
        if not (np.isfinite(value) and value > 0):
            msg = f"{name} is {value!r}: give a positive number"
            raise ParameterError(msg)


def _families(families, n_sys: int) -> list[str]:
    known = list(FAMILIES)
    if n_sys < 1:
        msg = f"n_sys is {n_sys}: give one template or more"
        raise ParameterError(msg)
    families = [i % len(known) for i in range(n_sys)] if families is None else list(families)
    if len(families) != n_sys:
        msg = f"template_families names {len(families)} families for {n_sys} templates: give one each"
        raise ParameterError(msg)
    names = dict(enumerate(known)) | dict(zip(known, known, strict=True))
    for family in families:
        if family not in names:
            raise unknown_name("template family", family, [*known, *map(str, range(len(known)))])
    return [names[family] for family in families]


def _templates(nside, families, pixels, rng) -> tuple[np.ndarray, tuple[str, ...]]:
    """Templates on the full sky, with zero mean and unit rms over the footprint, and their names."""
    maps = synthetic_maps(nside, families, rng)
    names = tuple(f"{family} {i}" for i, family in enumerate(families))
    found = standardise(maps, names, pixels)
    return (maps - found.mean[:, None]) / found.rms[:, None], names


def _amplitudes(name: str, given, drawn: np.ndarray) -> np.ndarray:
    values = drawn if given is None else np.asarray(given, float)
    if values.shape != drawn.shape or not np.all(np.isfinite(values)):
        msg = f"{name} has shape {values.shape}, or is not finite: give {drawn.shape}, one per template"
        raise DataError(msg)
    return values
