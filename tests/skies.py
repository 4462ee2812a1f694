"""Small skies with known truth, for tests."""

from __future__ import annotations

from dataclasses import replace

import healpy as hp
import numpy as np
from astropy.table import Table
from scipy.special import roots_genlaguerre

from sysmap_core.analysis.sample_run import run_sample
from sysmap_core.harmonic.spectra import pixel_window, variance
from sysmap_core.mocks.lognormal import gaussian_spectrum, independent_pixels
from sysmap_core.mocks.surveys import mock_survey, thinned
from sysmap_core.samples.sample import Sample
from sysmap_core.samples.spec import SampleSpec
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.sky.counts import Counts
from sysmap_core.sky.field import Field, footprint, overdensity
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.healpix_io import write_map
from sysmap_core.sky.random_points import uniform_randoms
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates.synthetic import synthetic_maps
from sysmap_core.templates.template_set import TemplateSet, standardise
from sysmap_core.validation import calibration


def orthonormal_templates(n_sys: int, n_pix: int, seed: int = 0) -> np.ndarray:
    """Uncorrelated templates with zero mean and unit rms, shape (n_sys, n_pix)."""
    return calibration.orthonormal_templates(n_sys, n_pix, np.random.default_rng(seed))


def independent_counts(nbar, a, b, n_pix=40_000, n_sys=3, sigma=0.3, seed=0):
    """Poisson counts of a contaminated lognormal field without correlations.

    Returns delta, templates and expected counts; a and b belong to the first template.
    """
    templates = orthonormal_templates(n_sys, n_pix, seed + 1000)
    expected = np.full(n_pix, float(nbar))
    first = np.eye(1, n_sys)[0]
    delta = independent_pixels(templates, expected, sigma, np.random.default_rng(seed), a=a * first, b=b * first)
    return delta, templates, expected


def red_spectrum(nside: int, rms: float) -> np.ndarray:
    """Spectrum of pixel averages, a power law times the pixel window, with a given rms."""
    ell = np.arange(3 * nside)
    cl = np.where(ell > 0, np.maximum(ell, 1.0) ** -1.5, 0.0) * pixel_window(nside, 3 * nside - 1) ** 2
    return cl * rms**2 / (np.sum((2 * ell + 1) * cl) / (4 * np.pi))


class ClusteredSky:
    """Lognormal fields on the part of a cut sky, with templates of four families."""

    def __init__(self, nside=16, rms=0.3, nbar=60.0, families=("white_noise", "power_neg1", "power_neg2"), seed=0):
        self.nside, self.nbar = nside, nbar
        self.spectrum = red_spectrum(nside, rms)
        self._gaussian, _ = gaussian_spectrum(self.spectrum)
        z = hp.pix2vec(nside, np.arange(hp.nside2npix(nside)))[2]
        self.coverage = (np.abs(z) > 0.4).astype(float)
        self.pixels = footprint(self.coverage)
        self.footprint = Footprint(self.pixels, nside)
        maps = synthetic_maps(nside, families, np.random.default_rng(seed))
        self.templates: TemplateSet = standardise(maps, families, self.footprint)

    def field(self, seed: int, a=0.0, b=0.0) -> Field:
        """Poisson counts of one contaminated realisation."""
        rng = np.random.default_rng([7, seed])
        lmax = len(self.spectrum) - 1
        ell, m = hp.Alm.getlm(lmax)
        real, imaginary = rng.standard_normal((2, ell.size))
        alm = np.where(m == 0, real, (real + 1j * imaginary) / np.sqrt(2)) * np.sqrt(self._gaussian[ell])
        gauss = hp.alm2map(alm, self.nside, lmax=lmax)
        delta = np.exp(gauss - np.sum((2 * np.arange(lmax + 1) + 1) * self._gaussian) / (8 * np.pi)) - 1
        n_sys = self.templates.n_sys
        additive, multiplicative = (np.broadcast_to(x, n_sys) @ self.templates.values for x in (a, b))
        density = np.zeros(self.coverage.size)
        density[self.pixels] = 1 + delta[self.pixels] * (1 + multiplicative) + additive
        counts = rng.poisson(self.nbar * np.maximum(density, 0)).astype(float)
        return overdensity(counts, self.coverage, self.footprint)


