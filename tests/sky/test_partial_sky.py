"""Maps of a part of the sky: degraded as the full sky is."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.partial_sky import AVERAGES, PartialMap, partial_map
from sysmap_core.sky.pixels import parent_pixels
from sysmap_core.sky.regrid import to_nside

NSIDE = 16

RNG = np.random.default_rng(1)

FULL = np.where(RNG.random(hp.nside2npix(NSIDE)) < 0.3, RNG.uniform(20, 25, hp.nside2npix(NSIDE)), hp.UNSEEN)


def test_there_and_back():
    part = partial_map(FULL, {"UNIT": "mag"})
    assert part.nside == NSIDE
    assert part.f_sky == np.mean(FULL != hp.UNSEEN)
    np.testing.assert_array_equal(part.full_sky(), FULL)
    assert part.header == {"UNIT": "mag"}


@pytest.mark.parametrize("kind", ["mean", "sum"])
@pytest.mark.parametrize("nside", [16, 8, 1])
def test_degraded_as_a_full_sky_map(kind, nside):
    part = partial_map(FULL).degraded(nside, kind)
    np.testing.assert_allclose(part.full_sky(), to_nside(FULL, nside, kind), rtol=1e-13)
    assert (np.diff(part.pixels) > 0).all()


def test_sums_are_kept_and_means_are_not_sums():
    part = partial_map(FULL)
    np.testing.assert_allclose(part.degraded(4, "sum").values.sum(), part.values.sum(), rtol=1e-13)
    assert part.degraded(4, "mean").values.max() < 25


def test_weighted_mean_is_that_of_the_objects():
    part = partial_map(FULL)
    number = RNG.integers(1, 9, part.values.size)
    coarse = part.degraded(2, "mean", weights=number)
    parents = parent_pixels(part.pixels, NSIDE, 2)
    for pixel, value in zip(coarse.pixels, coarse.values, strict=True):
        inside = parents == pixel
        np.testing.assert_allclose(value, np.repeat(part.values[inside], number[inside]).mean(), rtol=1e-13)


def test_averages_of_two_depths():
    # 23 and 25 mag: 5 sigma fluxes differ by a factor 10^0.8, inverse variances by its square
    two = PartialMap(hp.nest2ring(2, np.arange(2)), np.array([23.0, 25.0]), 2)
    found = {name: two.degraded(1, "mean", average=name).values[0] for name in AVERAGES}
    assert found["linear"] == found["magnitude"] == 24.0
    np.testing.assert_allclose(found["inverse variance"], 23 + 1.25 * np.log10((1 + 10**1.6) / 2), rtol=1e-13)
    np.testing.assert_allclose(found["limiting flux"], 23 - 2.5 * np.log10((1 + 10**-0.8) / 2), rtol=1e-13)


@pytest.mark.parametrize("name", AVERAGES)
def test_average_of_equal_values_is_the_value(name):
    there, back = AVERAGES[name]
    depths = np.linspace(18, 27, 50)
    np.testing.assert_allclose(back(there(depths)), depths, rtol=1e-13)


def test_inverse_variance_is_deeper_than_magnitude_and_flux_shallower():
    part = partial_map(to_nside(FULL, 8))
    mag, ivar, flux = (
        part.degraded(2, "mean", average=a).values for a in ("magnitude", "inverse variance", "limiting flux")
    )
    assert (ivar > mag).all()
    assert (flux < mag).all()


def test_arguments_that_do_not_fit():
    part = partial_map(FULL)
    with pytest.raises(ParameterError, match="unknown kind 'summ': did you mean 'sum'"):
        part.degraded(4, "summ")
    with pytest.raises(ParameterError, match="unknown average 'invers variance': did you mean 'inverse variance'"):
        part.degraded(4, "mean", average="invers variance")
    with pytest.raises(ParameterError, match="a sum has neither weights nor an average of its own"):
        part.degraded(4, "sum", average="magnitude")
    with pytest.raises(ParameterError, match="nside is 32, finer than that of the map, 16"):
        part.degraded(32, "mean")
    with pytest.raises(ParameterError, match="nside is 12: give a power of two"):
        part.degraded(12, "mean")
    with pytest.raises(DataError, match=r"weights have shape \(3,\) for \d+ pixels: give one each"):
        part.degraded(4, "mean", weights=np.ones(3))
    with pytest.raises(DataError, match="weights are zero in 12 pixels at NSIDE 1"):
        part.degraded(1, "mean", weights=np.zeros(part.values.size))
