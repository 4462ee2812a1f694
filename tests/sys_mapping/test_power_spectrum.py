import inspect

import healpy as hp
import numpy as np
import pytest

import sysmap_core
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.mode_coupling import MaskedSky, template_power
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sys_mapping import power_spectrum as array_spectra
from sysmap_core.sys_mapping.correction import correct_power_spectrum_harmonic
from sysmap_core.sys_mapping.power_spectrum import (
    harmonic_bias,
    measure_pseudo_cl,
    mode_projection_bias,
    subtract_template_cl,
)
from sysmap_core.templates.template_set import from_pixels

SIGNATURES = {
    "measure_pseudo_cl": "delta_g, mask, lmax=None, *, use_pixel_weights=True",
    "subtract_template_cl": "pseudo_cl, delta_t, mask, alpha, lmax=None",
    "harmonic_bias": "n_templates, ell",
    "mode_projection_bias": "pseudo_cl, coupling_matrix, ell, n_templates, *, mode='basic', threshold=0.1",
    "correct_power_spectrum_harmonic": "pseudo_cl, ell, n_templates, alpha, template_cls",
}

NSIDE, ELL = 8, np.arange(24)


@pytest.fixture(scope="module")
def maps():
    """Overdensity, weights with a hole, and two templates."""
    rng = np.random.default_rng(0)
    size = hp.nside2npix(NSIDE)
    mask = np.where(hp.pix2vec(NSIDE, np.arange(size))[2] > -0.3, rng.uniform(0.2, 1.0, size), 0.0)
    return rng.standard_normal(size), mask, rng.standard_normal((2, size))


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_those_of_the_original(name):
    parameters = inspect.signature(getattr(sysmap_core, name)).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(plain)) == f"({SIGNATURES[name]})"


@pytest.mark.parametrize("lmax", [None, 10])
def test_pseudo_spectrum_equals_that_of_healpy(maps, lmax):
    delta, mask, _ = maps
    ell, found = measure_pseudo_cl(np.where(mask > 0, delta, hp.UNSEEN), mask, lmax)
    np.testing.assert_array_equal(ell, np.arange(24 if lmax is None else 11))
    np.testing.assert_allclose(found, hp.anafast(delta * mask, lmax=ell[-1], iter=0), rtol=1e-10)


def test_subtraction_is_quadratic_with_all_pairs(maps):
    _, mask, templates = maps
    alpha = np.array([0.4, -0.3])
    _, contamination = measure_pseudo_cl(alpha @ templates, mask)
    left = subtract_template_cl(np.ones(24), templates, mask, alpha)
    np.testing.assert_allclose(left, 1 - contamination, atol=1e-12)
    squares = np.outer(alpha, alpha)
    np.testing.assert_allclose(subtract_template_cl(np.ones(24), templates, mask, squares), left, atol=1e-12)


def test_subtraction_keeps_the_multipoles_of_the_spectrum(maps):
    _, mask, templates = maps
    alpha = np.array([0.4, -0.3])
    short = subtract_template_cl(np.ones(11), templates, mask, alpha)
    np.testing.assert_allclose(short, subtract_template_cl(np.ones(24), templates, mask, alpha)[:11], atol=1e-14)


def test_subtraction_agrees_with_that_of_band_powers(maps):
    _, mask, templates = maps
    pixels, full = np.flatnonzero(mask), np.zeros_like(templates)
    on_mask = from_pixels(templates[:, pixels], pixels, NSIDE)
    # relative to the weighted mean, which band powers subtract
    values = on_mask.values - np.average(on_mask.values, axis=1, weights=mask[pixels])[:, None]
    full[:, pixels] = values
    a, cov = np.array([0.4, -0.3]), np.array([[0.02, 0.01], [0.01, 0.03]])
    power = template_power(MaskedSky(Footprint(pixels, NSIDE), mask[pixels]), on_mask, a, cov)
    left = subtract_template_cl(np.zeros(24), full, mask, np.outer(a, a) - cov)
    np.testing.assert_allclose(left, -power, atol=1e-14)


def test_share_that_templates_take():
    np.testing.assert_allclose(harmonic_bias(3, np.array([0, 1, 5])), [-1.0, -1.0, -3 / 11])
    assert not harmonic_bias(0, ELL).any()


def full_sky_case(ell):
    """Fields and a template of one multipole: their mean spectra before and after the fit."""
    lmax, rng = 3 * NSIDE - 1, np.random.default_rng(ell)
    one = np.zeros(hp.Alm.getsize(lmax), complex)
    one[hp.Alm.getidx(lmax, ell, 1)] = 1.0
    observed, removed, alphas = [], [], []
    for _ in range(4000):
        alm = np.zeros(hp.Alm.getsize(lmax), complex)
        places = hp.Alm.getidx(lmax, ell, np.arange(ell + 1))
        alm[places] = rng.standard_normal(ell + 1) + 1j * rng.standard_normal(ell + 1)
        alm[places[0]] = np.sqrt(2.0) * alm[places[0]].real
        contaminated = alm + 2.0 * one
        alpha = contaminated[hp.Alm.getidx(lmax, ell, 1)].real
        alphas.append(alpha)
        observed.append(hp.alm2cl(contaminated)[ell])
        removed.append(hp.alm2cl(contaminated - alpha * one)[ell])
    return np.array(observed), np.array(removed), np.array(alphas), hp.alm2cl(one)[ell]


