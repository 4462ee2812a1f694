import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky, red_spectrum

from sysmap_core.harmonic.spectra import (
    correlate,
    correlation_from_spectrum,
    harmonic_products,
    masked_alm,
    pixel_window,
    spectrum_from_correlation,
    summed_spectrum,
    variance,
)
from sysmap_core.sky.footprints import Footprint


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16)


def test_transforms_are_inverse():
    cl = red_spectrum(16, 0.3)
    np.testing.assert_allclose(spectrum_from_correlation(correlation_from_spectrum(cl), 47), cl, atol=1e-16)


def test_variance_of_white_spectrum():
    assert variance(np.full(10, 4 * np.pi)) == pytest.approx(100.0)


def test_pixel_window_is_that_of_averages():
    """Variance of pixel averages of a fine map, against the window."""
    nside, fine = 16, 128
    ell = np.arange(3 * fine)
    cl = np.where((ell > 20) & (ell <= 40), 1e-3, 0.0)
    np.random.seed(1)  # noqa: NPY002  (what healpy takes)
    ratios = []
    for _ in range(20):
        field = hp.synfast(cl, fine)
        ratios.append(hp.ud_grade(field, nside).var() / field.var())
    expected = variance(cl[: 3 * nside] * pixel_window(nside, 3 * nside - 1) ** 2) / variance(cl)
    assert np.mean(ratios) == pytest.approx(expected, abs=4 * np.std(ratios) / np.sqrt(20))


def test_pixel_window_starts_at_one_and_falls():
    window = pixel_window(32, 95)
    assert window[0] == pytest.approx(1.0)
    assert np.all(np.diff(window) < 0)


def test_correlate_is_the_pixel_covariance_matrix(sky):
    vectors = np.array(hp.pix2vec(16, sky.pixels))
    cosine = np.clip(vectors.T @ vectors, -1, 1)
    factors = (2 * np.arange(48) + 1) / (4 * np.pi) * sky.spectrum
    matrix = np.polynomial.legendre.legval(cosine, factors)
    product = correlate(sky.templates.values, sky.spectrum, Footprint(sky.pixels, 16))
    np.testing.assert_allclose(product, sky.templates.values @ matrix, atol=1e-8)


def test_transforms_of_a_footprint_are_those_of_healpy(sky):
    full = np.zeros(hp.nside2npix(16))
    full[sky.pixels] = sky.templates.values[0]
    alm = hp.map2alm(full, lmax=47, iter=0)
    found = masked_alm(sky.templates.values[0], Footprint(sky.pixels, 16))
    np.testing.assert_allclose(found, alm[None], rtol=0, atol=1e-12 * np.abs(alm).max())
    product = hp.alm2map(hp.almxfl(alm / hp.nside2pixarea(16), sky.spectrum), 16, lmax=47)[sky.pixels]
    found = correlate(sky.templates.values[:1], sky.spectrum, Footprint(sky.pixels, 16))[0]
    np.testing.assert_allclose(found, product, rtol=0, atol=1e-12 * np.abs(product).max())


def test_harmonic_products_are_sums_over_pairs_of_pixels(sky):
    values, cl = sky.templates.values, sky.spectrum
    alms = masked_alm(values, Footprint(sky.pixels, 16))
    area = hp.nside2pixarea(16)
    pairs = values @ correlate(values, cl, Footprint(sky.pixels, 16)).T
    np.testing.assert_allclose(harmonic_products(alms, alms, cl) / area**2, pairs, rtol=1e-8)


def test_summed_spectrum(sky):
    alms = masked_alm(sky.templates.values, Footprint(sky.pixels, 16))
    np.testing.assert_allclose(summed_spectrum(alms, alms), sum(hp.alm2cl(a) for a in alms))
