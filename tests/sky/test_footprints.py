"""One value for the pixels that maps, fits and spectra lie on."""

import gc
import pickle
import weakref
from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core import decontaminate, likelihood_ratio, null_realisations, verdict
from sysmap_core.covariance import (
    SpectrumEstimate,
    checked_spectrum,
    combined_covariance,
    linear_covariance,
    sum_covariance,
)
from sysmap_core.diagnostics import rank_templates
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic import Transforms, masked_alm
from sysmap_core.methods import generalised_least_squares, mock_covariance, two_moment_fit
from sysmap_core.sky.footprints import Footprint, shared_footprint
from sysmap_core.weights import draw_weights, header_cards

PIXELS = np.array([5, 3, 40, 17])


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=8)


def test_it_is_its_pixels_in_their_order():
    one = Footprint(PIXELS, 2)
    assert one == Footprint(PIXELS.astype(np.int32), 2)
    assert hash(one) == hash(Footprint(PIXELS.copy(), 2))
    for other in (Footprint(PIXELS[::-1], 2), Footprint(PIXELS, 4), Footprint(PIXELS[:3], 2), Footprint(PIXELS)):
        assert one != other
    assert one != PIXELS.tolist()
    assert (len(one), one.n_pix, one.f_sky, str(one)) == (4, 4, 4 / 48, "4 pixels at nside 2")
    assert one.pixel_area == pytest.approx(4 * np.pi / 48)


def test_full_sky_of_values():
    full = Footprint(PIXELS, 2).full_sky(np.arange(4.0), fill=-1.0)
    np.testing.assert_array_equal(full[PIXELS], np.arange(4.0))
    assert np.sum(full == -1.0) == 44
    assert np.sum(Footprint(PIXELS, 2).full_sky(np.ones(4)) == hp.UNSEEN) == 44


@pytest.mark.parametrize(
    ("pixels", "nside", "error", "match"),
    [
        (PIXELS, 3, ParameterError, "nside is 3: give a power of two"),
        (
            PIXELS + 10,
            2,
            DataError,
            "1 pixels are repeated or outside 0 to 47: give RING indices of nside 2",
        ),
        (np.array([1, 1, 2]), 2, DataError, "1 pixels are repeated or outside"),
        (np.array([1, 1, 2]), None, DataError, "1 pixels are repeated or below 0"),
        (-PIXELS, 2, DataError, "4 pixels are repeated or outside"),
        (PIXELS * 1.0, 2, DataError, "type float64: give HEALPix indices, RING"),
        (PIXELS[:0], 2, DataError, r"shape \(0,\)"),
    ],
)
def test_what_is_no_footprint(pixels, nside, error, match):
    with pytest.raises(error, match=match):
        Footprint(pixels, nside)


def test_maps_on_other_pixels_are_refused_by_name(sky):
    field, templates = sky.field(0), sky.templates
    assert shared_footprint(field=field, templates=templates) is field.footprint
    shifted = replace(templates, footprint=Footprint(sky.pixels[::-1], 8))
    match = r"the field has \d+ pixels at nside 8 and the templates \d+ pixels .* in another order: use the same pixels"
    with pytest.raises(DataError, match=match):
        shared_footprint(field=field, templates=shifted)
    unknown = replace(field, footprint=Footprint(sky.pixels))
    with pytest.raises(DataError, match="place of the pixels of the field is not known"):
        shared_footprint(need_place=True, field=unknown)


def test_what_is_remembered_lives_as_long_as_its_owner():
    footprint = Footprint(np.arange(20), 4)
    transforms = Transforms.of(footprint)
    assert Transforms.of(footprint) is transforms
    assert Transforms.of(footprint, 5) is not transforms
    alive = weakref.ref(transforms)
    del transforms, footprint
    gc.collect()
    assert alive() is None


