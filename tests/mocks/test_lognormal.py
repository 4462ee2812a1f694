"""Lognormal fields and catalogues with a contamination that acts before the counts are sampled."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pytest

from sysmap_core.covariance.estimated_spectrum import SpectrumEstimate
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.spectra import pixel_window, variance
from sysmap_core.mocks.lognormal import (
    PixelField,
    drawn_lognormal,
    expected_counts,
    gaussian_spectrum,
    lognormal_field,
    simulate_catalogue,
)
from sysmap_core.samples.ls10 import LS10_SAMPLES, clustering_sigma, sample_spectrum
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.pixels import pixel_counts
from sysmap_core.sky.regrid import to_nside

FIELD = 64

LMAX = 3 * FIELD - 1

CL = sample_spectrum(LS10_SAMPLES[1], LMAX)

SKY = np.ones(hp.nside2npix(FIELD), bool)


def catalogue(seed=0, number=400_000, nside=32, cl=CL, mask=SKY, **contamination):
    field, galaxies = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    return simulate_catalogue(cl, mask, number, nside, rng_field=field, rng_galaxies=galaxies, **contamination)


def halves(nside, north, south):
    """Map with one value per hemisphere."""
    dec = hp.pix2ang(nside, np.arange(hp.nside2npix(nside)), lonlat=True)[1]
    return np.where(dec > 0, north, south)


def test_gaussian_spectrum_of_a_weak_field_is_that_field():
    weak = 1e-6 * CL
    gaussian, clipped = gaussian_spectrum(weak)
    np.testing.assert_allclose(gaussian, weak, rtol=1e-4)
    assert clipped == 0


def test_gaussian_variance_of_a_lognormal_field():
    """A lognormal field of variance v has the Gaussian variance ln(1 + v), up to the power beyond lmax."""
    gaussian, clipped = gaussian_spectrum(CL)
    assert clipped == 0
    assert variance(gaussian) == pytest.approx(np.log1p(variance(CL)), rel=0.02)


def test_negative_gaussian_power_is_clipped_and_reported():
    # a strong field with hardly any power on small scales is not lognormal
    cl = CL * np.where(np.arange(CL.size) > 60, 1e-4, 3.0)
    gaussian, clipped = gaussian_spectrum(cl)
    assert (gaussian >= 0).all()
    assert 0 < clipped < 0.2


@pytest.mark.parametrize("cl", [-CL, np.where(np.arange(CL.size) == 7, np.nan, CL), 50.0 * np.eye(1, CL.size, 1)[0]])
def test_spectrum_that_no_lognormal_field_has(cl):
    with pytest.raises(DataError, match="negative, not finite or anticorrelated below -1"):
        gaussian_spectrum(cl)


def test_no_power_no_field():
    np.testing.assert_array_equal(lognormal_field(np.zeros(10), 4, np.random.default_rng(0)), 0.0)


def test_field_has_its_variance_in_pixels():
    """Averages over coarser pixels have the rms that the spectrum and the pixel window predict."""
    window = pixel_window(FIELD, LMAX) ** 2
    fields = [lognormal_field(CL * window, FIELD, np.random.default_rng(seed)) for seed in range(8)]
    assert min(delta.min() for delta in fields) > -1
    for nside, tolerance in ((32, 0.02), (16, 0.03)):
        # one field scatters by 1.5 to 3 per cent
        rms = np.sqrt(np.mean([to_nside(delta, nside).var() for delta in fields]))
        assert rms == pytest.approx(clustering_sigma(CL, nside), rel=tolerance)


def test_expected_counts_are_never_negative_and_have_their_sum():
    n = hp.nside2npix(4)
    mask = np.arange(n) < n // 2
    a = np.where(np.arange(n) % 2, 0.2, -0.2)
    counts = expected_counts(np.zeros(n), a, a, mask, 1000.0)
    assert counts.sum() == pytest.approx(1000)
    assert (counts[~mask] == 0).all()
    empty = expected_counts(np.full(n, -0.99), np.full(n, -0.5), np.zeros(n), mask, 1000.0)
    assert (empty == 0).all()


def test_number_of_galaxies():
    mock = catalogue(cl=np.zeros(LMAX + 1), number=200_000, mask=halves(FIELD, 1, 0) > 0)
    assert abs(len(mock.galaxies) - 200_000) < 5 * np.sqrt(200_000)
    assert mock.galaxies.dec.min() > 0


def test_variance_is_clustering_and_shot_noise():
    mock = catalogue()
    counts = pixel_counts(mock.galaxies.ra, mock.galaxies.dec, 32)
    noise = counts / counts.mean() - 1 - mock.delta
    shot = 1 / counts.mean()
    # the noise does not know the field, and has the Poisson variance
    assert noise.var() == pytest.approx(shot, rel=4 * np.sqrt(2 / counts.size) + 0.02)
    assert abs(np.corrcoef(noise, mock.delta)[0, 1]) < 0.04


def test_contamination_acts_before_sampling():
    """Poisson noise is that of the observed density, 1 + A, in a field without clustering."""
    a = halves(32, 0.5, -0.5)
    mock = catalogue(cl=np.zeros(LMAX + 1), number=400_000, additive=a)
    counts = pixel_counts(mock.galaxies.ra, mock.galaxies.dec, 32)
    for sign in (0.5, -0.5):
        part = counts[a == sign]
        assert part.mean() / counts.mean() == pytest.approx(1 + sign, rel=0.02)
        assert part.var() == pytest.approx(part.mean(), rel=0.1)


def test_multiplicative_part_scales_the_field():
    b = halves(32, 0.3, -0.3)
    mock = catalogue(number=2_000_000, multiplicative=b)
    counts = pixel_counts(mock.galaxies.ra, mock.galaxies.dec, 32)
    delta = counts / counts.mean() - 1
    for sign in (0.3, -0.3):
        inside = b == sign
        gain = np.polyfit(mock.delta[inside], delta[inside], 1)[0]
        assert gain == pytest.approx(1 + sign, rel=0.02)


def test_seed_fixes_the_catalogue():
    first, same, other = catalogue(seed=1, number=1000), catalogue(seed=1, number=1000), catalogue(seed=2, number=1000)
    np.testing.assert_array_equal(first.galaxies.ra, same.galaxies.ra)
    assert len(first.galaxies) != len(other.galaxies) or (first.galaxies.ra != other.galaxies.ra).any()


def test_field_coarser_than_the_run():
    with pytest.raises(ParameterError, match="the field has NSIDE 64 and the run 128: give a mask at NSIDE 128"):
        catalogue(nside=128)


def test_pixel_field_has_the_variance_of_an_estimate():
    """What the spectrum does not hold is independent from pixel to pixel."""
    cl = CL[: 3 * 32] * pixel_window(32, 95) ** 2
    estimate = replace(SpectrumEstimate.known(cl, 32), beyond=0.05)
    sky, rng = Footprint(np.arange(hp.nside2npix(32)), 32), np.random.default_rng(0)
    drawn = np.array([PixelField.of(estimate).draw(sky, rng) for _ in range(40)])
    error = drawn.var(1).std() / np.sqrt(40)
    assert drawn.var(1).mean() == pytest.approx(variance(cl) + 0.05, abs=3 * error)
    assert drawn.mean() == pytest.approx(0.0, abs=3 * drawn.mean(1).std() / np.sqrt(40))
    power = np.mean([hp.anafast(one, lmax=60)[30:] for one in drawn], axis=0).mean()
    white = 0.05 * hp.nside2pixarea(32)
    assert power == pytest.approx(cl[30:61].mean() + white, rel=0.05)
    assert np.all(drawn > -1)


def test_pixel_field_of_a_known_spectrum_has_no_other_part():
    cl = CL[: 3 * 8] * pixel_window(8, 23) ** 2
    sky = Footprint(np.arange(50), 8)
    drawn = PixelField.of(cl).draw(sky, np.random.default_rng(3))
    wanted = drawn_lognormal(gaussian_spectrum(cl)[0], 8, np.random.default_rng(3))[:50]
    np.testing.assert_array_equal(drawn, wanted)
