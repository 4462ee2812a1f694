"""Gaussian fields, redshift shells, and realisations per pixel."""

import healpy as hp
import numpy as np
import pytest
from skies import red_spectrum

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.spectra import pixel_window, variance
from sysmap_core.mocks.lognormal import expected_counts, gaussian_spectrum, lognormal_field, simulate_catalogue
from sysmap_core.mocks.realisations import null_realisations, pixel_sample
from sysmap_core.mocks.shells import draw_redshifts, gaussian_field, shell_fields, shell_spectra, simulate_shells
from sysmap_core.sky.field import Field, overdensity
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.pixels import pixel_counts

NSIDE = 16

CL = red_spectrum(NSIDE, 0.4)

SAMPLE = pixel_sample(NSIDE, 0.4, 40.0)


def correlated(r, n=2):
    """Spectra of shells with one spectrum and a correlation coefficient."""
    return (r + (1 - r) * np.eye(n))[:, :, None] * CL


def test_gaussian_field_has_its_spectrum():
    fields = [gaussian_field(CL, NSIDE, np.random.default_rng(seed)) for seed in range(40)]
    assert np.mean([f.var() for f in fields]) == pytest.approx(variance(CL), rel=0.05)
    skewness = np.mean([np.mean(f**3) for f in fields]) / variance(CL) ** 1.5
    assert abs(skewness) < 0.1
    assert min(f.min() for f in fields) < -1


def test_galaxies_of_a_gaussian_field_are_none_where_it_is_below_minus_one():
    delta = gaussian_field(4 * CL, NSIDE, np.random.default_rng(0))
    zero = np.zeros(delta.size)
    counts = expected_counts(delta, zero, zero, zero == 0, 1000.0)
    assert (delta < -1).any()
    assert (counts[delta < -1] == 0).all()


def test_one_shell_is_the_lognormal_field():
    gaussian, clipped = shell_spectra(CL[None, None])
    np.testing.assert_allclose(gaussian[0, 0], gaussian_spectrum(CL)[0], atol=1e-15)
    assert clipped == 0
    (delta,) = shell_fields(gaussian, NSIDE, np.random.default_rng(5))
    np.testing.assert_allclose(delta, lognormal_field(CL, NSIDE, np.random.default_rng(5)), atol=1e-6)


@pytest.mark.parametrize("kind", ["lognormal", "gaussian"])
@pytest.mark.parametrize("r", [0.0, 0.6, 1.0])
def test_shells_are_correlated_as_asked(kind, r):
    gaussian, _ = shell_spectra(correlated(r), kind)
    cross, auto = [], []
    for seed in range(30):
        one, two = shell_fields(gaussian, NSIDE, np.random.default_rng(seed), kind)
        cross.append(np.mean(one * two))
        auto.append(np.mean(one**2 + two**2) / 2)
    error = np.std(np.array(cross) - r * np.array(auto)) / np.sqrt(30)
    assert abs(np.mean(cross) - r * np.mean(auto)) < 4 * error + 1e-4
    assert np.mean(auto) == pytest.approx(variance(CL), rel=0.08)


def test_impossible_correlations_are_clipped_and_reported():
    gaussian, clipped = shell_spectra(correlated(1.3), "gaussian")
    # eigenvalues 2.3 and -0.3
    assert clipped == pytest.approx(0.3 / 2.6)
    eigenvalues = np.linalg.eigvalsh(np.moveaxis(gaussian, -1, 0))
    assert eigenvalues.min() >= -1e-18
    assert len(list(shell_fields(gaussian, NSIDE, np.random.default_rng(0), "gaussian"))) == 2


def test_redshifts_follow_their_distribution():
    z = np.linspace(0.0, 1.0, 11)
    drawn = draw_redshifts(z, z, 20_000, np.random.default_rng(1))
    # n(z) = 2 z: mean 2/3, variance 1/18
    assert drawn.mean() == pytest.approx(2 / 3, abs=4 / np.sqrt(18 * 20_000))
    part = draw_redshifts(z, z, 20_000, np.random.default_rng(1), within=(0.25, 0.35))
    assert 0.25 <= part.min() < part.max() <= 0.35
    assert part.mean() == pytest.approx((0.35**3 - 0.25**3) / 3 / 0.03, abs=4 * 0.03 / np.sqrt(20_000))


