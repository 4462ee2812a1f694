from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import AveragedSky, ClusteredSky

from sysmap_core.covariance import estimated_spectrum
from sysmap_core.covariance.estimated_spectrum import estimate_spectrum, pixel_variance, signal_spectrum
from sysmap_core.errors import DataError
from sysmap_core.harmonic.mode_coupling import MaskedSky, removed_power
from sysmap_core.harmonic.spectra import pixel_window, variance
from sysmap_core.mocks.lognormal import gaussian_spectrum
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.templates.template_set import from_pixels


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16)


@pytest.fixture
def small():
    """Uneven coverage of a part of a coarse sky, where every matrix can be written out."""
    nside, rng = 4, np.random.default_rng(2)
    centres = np.array(hp.pix2vec(nside, np.arange(hp.nside2npix(nside))))
    pixels = np.flatnonzero(centres[2] > -0.3)
    legendre = np.polynomial.legendre.legvander(np.clip(centres.T @ centres, -1, 1), 11)[np.ix_(pixels, pixels)]
    values = rng.standard_normal((2, pixels.size))
    values -= values.mean(1)[:, None]
    return nside, pixels, values, rng.uniform(0.5, 2.0, pixels.size), legendre


def power_of(pixels, values, coverage, nside):
    footprint = Footprint(pixels, nside)
    return estimated_spectrum._sample_power(footprint, from_pixels(values, footprint), 1.0 / coverage[None])


def test_model_of_the_fit_is_that_of_dense_matrices(small):
    """All multipoles that the mask couples count, up to the sum of both."""
    nside, pixels, values, coverage, legendre = small
    sample = power_of(pixels, values, coverage, nside)
    factor = hp.nside2pixarea(nside) ** 2 / (4 * np.pi)
    shape = np.array([-7.0, -1.2, 0.0])
    cl = estimated_spectrum._smooth_spectrum(shape, pixel_window(nside, 11) ** 2)
    field = legendre @ ((2 * np.arange(12) + 1) / (4 * np.pi) * cl)
    basis = np.vstack([np.ones(pixels.size), values])
    left = np.eye(pixels.size) - basis.T @ np.linalg.solve(basis @ basis.T, basis)
    for before, taken, matrix in (
        (sample.coupling @ cl, sample.removed(shape), field),
        (sample.noise[0], sample.removed_noise[0], np.diag(1 / coverage)),
    ):
        pseudo = [factor * np.einsum("pq,pql->l", m, legendre)[1:9] for m in (matrix, left @ matrix @ left)]
        np.testing.assert_allclose(before, pseudo[0], rtol=1e-11)
        np.testing.assert_allclose(before - taken, pseudo[1], rtol=0, atol=1e-11 * pseudo[0].max())


@pytest.mark.parametrize(("slope", "curvature"), [(-1.3, 0.0), (-2.3, 0.0), (-0.3, 0.0), (-1.3, 0.3), (-1.6, -0.3)])
def test_removed_power_is_interpolated_well(sky, slope, curvature):
    """Against the power itself, for spectra as steep and curved as those of galaxies are not."""
    shape = np.array([-9.0, slope, curvature])
    sample = estimated_spectrum._sample_power(sky.footprint, sky.templates, np.ones((1, sky.pixels.size)))
    cl = estimated_spectrum._smooth_spectrum(shape, pixel_window(16, 47) ** 2)
    expected = removed_power(MaskedSky(Footprint(sky.pixels, 16), np.ones(sky.pixels.size), sky.templates), cl)[1:33]
    np.testing.assert_allclose(sample.removed(shape), expected, rtol=0, atol=1e-4 * (sample.coupling @ cl).min())


def test_other_templates_on_the_same_pixels_are_told_apart(sky):
    """What is kept between calls belongs to the templates, not to the pixels nor to a place in memory."""
    field, values = sky.field(0), sky.templates.values
    estimates = [
        estimate_spectrum(field, replace(sky.templates, values=v)).cl for v in (values, values[:, ::-1], values)
    ]
    assert np.abs(estimates[1][1:] / estimates[0][1:] - 1).max() > 1e-3
    np.testing.assert_array_equal(estimates[2], estimates[0])


def test_templates_that_depend_on_each_other_are_named(sky):
    twice = replace(sky.templates, values=sky.templates.values[[0, 0, 1]], names=("dust", "dust again", "stars"))
    with pytest.raises(DataError, match="dust, dust again are linear combinations of each other"):
        estimate_spectrum(sky.field(0), twice)


@pytest.mark.parametrize("contaminated", [False, True])
def test_signal_spectrum_comes_back(contaminated):
    """On average over fields, per band, with or without contamination that is removed first."""
    sky = ClusteredSky(nside=32, rms=0.3, nbar=60.0)
    a = np.array([0.05, 0.05, 0.1]) * contaminated
    fields = [sky.field(seed, a) for seed in range(24)]
    found = np.array([signal_spectrum(f, sky.templates) for f in fields])
    for low, high in ((2, 6), (6, 15), (15, 40), (40, 64)):
        band = slice(low, high)
        ratios = found[:, band].mean(1) / sky.spectrum[band].mean()
        # estimates of a power scatter in its logarithm: the mean is off by half the variance
        assert ratios.mean() == pytest.approx(1.0, abs=0.05 + 3 * ratios.std() / np.sqrt(len(ratios)))