class AveragedSky(ClusteredSky):
    """Fields that are drawn in pixels of a quarter of the side and averaged: they have power beyond 3 nside."""

    FINE = 4

    def __init__(self, nside=16, amplitude=3e-3, nbar=200.0):
        super().__init__(nside=nside, nbar=nbar)
        ell = np.arange(3 * self.FINE * nside)
        self.cl = np.where(ell > 0, amplitude / np.maximum(ell, 1.0), 0.0)
        self._fine_gaussian, _ = gaussian_spectrum(self.cl)

    def field(self, seed: int) -> Field:
        """Poisson counts of one clean realisation."""
        rng = np.random.default_rng([11, seed])
        nside, gaussian, lmax = self.FINE * self.nside, self._fine_gaussian, len(self.cl) - 1
        ell, m = hp.Alm.getlm(lmax)
        real, imaginary = rng.standard_normal((2, ell.size))
        alm = np.where(m == 0, real, (real + 1j * imaginary) / np.sqrt(2)) * np.sqrt(gaussian[ell])
        delta = np.exp(hp.alm2map(alm, nside, lmax=lmax) - variance(gaussian) / 2.0) - 1.0
        density = np.where(self.coverage > 0, 1.0 + to_nside(delta, self.nside), 0.0)
        return overdensity(rng.poisson(self.nbar * density).astype(float), self.coverage, self.footprint)


class Observed:
    """Points of lognormal fields with additive contamination, finite randoms, or weights for galaxies that were lost.

    Fields, mask and randoms are made at four times the resolution of the analysis.
    """

    FAMILIES = ("white_noise", "power_neg1", "power_neg2")

    def __init__(self, nside, rms, galaxies_per_pixel, case, white=True, amplitude=0.05):
        self.survey = mock_survey(nside, rms, white=white)
        self.number = galaxies_per_pixel * self.survey.coverage.sum()
        self.randoms = 50 if case == "weights" else int(case.split()[0])
        self.amplitude = amplitude
        self.maps = synthetic_maps(nside, self.FAMILIES, np.random.default_rng(5))
        ra, dec = np.radians(hp.pix2ang(4 * nside, np.arange(self.survey.mask.size), lonlat=True))
        wave = 0.5 + 0.5 * np.sin(3 * ra) * np.cos(3 * dec)
        self.completeness = 0.25 + 0.75 * wave if case == "weights" else None

    def draw(self, seed: int, scales=(1.0, 1.0)) -> tuple[Field, TemplateSet]:
        """Field and templates of one survey; weights of galaxies and randoms in any unit."""
        rng = np.random.default_rng([seed, 11])
        seen = self.survey.with_randoms(int(self.randoms * self.number), rng)
        templates = standardise(self.maps, self.FAMILIES, seen.pixels)
        contamination = self.amplitude * templates.values.sum(0)
        galaxies = seen.draw(self.number, rng, rng, additive=contamination).galaxies
        if self.completeness is not None:
            galaxies = thinned(galaxies, self.completeness, rng)
        weights = scales[0] * (np.ones(len(galaxies)) if galaxies.weights is None else galaxies.weights)
        counts = Counts.of(galaxies.ra, galaxies.dec, seen.nside, weights)
        coverage = Counts(scales[1] * seen.coverage.weights, scales[1] ** 2 * seen.coverage.squares)
        return overdensity(counts, coverage, templates.footprint), templates


def one_pixel_moments(sigma2, q, density, nbar, rho=0.0):
    """Second to fourth moment of e, by quadrature over field and coverage, and the moments of counts given both.

    rho is the relative variance of a coverage that was counted.
    """
    if rho:
        of_coverage = roots_genlaguerre(40, 1.0 / rho - 1.0)
        parts = [_moments_at(sigma2, q, density, nbar, y * rho) for y in of_coverage[0]]
        return [np.average(moment, axis=0, weights=of_coverage[1]) for moment in zip(*parts, strict=True)]
    return _moments_at(sigma2, q, density, nbar, 1.0)


def _moments_at(sigma2, q, density, nbar, coverage):
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    width = np.sqrt(np.log1p(sigma2))
    delta = np.expm1(width * nodes - width**2 / 2)[:, None]
    mean = nbar * coverage * (density + q * delta)
    signal = mean / nbar - density
    noise2, noise3, noise4 = mean / nbar**2, mean / nbar**3, (mean + 3 * mean**2) / nbar**4
    given = (
        signal**2 + noise2,
        signal**3 + 3 * signal * noise2 + noise3,
        signal**4 + 6 * signal**2 * noise2 + 4 * signal * noise3 + noise4,
    )
    return [weights @ moment / weights.sum() for moment in given]