def test_full_sky_spectrum_comes_back():
    """Removed, or subtracted with the amplitude of the same field: C = 2 is the truth."""
    ell = 4
    observed, removed, alphas, template = full_sky_case(ell)
    error = 3 * removed.std() / np.sqrt(removed.size)
    corrected, bias = mode_projection_bias(np.array([removed.mean()]), None, np.array([ell]), 1)
    assert corrected[0] == pytest.approx(2.0, abs=2 * error)
    assert bias[0] == pytest.approx(-2.0 / (2 * ell + 1), abs=error)
    arguments = (np.array([ell]), 1)
    found = [
        correct_power_spectrum_harmonic(np.array([o]), *arguments, np.array([x]), np.array([[template]]))[0]
        for o, x in zip(observed, alphas, strict=True)
    ]
    assert np.mean(found) == pytest.approx(2.0, abs=2 * error)
    assert np.mean(observed) > 2.0 + 5 * error


def test_bias_is_in_the_units_of_the_spectrum():
    spectrum = 1.0 / (ELL + 1.0)
    for mode in array_spectra.MODES:
        one, two = (mode_projection_bias(c * spectrum, None, ELL, 3, mode=mode) for c in (1.0, 5.0))
        np.testing.assert_allclose(5 * one[1], two[1], rtol=1e-12)
        np.testing.assert_allclose(5 * one[0], two[0], rtol=1e-12)


def test_nothing_is_left_where_there_are_more_templates_than_modes():
    corrected, bias = mode_projection_bias(np.ones(24), None, ELL, 3)
    np.testing.assert_array_equal(np.isnan(corrected), ELL < 2)
    np.testing.assert_array_equal(np.isnan(bias), ELL < 2)
    found = correct_power_spectrum_harmonic(np.ones(24), ELL, 3, np.zeros(3), np.ones((3, 24)))
    np.testing.assert_array_equal(np.isnan(found), ELL < 2)
    np.testing.assert_allclose(found[2:], corrected[2:])


def test_extended_mode_corrects_where_much_is_lost():
    basic, extended = (mode_projection_bias(np.ones(24), None, ELL, 1, mode=m)[1] for m in array_spectra.MODES)
    lost = 1 / (2 * ELL + 1) > 0.1
    np.testing.assert_allclose(extended[lost], basic[lost])
    assert not extended[~lost].any()


def test_bias_goes_through_the_coupling():
    """A spectrum that lost its shares, then was coupled, comes back coupled."""
    rng, ell = np.random.default_rng(1), np.arange(4, 12)
    matrix = np.eye(8) + 0.1 * rng.uniform(size=(8, 8))
    spectrum = rng.uniform(1, 2, 8)
    measured = matrix @ (spectrum * (1 + harmonic_bias(2, ell)))
    corrected, bias = mode_projection_bias(measured, matrix, ell, 2)
    np.testing.assert_allclose(corrected, matrix @ spectrum, rtol=1e-12)
    np.testing.assert_allclose(corrected + bias, measured, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"mask": np.ones(700)}, DataError, r"768 pixels and the mask shape \(700,\): give full-sky maps .* RING"),
        ({"delta_g": np.ones(192)}, DataError, "delta_g has 192 pixels"),
        ({"mask": -np.ones(768)}, DataError, "negative or not finite in 768 of 768 pixels"),
        ({"mask": np.zeros(768)}, DataError, "or zero in all: give the coverage"),
        ({"delta_g": np.full(768, hp.UNSEEN)}, DataError, "delta_g is NaN or UNSEEN in 768 pixels of the mask"),
        ({"lmax": 24}, ParameterError, "lmax is 24: maps of nside 8 have multipoles from 0 to 23"),
    ],
)
def test_bad_maps(change, error, match):
    with pytest.raises(error, match=match):
        measure_pseudo_cl(**{"delta_g": np.ones(768), "mask": np.ones(768)} | change)


def test_bad_spectra(maps):
    _, mask, templates = maps
    with pytest.raises(DataError, match=r"pseudo_cl has shape \(5,\): give 24 multipoles"):
        subtract_template_cl(np.ones(5), templates, mask, np.ones(2), lmax=23)
    with pytest.raises(ParameterError, match="lmax is 29: maps of nside 8 have multipoles from 0 to 23"):
        subtract_template_cl(np.ones(30), templates, mask, np.ones(2))
    with pytest.raises(DataError, match=r"alpha has shape \(3,\) for 2 templates: give \(2,\) or \(2, 2\)"):
        subtract_template_cl(np.ones(24), templates, mask, np.ones(3))
    with pytest.raises(ParameterError, match="n_templates is -1 and the smallest ell 0: neither can be negative"):
        harmonic_bias(-1, ELL)
    with pytest.raises(ParameterError, match="mode must be 'basic' or 'extended', got 'extendet'"):
        mode_projection_bias(np.ones(24), None, ELL, 1, mode="extendet")
    with pytest.raises(DataError, match=r"coupling_matrix has shape \(24, 24\) for 24 multipoles, or no inverse"):
        mode_projection_bias(np.ones(24), np.ones((24, 24)), ELL, 1)
    with pytest.raises(DataError, match=r"template_cls has shape \(2, 5\) for 24 multipoles"):
        correct_power_spectrum_harmonic(np.ones(24), ELL, 2, np.ones(2), np.ones((2, 5)))