def test_power_taken_by_the_templates_is_given_back():
    """Many smooth templates remove most of the largest scales from the residual."""
    sky = ClusteredSky(nside=16, rms=0.3, nbar=60.0, families=["power_neg2"] * 14)
    found = np.array([signal_spectrum(sky.field(seed), sky.templates) for seed in range(48)])
    low = slice(2, 6)
    ratios = found[:, low].mean(1) / sky.spectrum[low].mean()
    error = ratios.std() / np.sqrt(len(ratios))
    assert error < 0.08
    assert ratios.mean() == pytest.approx(1.0, abs=0.05 + 3 * error)


def test_shot_noise_is_not_signal():
    """A field without clustering has a spectrum far below its noise."""
    sky = ClusteredSky(nside=16, rms=0.3)
    rng = np.random.default_rng(0)
    counts = rng.poisson(20.0, len(sky.pixels))
    field = Field(counts / counts.mean() - 1, np.full(len(counts), counts.mean()), Footprint(sky.pixels, 16))
    assert variance(signal_spectrum(field)) < 0.1 / counts.mean()


def test_uncertainty_of_the_spectrum_is_its_scatter(sky):
    """Over clean fields, for multipoles that matter to the amplitudes; the lognormal field scatters somewhat more."""
    found = [estimate_spectrum(sky.field(seed), sky.templates) for seed in range(60)]
    for ell in (4, 10, 30):
        predicted = np.mean([np.log(e.draws[:, ell]).std() for e in found])
        scatter = np.std([np.log(e.cl[ell]) for e in found])
        # the scatter of 60 fields is known to 9 %
        assert 0.7 < predicted / scatter < 1.35


def test_spectrum_is_the_mean_of_its_draws(sky):
    estimate = estimate_spectrum(sky.field(0), sky.templates)
    assert estimate.draws.shape == (32, 48)
    spread = estimate.draws[:, 1:].std(0) / np.sqrt(32)
    np.testing.assert_allclose(
        estimate.draws[:, 1:].mean(0) / estimate.cl[1:], 1.0, atol=4 * (spread / estimate.cl[1:]).max()
    )
    np.testing.assert_array_equal(estimate.draws, estimate_spectrum(sky.field(0), sky.templates).draws)
    assert np.all(estimate.draws[:, 0] == 0)


def test_variance_beyond_is_that_of_dense_matrices(small):
    """What the fit takes of signal, noise and of the variance beyond itself is known exactly on average."""
    nside, pixels, values, coverage, legendre = small
    sample = power_of(pixels, values, coverage, nside)
    cl = estimated_spectrum._smooth_spectrum(np.array([-5.0, -1.2, 0.0]), pixel_window(nside, 11) ** 2)
    basis, beyond, shot = np.vstack([np.ones(pixels.size), values]), 0.02, 0.03 / coverage
    left = np.eye(pixels.size) - basis.T @ np.linalg.solve(basis @ basis.T, basis)
    field = legendre @ ((2 * np.arange(12) + 1) / (4 * np.pi) * cl) + np.diag(shot + beyond)
    residual = np.full(pixels.size, np.sqrt(np.trace(left @ field @ left) / pixels.size))
    found = estimated_spectrum._beyond(residual, cl, basis, shot, sample.taken)
    assert found == pytest.approx(beyond, rel=1e-9)
    aliased, rest = estimated_spectrum._tail(np.array([-5.0, -1.2, 0.0]), found, nside)
    assert aliased.shape == (nside,)
    assert variance(np.append(np.zeros(3 * nside), aliased)) + rest == pytest.approx(beyond)
    assert 0 < rest < beyond


def test_power_that_pixels_fold_back_is_found():
    sky = AveragedSky(nside=16)
    kept = sky.cl[:128] * pixel_window(16, 127) ** 2
    truth = variance(np.where(np.arange(128) < 48, 0.0, kept))
    assert truth > 0.1 * variance(kept)
    estimates = [estimate_spectrum(sky.field(seed), sky.templates) for seed in range(24)]
    found = [variance(np.append(np.zeros(48), e.aliased)) + e.beyond for e in estimates]
    # a little of it is already in the spectrum below, into which it is folded; the mean is known to 4 %
    assert np.mean(found) == pytest.approx(truth, rel=0.25)


def test_maps_simulated_in_their_pixels_have_nothing_beyond(sky):
    estimates = [estimate_spectrum(sky.field(seed), sky.templates) for seed in range(24)]
    found = [variance(np.append(np.zeros(48), e.aliased)) + e.beyond for e in estimates]
    assert np.mean(found) < 0.03 * variance(sky.spectrum)


def test_variance_of_the_pixels_is_found_where_the_spectrum_ends():
    """A white field has a fifth of its variance where pixels resolve nothing."""
    sky = AveragedSky(nside=16, amplitude=0.0)
    sky.cl = np.append(0.0, np.full(3 * 64 - 1, 5e-4))
    sky._fine_gaussian, _ = gaussian_spectrum(sky.cl)
    fields = [sky.field(seed) for seed in range(24)]
    found = [estimate_spectrum(field, sky.templates) for field in fields]
    signal = [np.var(field.delta) - np.mean(field.noise.variance()) for field in fields]
    error = np.std(signal) / np.sqrt(len(signal))
    total, resolved = (np.mean([of(one) for one in found]) for of in (pixel_variance, lambda one: variance(one.cl)))
    assert total == pytest.approx(np.mean(signal), abs=3 * error)
    assert resolved < np.mean(signal) - 6 * error
    assert pixel_variance(found[0].cl) == variance(found[0].cl)
