"""Counts of weighted objects, and their noise."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.correction.observed_covariance import observed_with_removed
from sysmap_core.correction.template_correlations import from_pixels
from sysmap_core.covariance.estimated_spectrum import estimate_spectrum
from sysmap_core.covariance.sandwich import linear_covariance, sum_covariance
from sysmap_core.diagnostics.held_out import held_out_patches
from sysmap_core.errors import DataError
from sysmap_core.methods.density_curves import reweighted_fit
from sysmap_core.methods.gls import generalised_least_squares
from sysmap_core.sky.counts import CountNoise, Counts, coverage_counts, galaxy_counts
from sysmap_core.sky.field import overdensity

NSIDE = 8

NPIX = hp.nside2npix(NSIDE)

EVERYWHERE = np.arange(NPIX)


def drawn(seed: int, number: int, scale: float = 1.0) -> Counts:
    """Objects at random, with weights of one to four that rise with the declination."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, number), np.degrees(np.arcsin(rng.uniform(-1, 1, number)))
    return Counts.of(ra, dec, NSIDE, scale * (2.5 + dec / 60.0 + rng.uniform(-0.5, 0.5, number)))


def test_sums_of_weights_and_of_squares():
    counts = Counts.of(np.array([10.0, 10.0, 200.0]), np.array([5.0, 5.0, -40.0]), 1, np.array([1.0, 3.0, 2.0]))
    assert sorted(counts.weights)[-2:] == [2.0, 4.0]
    assert sorted(counts.squares)[-2:] == [4.0, 10.0]
    assert np.asarray(counts).sum() == 6.0


def test_noise_is_that_of_repeated_counts():
    """Variance of the overdensity over many draws of weighted galaxies and finite randoms, Monte Carlo 2 %."""
    deltas, noise = [], []
    for seed in range(40):
        field = overdensity(drawn(2 * seed, 20 * NPIX), drawn(2 * seed + 1, 60 * NPIX), EVERYWHERE)
        deltas.append(field.delta)
        noise.append(field.noise.variance())
    measured = np.mean(np.var(deltas, axis=0, ddof=1))
    error = measured * np.sqrt(2.0 / (39 * NPIX))
    # a second-order term of the ratio is left: relative to the noise, three times that of the coverage
    assert measured == pytest.approx(np.mean(noise), abs=3 * error + 3.5 / 60 * measured)
    assert measured > 1.1 / 20  # unweighted galaxies on a known coverage