SAMPLE_NSIDE = 8


def north(ra, dec):
    """Two regions that meet at the equator."""
    return np.where(dec > 0, "N", "S")


def _scattered(n, seed, columns):
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return Catalogue(ra, dec, None, {name: make(ra, dec) for name, make in columns.items()})


def scattered_sample(coverage=None, randoms=True, n_galaxies=500, **columns):
    """Sample of points all over the sky, without templates; columns are functions of (ra, dec)."""
    galaxies = _scattered(n_galaxies, 1, columns)
    points = _scattered(10 * n_galaxies, 2, columns) if randoms else None
    counted = Counts.of(points.ra, points.dec, SAMPLE_NSIDE) if randoms else None
    return Sample(
        identifier="x",
        title="x",
        nside=SAMPLE_NSIDE,
        galaxy_counts=Counts.of(galaxies.ra, galaxies.dec, SAMPLE_NSIDE),
        coverage=counted if coverage is None else coverage,
        maps=np.zeros((0, hp.nside2npix(SAMPLE_NSIDE))),
        template_names=(),
        galaxies=galaxies,
        randoms=points,
        simulated=True,
        truth=None,
        sources={},
        missing="error",
        notes=(),
    )


def catalogued_spec(folder, *, n_randoms=40_000, twin=False, scale=1.0):
    """Files of a small clustered sample with two regions and two bins, and what their owner says of them.

    In region N galaxies follow the map ``first``, in S they avoid it, with an amplitude of 0.15.
    """
    folder.mkdir(exist_ok=True)
    made, rng = mock_survey(SAMPLE_NSIDE, 0.15), np.random.default_rng(5)
    side = north(*hp.pix2ang(SAMPLE_NSIDE, np.arange(12 * SAMPLE_NSIDE**2), lonlat=True))
    maps = synthetic_maps(SAMPLE_NSIDE, ["white_noise", "power_neg1", "white_noise"], np.random.default_rng(6))
    maps[2] = maps[0] + 0.05 * maps[2]
    maps = maps[: 3 if twin else 2]
    scaled = np.zeros(maps.shape[1])
    for region, sign in (("N", 1.0), ("S", -1.0)):
        inside = made.pixels[side[made.pixels] == region]
        scaled[inside] = sign * standardise(maps[:1], ["first"], inside).values[0]
    draws = [np.random.default_rng(seed) for seed in (7, 8, 9, 10)]
    bins = [made.draw(15_000, *draws[2 * i : 2 * i + 2], additive=0.15 * scaled[made.pixels]) for i in (0, 1)]
    ra, dec = (np.concatenate([getattr(mock.galaxies, which) for mock in bins]) for which in ("ra", "dec"))
    z = np.concatenate(
        [rng.uniform(*edges, len(m.galaxies)) for m, edges in zip(bins, ((0.2, 0.5), (0.5, 0.8)), strict=True)]
    )
    randoms = uniform_randoms(made.mask, n_randoms, rng)
    own = {"W": scale * rng.uniform(0.8, 1.2, len(ra))}
    tables = {
        "galaxies": {"RA": ra, "DEC": dec, "Z": z, "SIDE": north(ra, dec), **own},
        "randoms": {
            "RA": randoms.ra,
            "DEC": randoms.dec,
            "SIDE": north(randoms.ra, randoms.dec),
            "W": np.full(n_randoms, 2.0 * scale),
        },
    }
    for name, columns in tables.items():
        Table(columns).write(folder / f"{name}.fits", overwrite=True)
    (folder / "maps").mkdir(exist_ok=True)
    for name, values in zip(("first", "second", "twin"), maps, strict=False):
        write_map(folder / "maps" / f"{name}.fits", values, quantity=name, survey="x")
    return SampleSpec(
        SAMPLE_NSIDE,
        data=folder / "galaxies.fits",
        randoms=folder / "randoms.fits",
        template_dir=folder / "maps",
        identifier="small",
        simulated=True,
        weight_columns=("W",),
        random_weight_columns=("W",),
        regions="SIDE",
        z_edges=(0.2, 0.5, 0.8),
    )


def catalogued_run(folder, *, parts=True, twin=False, scale=1.0, methods=("OLS", "GLS"), **how):
    """Fits of that sample, of its four parts or of it as a whole."""
    spec = catalogued_spec(folder, twin=twin, scale=scale)
    if not parts:
        spec = replace(spec, regions="", z_edges=())
    return run_sample(spec, methods=methods, **how)