def test_catalogue_in_shells():
    z = np.linspace(0.0, 0.6, 61)
    mask = np.arange(hp.nside2npix(NSIDE)) < 1500
    a = np.where(np.arange(hp.nside2npix(8)) % 2, 0.3, -0.3)
    mock = simulate_shells(
        correlated(0.5, 3) * 0.1,
        mask,
        90_000,
        (z, z**2),
        np.array([0.1, 0.2, 0.3, 0.5]),
        rng_field=np.random.default_rng(1),
        rng_galaxies=np.random.default_rng(2),
        additive=np.array([a, 0 * a, 0 * a]),
    )
    share = np.diff(np.array([0.1, 0.2, 0.3, 0.5]) ** 3)
    numbers = np.bincount(mock.shell)
    # fields scatter by a few per cent
    np.testing.assert_allclose(numbers / numbers.sum(), share / share.sum(), rtol=0.1)
    for i, (low, high) in enumerate([(0.1, 0.2), (0.2, 0.3), (0.3, 0.5)]):
        inside = mock.shell == i
        assert low <= mock.z[inside].min() < mock.z[inside].max() <= high
        counts = pixel_counts(mock.galaxies.ra[inside], mock.galaxies.dec[inside], 8)
        full = pixel_counts(*hp.pix2ang(NSIDE, np.flatnonzero(mask), lonlat=True), 8) == 4
        ratio = counts[full & (a > 0)].mean() / counts[full & (a < 0)].mean()
        assert ratio == pytest.approx(1.3 / 0.7 if i == 0 else 1.0, rel=0.2)
    counts = pixel_counts(mock.galaxies.ra, mock.galaxies.dec, NSIDE)
    assert counts[~mask].sum() == 0
    assert mock.delta.shape == (3, mask.size)


def test_statistics_are_those_of_catalogues():
    """The same field, counted per pixel or as a catalogue of positions: variances agree within 2 per cent."""
    mask = np.zeros(hp.nside2npix(NSIDE), bool)
    mask[SAMPLE.sky.pixels] = True
    window = pixel_window(NSIDE, len(SAMPLE.spectrum) - 1)
    inside = SAMPLE.spectrum / window**2
    rows = []
    for seed in range(12):
        pixels = SAMPLE.draw(seed)
        mock = simulate_catalogue(
            inside,
            mask,
            SAMPLE.sky.n_galaxies,
            NSIDE,
            rng_field=np.random.default_rng(seed),
            rng_galaxies=np.random.default_rng([1, seed]),
        )
        counts = pixel_counts(mock.galaxies.ra, mock.galaxies.dec, NSIDE)
        rows.append([pixels.delta.var(), overdensity(counts, mask.astype(float), SAMPLE.sky.pixels).delta.var()])
    one, other = np.mean(rows, axis=0)
    assert one / other == pytest.approx(1.0, abs=0.02)


Z = np.linspace(0, 1, 5)

BLANK = Field(np.zeros(4), np.full(4, 1e-9), Footprint(np.arange(4), 1))

BAD = {
    "the spectrum is negative": lambda: gaussian_field(-CL, NSIDE, None),
    "unknown kind 'normal'": lambda: shell_spectra(correlated(0.1), "normal"),
    r"spectra have shape \(48,\)": lambda: shell_spectra(CL),
    "no lognormal field": lambda: shell_spectra(correlated(-60.0)),
    "n_realisations is 0": lambda: next(null_realisations(SAMPLE.sky, CL, 0, seed=1)),
    "has none: give more expected counts": lambda: next(null_realisations(BLANK, np.zeros(3), 1, seed=1)),
    "give increasing z and n": lambda: draw_redshifts(Z[::-1], Z, 3, None),
    "vanishes between 2 and 3": lambda: draw_redshifts(Z, Z, 3, None, within=(2, 3)),
    "edges have shape": lambda: simulate_shells(
        correlated(0.1), np.ones(12, bool), 10, (Z, Z), Z, rng_field=None, rng_galaxies=None
    ),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_input(problem):
    with pytest.raises((DataError, ParameterError), match=problem):
        BAD[problem]()
