import ducc0
import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.mode_coupling import (
    MaskedSky,
    coupling_matrix,
    masked_sky,
    noise_power,
    removed_power,
    removed_response,
    template_power,
    weight_spectrum,
)
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.templates.template_set import from_pixels

NSIDE, LMAX = 4, 11

CL = np.arange(1.0, LMAX + 2) ** -1.5

CENTRES = np.array(hp.pix2vec(NSIDE, np.arange(hp.nside2npix(NSIDE))))

LEGENDRE = np.polynomial.legendre.legvander(np.clip(CENTRES.T @ CENTRES, -1, 1), LMAX)


def a_sky(seed, pixels, n_sys):
    """Uneven weights and random templates."""
    rng = np.random.default_rng(seed)
    templates = from_pixels(rng.standard_normal((n_sys, pixels.size)), pixels, NSIDE)
    return MaskedSky(Footprint(pixels, NSIDE), rng.uniform(0.2, 1.0, pixels.size), templates)


@pytest.fixture(scope="module")
def skies():
    z = CENTRES[2]
    return a_sky(1, np.flatnonzero(z > -0.2), 2), a_sky(2, np.flatnonzero(z < 0.6), 1)


def by_pairs_of_pixels(one, two, covariance):
    """Expected pseudo-spectrum of what is left of a field, from dense matrices."""
    left = [np.eye(s.pixels.size) - s.basis.T @ s.functionals for s in (one, two)]
    product = left[0] @ covariance @ left[1].T * np.outer(one.weights, two.weights)
    pairs = LEGENDRE[np.ix_(one.pixels, two.pixels)]
    return one.area**2 / (4 * np.pi) * np.einsum("pq,pql->l", product, pairs)


def field_covariance(one, two):
    pairs = LEGENDRE[np.ix_(one.pixels, two.pixels)]
    return pairs @ ((2 * np.arange(LMAX + 1) + 1) / (4 * np.pi) * CL)


def test_coupling_equals_the_sum_over_three_j_symbols():
    mask_cl = np.random.default_rng(0).uniform(size=14)
    found = coupling_matrix(mask_cl, 5, 8)
    expected = np.zeros((6, 9))
    for row in range(6):
        for column in range(9):
            first, symbols = ducc0.misc.wigner3j_int(row, column, 0, 0)
            ell = np.arange(first, first + symbols.size)
            total = np.sum((2 * ell + 1) * mask_cl[ell] * symbols**2)
            expected[row, column] = (2 * column + 1) / (4 * np.pi) * total
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_full_sky_couples_nothing():
    mask_cl = np.append(4 * np.pi, np.zeros(20))
    np.testing.assert_allclose(coupling_matrix(mask_cl, 10), np.eye(11), atol=1e-13)


@pytest.mark.parametrize("second", [0, 1])
def test_expectation_is_that_of_dense_matrices(skies, second):
    one, two = skies[0], skies[second]
    mask_cl = weight_spectrum(one, one.weights, two, two.weights, 2 * LMAX)
    found = coupling_matrix(mask_cl, LMAX) @ CL - removed_power(one, CL, two)
    expected = by_pairs_of_pixels(one, two, field_covariance(one, two))
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_noise_is_that_of_dense_matrices(skies):
    noise = np.random.default_rng(3).uniform(size=skies[0].pixels.size)
    expected = by_pairs_of_pixels(skies[0], skies[0], np.diag(noise))
    np.testing.assert_allclose(noise_power(skies[0], noise), expected, atol=1e-15)


@pytest.mark.parametrize("second", [0, 1])
def test_response_is_the_removed_power_of_every_spectrum(skies, second):
    bands = np.random.default_rng(4).uniform(size=(3, LMAX + 1))
    response = removed_response(skies[0], skies[second], bands)
    for spectrum in (CL, np.eye(LMAX + 1)[3]):
        expected = bands @ removed_power(skies[0], spectrum, skies[second])
        np.testing.assert_allclose(response @ spectrum, expected, atol=1e-14)


def test_removed_power_is_in_the_units_of_the_spectrum(skies):
    np.testing.assert_allclose(removed_power(skies[0], 7 * CL), 7 * removed_power(skies[0], CL), rtol=1e-12)


def test_removed_power_belongs_to_the_span_of_the_templates(skies):
    one = skies[0]
    mixed = np.array([[2.0, 1.0], [-1.0, 3.0]]) @ one.basis[1:]
    other = MaskedSky(Footprint(one.pixels, NSIDE), one.weights, from_pixels(mixed, one.pixels, NSIDE))
    np.testing.assert_allclose(removed_power(other, CL), removed_power(one, CL), atol=1e-15)


