"""Cuts by values of templates, and masks in files."""

import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.healpix_io import read_map
from sysmap_core.sky.healsparse_io import read_healsparse
from sysmap_core.templates.cuts import TemplateCut, kept_pixels, write_mask
from sysmap_core.templates.template_set import from_pixels

N_PIX = 100

PIXELS = np.arange(N_PIX)[::-1] + 7


@pytest.fixture
def templates():
    """Values 0 to 99 and their squares, in arbitrary order, on pixels in descending order."""
    values = np.random.default_rng(0).permutation(N_PIX).astype(float)
    return from_pixels(np.array([values, values**2]), PIXELS, 4, ["stars", "seeing"])


def in_unit(templates, i=0):
    return np.round(templates.mean[i] + templates.rms[i] * templates.values[i], 6)


def test_limits_are_in_the_unit_of_the_map_and_kept_themselves(templates):
    values = in_unit(templates)
    for cut, wanted in (
        (TemplateCut("stars", high=30.0), values <= 30),
        (TemplateCut("stars", low=30.0), values >= 30),
        (TemplateCut("stars", low=10.0, high=30.0), (values >= 10) & (values <= 30)),
        (TemplateCut("seeing", high=900.0), values <= 30),
        (TemplateCut("stars", low=30.5, high=30.9), np.zeros(N_PIX, bool)),
    ):
        np.testing.assert_array_equal(cut.keeps(templates), wanted)


def test_quantiles_are_shares_of_the_pixels(templates):
    cut = TemplateCut("seeing", quantiles=(0.05, 0.9))
    low, high = cut.limits(templates)
    np.testing.assert_allclose([low, high], np.quantile(in_unit(templates, 1), [0.05, 0.9]))
    assert cut.keeps(templates).sum() == 85
    assert TemplateCut("seeing", quantiles=(0.0, 1.0)).keeps(templates).all()
    assert TemplateCut("seeing", high=5.0).limits(templates) == (-np.inf, 5.0)


def test_pixels_that_all_cuts_keep_stay_in_their_order(templates):
    cuts = [TemplateCut("stars", low=10.0), TemplateCut("seeing", quantiles=(0.0, 0.5))]
    values = in_unit(templates)
    wanted = PIXELS[(values >= 10) & (values < 50)]
    np.testing.assert_array_equal(kept_pixels(templates, cuts), wanted)
    np.testing.assert_array_equal(kept_pixels(templates, cuts[::-1]), wanted)
    np.testing.assert_array_equal(kept_pixels(templates, []), PIXELS)
    assert templates.restricted(wanted).mean[0] == pytest.approx(values[(values >= 10) & (values < 50)].mean())


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"high": 1500.0}, "stars <= 1500"),
        ({"low": 0.5}, "0.5 <= stars"),
        ({"low": 1.0, "high": 2.0}, "1 <= stars <= 2"),
        ({"quantiles": (0.01, 0.99)}, "stars between its quantiles 0.01 and 0.99"),
    ],
)
def test_a_cut_says_what_it_keeps(limits, text):
    assert str(TemplateCut("stars", **limits)) == text


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        ({}, "the cut of stars has no limit: give low or high"),
        ({"low": 1.0, "quantiles": (0.0, 0.9)}, "the cut of stars has both values and quantiles: give low or high"),
        ({"low": 2.0, "high": 2.0}, "the cut of stars goes from 2.0 to 2.0: give finite values"),
        ({"high": np.nan}, "the cut of stars goes from None to nan: give finite values"),
        ({"quantiles": (0.9, 0.1)}, r"quantiles of stars are \(0.9, 0.1\): give two increasing shares"),
        ({"quantiles": (1, 99)}, r"quantiles of stars are \(1, 99\): give two increasing shares"),
        ({"quantiles": (0.5,)}, r"quantiles of stars are \(0.5,\): give two increasing shares"),
    ],
)
def test_limits_that_are_none(limits, match):
    with pytest.raises(ParameterError, match=match):
        TemplateCut("stars", **limits)


def test_cuts_that_leave_nothing(templates):
    with pytest.raises(DataError, match=r"no pixel of 100 has 500 <= stars: check the limits .* from 0 to 99"):
        kept_pixels(templates, [TemplateCut("stars", low=500.0)])
    both = [TemplateCut("stars", low=50.0), TemplateCut("seeing", high=100.0)]
    with pytest.raises(DataError, match="no pixel of 100 is left by 50 <= stars, seeing <= 100 together"):
        kept_pixels(templates, both)
    for use in (TemplateCut.keeps, TemplateCut.limits):
        with pytest.raises(ParameterError, match="unknown template 'star': did you mean 'stars'"):
            use(TemplateCut("star", quantiles=(0.0, 0.9)), templates)


@pytest.mark.parametrize("ending", [".fits", ".fits.gz", ".fit", ".hsp", ".hs"])
def test_masks_come_back(templates, tmp_path, ending):
    cuts = [TemplateCut("stars", high=30.0), TemplateCut("seeing", quantiles=(0.0, 0.99))]
    kept = Footprint(kept_pixels(templates, cuts), 4)
    path = write_mask(tmp_path / f"mask{ending}", kept, cuts=cuts, survey="LS10")
    if ending.startswith(".f"):
        full = read_map(path)
        assert set(full) == {0.0, 1.0}
    else:
        found = read_healsparse(path)
        full = found.full_sky()
        assert set(full) == {hp.UNSEEN, 1.0}
    np.testing.assert_array_equal(np.flatnonzero(full == 1.0), np.sort(kept.pixels))
    header = fits.getheader(path, 1) if ending.startswith(".f") else found.header
    assert header["CUT001"] == "stars <= 30"
    assert header["CUT002"] == "seeing between its quantiles 0 and 0.99"
    assert (header["QUANTITY"], header["SURVEY"]) == ("MASK", "LS10")


def test_masks_that_cannot_be_written(tmp_path):
    with pytest.raises(ParameterError, match=r"mask.txt has an ending that is not known: give one of .fits, "):
        write_mask(tmp_path / "mask.txt", Footprint(np.arange(3), 4))
    with pytest.raises(DataError, match=r"the place of the pixels of the mask is not known \(nside is None\)"):
        write_mask(tmp_path / "mask.fits", Footprint(np.arange(3)))