def test_memory_is_not_part_of_the_value():
    footprint = Footprint(np.arange(20), 4)
    masked_alm(np.ones((1, 20)), footprint)
    back = pickle.loads(pickle.dumps(footprint))
    assert back == footprint
    assert "_memory" not in vars(back)


def test_few_things_of_a_kind_are_remembered():
    footprint, made = Footprint(np.arange(20), 4), []
    for key in (1, 2, 1, 3, 2, 1):
        footprint.remember("square", key, lambda key=key: made.append(key) or key**2)
    assert made == [1, 2, 3, 1]


def test_a_result_cannot_be_put_on_another_sky(sky):
    """What is made of a fit takes its pixels and templates from the fit."""
    fit = decontaminate(sky.field(0, a=0.1), sky.templates, "OLS", spectrum=sky.spectrum)
    assert fit.footprint is fit.field.footprint
    assert fit.names == sky.templates.names
    assert verdict(fit).p.shape == (3,)
    galaxies, _ = draw_weights(fit, fit.a[None] + 0.01, fit.b[None])
    assert galaxies.shape == (1, fit.footprint.n_pix)
    moved = replace(fit, field=replace(fit.field, footprint=Footprint(sky.pixels[::-1], 8)))
    with pytest.raises(DataError, match=r"the result of OLS has .* and the result of GLS"):
        header_cards(None, {"OLS": fit, "GLS": moved})


DOORS = {
    "linear covariance": lambda f, t, s: linear_covariance(f, t, s).cov,
    "combined covariance": lambda f, t, s: combined_covariance(f, t, s, np.zeros(3), np.zeros(3), 0.3).cov,
    "sums": lambda f, t, s: sum_covariance(t.values, f, s),
    "ranking": lambda f, t, s: rank_templates(f, t, spectrum=s).errors,
    "likelihood ratio": lambda f, t, s: likelihood_ratio(f, t, spectrum=s, realisations=0).p,
    "mocks": lambda f, t, s: mock_covariance(f, t, s, n_mocks=8).cov_a,
    "realisations": lambda f, t, s: next(null_realisations(f, s, 1, seed=0)).delta,
    "fit": lambda f, t, s: decontaminate(f, t, "OLS", spectrum=s).cov_a,
}


@pytest.mark.parametrize("door", DOORS)
def test_a_spectrum_may_be_an_array_or_an_estimate(sky, door):
    """An array is a spectrum that is known and all there is; an estimate has the variance beyond it as well."""
    field, templates = sky.field(1), sky.templates
    estimate = checked_spectrum(field, templates)
    known = SpectrumEstimate.known(estimate.cl, templates.nside)
    by_array = DOORS[door](field, templates, estimate.cl)
    np.testing.assert_allclose(DOORS[door](field, templates, known), by_array, rtol=1e-10)
    assert estimate.unresolved > 0
    assert not np.allclose(DOORS[door](field, templates, estimate), by_array, rtol=1e-4)


@pytest.mark.parametrize("fit", [generalised_least_squares, two_moment_fit])
def test_generalised_least_squares_takes_all_of_an_estimate(sky, fit):
    """With the power that pixels fold back; nothing given is the estimate itself."""
    field, templates = sky.field(1), sky.templates
    estimate = checked_spectrum(field, templates)
    wanted = fit(field, templates, estimate.with_aliased, beyond=estimate.beyond)
    for spectrum in (estimate, None):
        np.testing.assert_allclose(fit(field, templates, spectrum).a, wanted.a, rtol=1e-8)


@pytest.mark.parametrize(
    ("spectrum", "match"),
    [
        (np.ones(5), r"spectrum has shape \(5,\): give C_l from 0 to 3 nside - 1, shape \(24,\)"),
        (np.ones((2, 24)), r"spectrum has shape \(2, 24\)"),
        (-np.ones(24), "negative or not finite at 24 multipoles"),
    ],
)
def test_what_is_no_spectrum(sky, spectrum, match):
    with pytest.raises(DataError, match=match):
        checked_spectrum(sky.field(0), sky.templates, spectrum)