def test_template_of_one_multipole_takes_one_of_its_modes():
    """Full sky: the share 1 / (2l + 1) of that multipole, and nothing of the others."""
    nside, ell = 32, 5
    alm = np.zeros(hp.Alm.getsize(3 * nside - 1), complex)
    alm[hp.Alm.getidx(3 * nside - 1, ell, 2)] = 1.0
    pixels = np.arange(hp.nside2npix(nside))
    templates = from_pixels(hp.alm2map(alm, nside)[None], pixels, nside)
    sky = MaskedSky(Footprint(pixels, nside), np.ones(pixels.size), templates)
    taken = removed_power(sky, np.ones(3 * nside))
    expected = np.zeros(3 * nside)
    expected[0], expected[ell] = 1.0, 1.0 / (2 * ell + 1)
    np.testing.assert_allclose(taken, expected, atol=2e-4)


def test_template_power_is_that_of_the_contamination_less_its_noise(skies):
    one = skies[0]
    plain = MaskedSky(Footprint(one.pixels, NSIDE), one.weights)
    templates = from_pixels(one.basis[1:], one.pixels, NSIDE)
    a, cov = np.array([0.3, -0.2]), np.array([[0.02, 0.01], [0.01, 0.03]])
    known = template_power(plain, templates, a, np.zeros((2, 2)))
    np.testing.assert_allclose(known, hp.alm2cl(plain.analyse(a @ templates.values)), atol=1e-16)
    # the noise of the amplitudes as a sum of two maps that are independent of each other
    root = np.linalg.cholesky(cov)
    noise = sum(hp.alm2cl(alm) for alm in plain.analyse(root.T @ templates.values))
    np.testing.assert_allclose(template_power(plain, templates, a, cov), known - noise, atol=1e-16)


def test_contamination_is_removed_whatever_its_amplitude(skies):
    one = skies[0]
    delta = np.random.default_rng(5).standard_normal(one.pixels.size)
    contaminated = delta + np.array([7.0, 1.0, -3.0]) @ one.basis
    np.testing.assert_allclose(one.analyse(contaminated), one.analyse(delta), atol=1e-12)


def test_coverage_is_the_default_weight():
    pixels = np.arange(5)
    sky = masked_sky(Field(np.zeros(5), np.array([1.0, 2.0, 4.0, 2.0, 1.0]), Footprint(pixels, 4)))
    np.testing.assert_allclose(sky.weights, [0.25, 0.5, 1.0, 0.5, 0.25])
    assert sky.f_sky == 5 / 192
    assert sky.names == ()


PIXELS = np.arange(10)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((PIXELS, 5, np.ones(10)), ParameterError, "nside is 5: give a power of two"),
        ((PIXELS + 190, 4, np.ones(10)), DataError, "8 pixels are repeated or outside 0 to 191: give RING indices"),
        ((PIXELS // 2, 4, np.ones(10)), DataError, "5 pixels are repeated or outside"),
        ((PIXELS * 1.0, 4, np.ones(10)), DataError, "type float64: give HEALPix indices, RING"),
        ((PIXELS, 4, np.ones(9)), DataError, r"weights have shape \(9,\) for 10 pixels"),
        ((PIXELS, 4, np.where(PIXELS < 2, -1.0, 1.0)), DataError, "negative or not finite in 2 of 10 pixels"),
        ((PIXELS, 4, np.zeros(10)), DataError, "or zero in all: give the coverage"),
    ],
)
def test_bad_footprints(arguments, error, match):
    pixels, nside, weights = arguments
    with pytest.raises(error, match=match):
        MaskedSky(Footprint(pixels, nside), weights)


def test_bad_templates_and_spectra(skies):
    one = skies[0]
    values = one.basis[1:]
    elsewhere = from_pixels(values, one.pixels + 1, NSIDE)
    with pytest.raises(
        DataError, match=r"footprint has \d+ pixels at nside 4 and the templates \d+ pixels .* use the same pixels"
    ):
        MaskedSky(Footprint(one.pixels, NSIDE), one.weights, elsewhere)
    twice = from_pixels(values[[0, 0]], one.pixels, NSIDE, ["dust", "dust again"])
    with pytest.raises(DataError, match="dust, dust again are linear combinations"):
        MaskedSky(Footprint(one.pixels, NSIDE), one.weights, twice)
    templates = from_pixels(values, one.pixels, NSIDE)
    with pytest.raises(DataError, match=r"a has shape \(3,\) and cov_a \(2, 2\): give \(2,\)"):
        template_power(one, templates, np.zeros(3), np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"the spectrum has shape \(5,\): give 12 multipoles"):
        removed_power(one, np.ones(5))
    with pytest.raises(DataError, match=r"spectrum of the mask has shape \(12,\): give 23"):
        coupling_matrix(CL, LMAX)


def test_weights_are_not_guessed():
    field = Field(np.zeros(5), np.full(5, np.inf), Footprint(np.arange(5), 4))
    with pytest.raises(DataError, match="no expected counts or no places for its pixels: give weights"):
        masked_sky(field)
    assert masked_sky(field, weights=np.ones(5)).weights.sum() == 5
