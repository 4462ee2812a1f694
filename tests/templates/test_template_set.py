"""Templates are standardised where they are fitted, and missing values are never silent."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.templates.template_set import standardise

NSIDE = 8

NPIX = hp.nside2npix(NSIDE)

PIXELS = np.arange(100, 600)

NAMES = ("stars", "dust", "depth")


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, NPIX)) * [[100.0], [0.01], [1.0]] + [[1000.0], [0.05], [23.0]]


def test_zero_mean_and_unit_rms_on_the_footprint(maps):
    maps[:, :100] += 50 * maps.std(1)[:, None]  # what is off the footprint does not count
    templates = standardise(maps, NAMES, PIXELS)
    np.testing.assert_allclose(templates.values.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(templates.values.std(1), 1)
    np.testing.assert_allclose(templates.values * templates.rms[:, None] + templates.mean[:, None], maps[:, PIXELS])
    assert (templates.names, templates.nside, templates.n_sys) == (NAMES, NSIDE, 3)
    assert templates.condition_number() < 1.5


def test_scale_and_offset_of_a_map_do_not_matter(maps):
    changed = maps * [[1e3], [-1.0], [1e-9]] + [[5.0], [0.0], [1.0]]
    values, others = (standardise(m, NAMES, PIXELS).values for m in (maps, changed))
    np.testing.assert_allclose(others, values * [[1], [-1], [1]], atol=1e-5)


def test_condition_number_of_nearly_equal_templates(maps):
    maps[1] = maps[0] + 1e-3 * maps[1]
    assert standardise(maps, NAMES, PIXELS).condition_number() > 1e6


@pytest.mark.parametrize("sentinel", [np.nan, hp.UNSEEN])
def test_missing_values_are_named_and_counted(maps, sentinel):
    maps[1, 200:207] = sentinel
    maps[2, 205] = sentinel
    maps[0, 0] = sentinel  # off the footprint
    with pytest.raises(DataError, match=r"UNSEEN in footprint pixels: dust \(7\), depth \(1\) of 500"):
        standardise(maps, NAMES, PIXELS)
    templates = standardise(maps, NAMES, PIXELS, missing="drop")
    np.testing.assert_array_equal(templates.pixels, np.delete(PIXELS, np.arange(100, 107)))
    np.testing.assert_allclose(templates.values.std(1), 1)


def test_no_pixel_with_all_templates(maps):
    maps[0, 100:350] = maps[1, 350:600] = np.nan
    with pytest.raises(DataError, match="no footprint pixel of 500 has all of 3 templates"):
        standardise(maps, NAMES, PIXELS, missing="drop")


def test_constant_template(maps):
    maps[1, PIXELS] = 0.3
    with pytest.raises(DataError, match=r"template dust is constant \(0\.3\) on the footprint: leave it out"):
        standardise(maps, NAMES, PIXELS)


def test_other_word_for_missing(maps):
    with pytest.raises(ParameterError, match="missing is 'ignore': give 'error' or 'drop'"):
        standardise(maps, NAMES, PIXELS, missing="ignore")


def test_names_and_maps_have_to_match(maps):
    with pytest.raises(ValueError, match="zip"):
        standardise(maps, NAMES[:2], PIXELS)


def test_restricted_templates_are_standardised_on_the_part(maps):
    templates = standardise(maps, NAMES, PIXELS)
    kept = PIXELS[::-2]
    part, wanted = templates.restricted(kept), standardise(maps, NAMES, kept)
    np.testing.assert_array_equal(part.pixels, kept)
    for name in ("values", "mean", "rms"):
        np.testing.assert_allclose(getattr(part, name), getattr(wanted, name), rtol=1e-9, atol=1e-9)
    assert (part.names, part.nside) == (wanted.names, wanted.nside)
    with pytest.raises(DataError, match="1 of 1 pixels are not among the 500 of the footprint"):
        templates.restricted(np.array([99]))


@pytest.mark.parametrize("masked", [False, True])
def test_missing_pixels_in_single_precision_are_dropped(masked):
    """As healpy reads a map: UNSEEN of float32 is another number, and a masked array hides its values."""
    npix = hp.nside2npix(8)
    ebv = np.random.default_rng(0).normal(size=npix).astype(np.float32)
    ebv[[7, 99, 500]] = hp.UNSEEN
    given = np.ma.array(np.where(hp.mask_bad(ebv), 0.0, ebv), mask=hp.mask_bad(ebv)) if masked else ebv
    templates = standardise(given[None], ["EBV"], np.arange(npix), missing="drop")
    assert templates.footprint.n_pix == npix - 3
    assert templates.rms[0] == pytest.approx(1.0, abs=0.1)