@pytest.mark.parametrize(("of_galaxies", "of_randoms"), [(1e3, 1.0), (1.0, 1e-3), (0.19, 7.0)])
def test_nothing_depends_on_the_scale_of_weights(of_galaxies, of_randoms):
    one = overdensity(drawn(0, 9000), drawn(1, 40_000), EVERYWHERE)
    other = overdensity(drawn(0, 9000, of_galaxies), drawn(1, 40_000, of_randoms), EVERYWHERE)
    np.testing.assert_allclose(other.delta, one.delta, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(other.noise.galaxies, one.noise.galaxies, rtol=1e-10)
    np.testing.assert_allclose(other.noise.coverage, one.noise.coverage, rtol=1e-10)


def test_weights_that_vary_are_those_of_the_neighbourhood():
    counts = drawn(3, 30_000)
    omega = counts.object_weight(EVERYWHERE)
    dec = hp.pix2ang(NSIDE, EVERYWHERE, lonlat=True)[1]
    typical = 2.5 + dec / 60.0
    assert np.mean(np.abs(omega / (typical + 1.0 / (12.0 * typical)) - 1.0)) < 0.02


def test_pixels_without_objects_take_the_weight_of_all():
    weights = np.zeros(NPIX)
    weights[0] = 4.0
    omega = Counts(weights, 2.0 * weights).object_weight(EVERYWHERE)
    np.testing.assert_allclose(omega, 2.0)


def test_a_known_coverage_has_no_noise():
    galaxies = np.full(NPIX, 9.0)
    for coverage in (np.full(NPIX, 0.4), np.full(NPIX, 10.0), Counts.known(np.linspace(2, 3, NPIX))):
        field = overdensity(galaxies, coverage, EVERYWHERE)
        assert not field.noise.counted
        np.testing.assert_allclose(field.noise.galaxies, 1.0 / field.expected)


def test_counted_randoms_have_noise():
    randoms = np.random.default_rng(0).poisson(40, NPIX).astype(float)
    noise = overdensity(np.full(NPIX, 9.0), randoms, EVERYWHERE).noise
    np.testing.assert_allclose(noise.coverage, 1.0 / randoms)
    np.testing.assert_allclose(noise.variance(2.0), 2.0 * noise.galaxies + 4.0 * noise.coverage)
    np.testing.assert_allclose(noise.slope(2.0), noise.galaxies + 4.0 * noise.coverage)


def test_pixels_of_noise():
    noise = CountNoise.poisson(np.array([2.0, 4.0, 8.0]))[1:]
    np.testing.assert_array_equal(noise.galaxies, [0.25, 0.125])
    assert not noise.counted


def test_weighted_galaxies_without_their_squares_are_refused():
    counts = np.full(NPIX, 2.5)
    with pytest.raises(DataError, match=r"galaxies are no whole numbers in 768 pixels, e.g. 2.5: give Counts\("):
        overdensity(counts, np.ones(NPIX), EVERYWHERE)
    assert galaxy_counts(np.full(NPIX, np.nan)).weights.sum() == 0.0


def test_coverage_of_an_unknown_kind_is_refused():
    with pytest.raises(DataError, match=r"coverage reaches 2.5 and is no whole number everywhere, so it is neither"):
        coverage_counts(np.linspace(0.0, 2.5, NPIX))


def test_bad_counts():
    with pytest.raises(DataError, match=r"sums of weights have shape \(3,\) and of squares \(2,\)"):
        Counts(np.ones(3), np.ones(2))
    with pytest.raises(DataError, match="counts are negative or not finite in 1 of 3 pixels"):
        Counts(np.array([1.0, -1.0, 0.0]), np.ones(3))


def test_few_randoms_are_refused():
    noise = CountNoise(np.full(9, 0.1), np.full(9, 1.0 / 6.0))
    with pytest.raises(DataError, match=r"counted with 6\.0 randoms in a pixel and b needs 10: give more"):
        noise.check_randoms()
    CountNoise(np.full(9, 0.1), np.full(9, 0.1)).check_randoms()


SKY = ClusteredSky(nside=8, nbar=20.0)

PAIRS = from_pixels(SKY.templates, edges_arcmin=np.geomspace(500.0, 3000.0, 4))

LINEAR = {
    "spectrum": lambda field: estimate_spectrum(field, SKY.templates).with_aliased,
    "sandwich": lambda field: linear_covariance(field, SKY.templates, SKY.spectrum).cov,
    "sums": lambda field: sum_covariance(SKY.templates.values, field, SKY.spectrum),
    "GLS": lambda field: generalised_least_squares(field, SKY.templates, SKY.spectrum, a=np.zeros(3)).cov,
    "held out": lambda field: held_out_patches(field, SKY.templates, spectrum=SKY.spectrum, n_folds=4).gains,
    "observed with removed": lambda field: observed_with_removed(
        field, SKY.templates, PAIRS, SKY.spectrum, a=np.zeros(3), cov_a=1e-4 * np.eye(3)
    ),
    "curves": lambda field: reweighted_fit(
        np.vstack([np.ones(field.n_pix), SKY.templates.values]), field, np.ones(field.n_pix)
    ),
}


@pytest.mark.parametrize("quantity", LINEAR)
def test_noise_of_the_coverage_counts_as_that_of_galaxies(quantity):
    """Without contamination only their sum matters: few randoms are as noisy as galaxies of a larger weight."""
    field = SKY.field(0)
    expected = field.expected * np.random.default_rng(0).uniform(0.5, 1.5, field.n_pix)
    few = replace(field, expected=expected, object_weight=1.0, coverage_noise=0.5 / expected)
    heavy = replace(field, expected=expected, object_weight=1.5)
    quiet = replace(field, expected=expected)
    one, other, less = (LINEAR[quantity](f) for f in (few, heavy, quiet))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * np.abs(other).max())
    assert np.abs(less - other).max() > 1e-4 * np.abs(other).max()
