"""Interloper fractions: given, extrapolated to the zero of a map, and taken out of two-point functions."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.correction.corrected import corrected_correlation
from sysmap_core.correction.interlopers import InterloperFraction, fraction_through_zero, without_dilution
from sysmap_core.correction.template_correlations import from_harmonics
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.mocks.surveys import mock_survey
from sysmap_core.sky.catalogues import Catalogue
from sysmap_core.sky.random_points import scatter_galaxies
from sysmap_core.sky.regrid import to_nside
from sysmap_core.templates.synthetic import synthetic_maps
from sysmap_core.templates.template_set import from_pixels, standardise
from sysmap_core.two_point.of_fields import field_correlation
from sysmap_core.two_point.power_spectra import band_powers

EDGES = np.geomspace(250.0, 2000.0, 5)

GIVEN = InterloperFraction(0.2, 0.02, "spectra of 400 objects")


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def templates(sky):
    """Two positive maps, whose zeros are 2 and 3 rms from their means, and one that is not to go through zero."""
    values = np.clip(sky.templates.values, -1.9, 1.9)
    maps = np.array([5.0, 2.0, 1.0])[:, None] * (values + np.array([[2.0], [3.0], [0.0]]))
    return from_pixels(maps, sky.footprint, names=["stars", "ghosts", "depth"])


@pytest.fixture(scope="module")
def fits(sky, templates):
    field = sky.field(0)
    return {m: decontaminate(field, templates, m, spectrum=sky.spectrum) for m in ("GLS", "GLS-comb", "ISD-1")}


def with_truth(fit, a, b):
    return replace(fit, a=np.array(a), b=np.array(b))


def distances(templates):
    return templates.mean / templates.rms


def test_interlopers_vanish_where_their_map_does(fits):
    """The amplitudes of a survey whose interlopers are proportional to two maps give their share back."""
    templates = fits["GLS-comb"].templates
    share, slopes = np.array([0.10, 0.05, 0.0]), np.array([0.03, -0.04, 0.08])
    rise = share / np.where(share > 0, distances(templates), 1.0)
    fit = with_truth(fits["GLS-comb"], rise + (1.0 - share.sum()) * slopes, slopes)
    found = fraction_through_zero(fit, ["stars", "ghosts"])
    assert found.value == pytest.approx(0.15)
    assert found.origin == "stars and ghosts extrapolated to zero, GLS-comb"


def test_the_error_is_that_of_the_amplitudes(fits):
    """Against draws, where they are small."""
    fit = with_truth(fits["GLS-comb"], [0.04, 0.02, 0.01], [0.02, -0.01, 0.03])
    fit = replace(fit, **{name: 0.01 * getattr(fit, name) for name in ("cov_a", "cov_b", "cov_ab")})
    found = fraction_through_zero(fit, ["stars", "ghosts"])
    draws = np.random.default_rng(1).multivariate_normal(np.concatenate([fit.a, fit.b]), fit.cov, 2000)
    drawn = [fraction_through_zero(with_truth(fit, *np.split(d, 2)), ["stars", "ghosts"]).value for d in draws]
    # the scatter of 2000 draws is known to 1.6 %
    assert found.error == pytest.approx(np.std(drawn), rel=0.06)


def test_uneven_coverage_counts_as_it_does_in_the_mean_density(fits):
    fit = fits["GLS"]
    expected = np.where(fit.templates.values[0] > 0, 60.0, 20.0)
    uneven = replace(with_truth(fit, [0.05, 0.02, 0.03], 0 * fit.b), field=replace(fit.field, expected=expected))
    means = np.average(fit.templates.values, axis=1, weights=expected)
    wanted = 0.05 * distances(fit.templates)[0] + uneven.a @ means
    assert abs(uneven.a @ means) > 0.01
    assert fraction_through_zero(uneven, ["stars"], no_selection=["stars"]).value == pytest.approx(wanted)


def test_declared_efficiencies_are_conditions(fits):
    """Amplitudes a follow when b is known to vanish, and errors shrink to those without b."""
    fit = fits["GLS-comb"]
    names = list(fit.names)
    conditional = fraction_through_zero(fit, ["stars"], no_selection=names)
    gain = fit.cov_ab @ np.linalg.inv(fit.cov_b)
    a, cov = fit.a - gain @ fit.b, fit.cov_a - gain @ fit.cov_ab.T
    slope = np.array([distances(fit.templates)[0], 0.0, 0.0])
    slope += np.average(fit.templates.values, axis=1, weights=fit.field.expected)
    assert conditional.value == pytest.approx(a @ slope)
    assert conditional.error == pytest.approx(np.sqrt(slope @ cov @ slope))
    assert conditional.error < 0.7 * fraction_through_zero(fit, ["stars"]).error


def test_what_is_not_identifiable_is_said(fits):
    for fit, arguments, match in (
        (fits["GLS"], {"through_zero": ["stars"]}, r"GLS does not tell interlopers .* no_selection=\['stars'\]"),
        (
            fits["GLS"],
            {"through_zero": []},
            "through_zero is empty, and a uniform part of interlopers is in no template",
        ),
        (fits["ISD-1"], {"through_zero": ["stars"]}, "ISD-1 takes all contamination for selection"),
        (
            replace(fits["GLS-comb"], diagnostics={"on_floor": True}),
            {"through_zero": ["stars", "ghosts"], "no_selection": ["ghosts"]},
            "GLS-comb held the efficiency at its floor and does not tell interlopers from galaxies that stars selects",
        ),
        (fits["GLS"], {"through_zero": ["star"]}, "unknown template 'star': did you mean 'stars'"),
        (fits["GLS"], {"through_zero": ["stars"], "no_selection": ["dept"]}, "unknown template 'dept'"),
        (
            fits["GLS"],
            {"through_zero": "stars"},
            r"through_zero is 'stars': give a list of templates, such as \['stars'",
        ),
    ):
        with pytest.raises(ParameterError, match=match):
            fraction_through_zero(fit, **arguments)


def test_maps_and_fits_that_cannot_be_extrapolated(fits):
    with pytest.raises(DataError, match=r"depth is negative in .* pixels of .* and cannot go through zero"):
        fraction_through_zero(fits["GLS"], ["depth"], no_selection=["depth"])
    fit = with_truth(fits["GLS-comb"], [0.0, 0.0, 0.0], [0.6, 0.0, 0.0])
    with pytest.raises(
        DataError, match=r"where stars vanish, the efficiency would be -0.* of its mean: the interloper"
    ):
        fraction_through_zero(fit, ["stars"])
    falling = with_truth(fits["GLS"], [-0.3, 0.0, 0.0], [0.0, 0.0, 0.0])
    with pytest.raises(ParameterError, match=r"below 0 by more than 2 errors: it cannot be a share \(stars extrap"):
        fraction_through_zero(falling, ["stars"], no_selection=["stars"])


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        (1.0, 0.1, "the interloper fraction is 1: give a share below 1, as then there is no galaxy"),
        (-0.05, 0.02, "the interloper fraction is -0.05 ± 0.02, below 0 by more than 2 errors"),
        (np.nan, 0.1, "the interloper fraction is nan ± 0.1: give a finite share"),
        (0.1, -0.1, "the interloper fraction is 0.1 ± -0.1: give a finite share and its error, which is not"),
        (0.1, np.inf, "the interloper fraction is 0.1 ± inf: give a finite share"),
    ],
)
def test_shares_that_are_none(value, error, match):
    with pytest.raises(ParameterError, match=match):
        InterloperFraction(value, error, "spectra")


def test_a_share_may_be_below_zero_by_chance():
    assert InterloperFraction(-0.03, 0.02, "spectra").dilution == pytest.approx((1.03**2, 2 * 1.03 * 0.02))


def test_correlation_functions_keep_their_type_and_get_the_error(sky):
    field = sky.field(2)
    observed = field_correlation(field, edges_arcmin=EDGES, engine="harmonic")
    assert without_dilution(observed, GIVEN).cov is None
    observed = replace(observed, cov=np.diag(np.arange(1.0, 5.0)) * 1e-6)
    found = without_dilution(observed, GIVEN)
    np.testing.assert_allclose(found.w, observed.w / 0.64)
    np.testing.assert_allclose(found.cov, observed.cov / 0.64**2 + np.outer(found.w, found.w) * 0.05**2)
    assert found.estimator.endswith("over (1 - f)^2 of interlopers")
    assert found.metadata["interloper_fraction"] == {"value": 0.2, "error": 0.02, "origin": "spectra of 400 objects"}
    assert found.metadata["engine"] == observed.metadata["engine"]


def test_the_error_of_the_share_is_the_scatter_of_curves(sky):
    """Of curves that are divided by drawn shares."""
    observed = field_correlation(sky.field(2), edges_arcmin=EDGES, engine="harmonic")
    drawn = 0.2 + 0.02 * np.random.default_rng(0).standard_normal(4000)
    curves = observed.w / (1.0 - drawn[:, None]) ** 2
    found = without_dilution(replace(observed, cov=np.zeros((4, 4))), GIVEN)
    np.testing.assert_allclose(np.cov(curves, rowvar=False), found.cov, rtol=0.1)


def test_corrected_curves_stay_what_their_parts_make(sky):
    fit = decontaminate(sky.field(2, a=0.05), sky.templates, "GLS-comb", spectrum=sky.spectrum)
    pairs = from_harmonics(sky.templates, edges_arcmin=EDGES)
    measured = field_correlation(fit.field, edges_arcmin=EDGES, engine="harmonic")
    before = corrected_correlation(measured, pairs, fit, seed=1)
    after = without_dilution(before, GIVEN)
    assert type(after) is type(before)
    np.testing.assert_allclose(before.w, (before.observed - before.removed) / before.gain)
    np.testing.assert_allclose(after.w, (after.observed - after.removed) / after.gain)
    wanted = before.cov_amplitudes / 0.64**2 + np.outer(after.w, after.w) * 0.05**2
    np.testing.assert_allclose(after.cov_amplitudes, wanted)


def test_band_powers_too(sky):
    edges = np.array([4, 10, 20, 32])
    before = band_powers(sky.field(2), edges)
    after = without_dilution(before, GIVEN)
    np.testing.assert_allclose(after.cl, before.cl / 0.64)
    np.testing.assert_allclose(after.noise, before.noise / 0.64)
    np.testing.assert_allclose(after.cov, before.cov / 0.64**2 + np.outer(after.cl, after.cl) * 0.05**2)
    np.testing.assert_array_equal(after.window, before.window)


def test_curves_that_cannot_be_divided(sky):
    noisy = band_powers(sky.field(2), np.array([4, 10, 20]), subtract_noise=False)
    with pytest.raises(DataError, match="shot noise is in the band powers, and not diluted"):
        without_dilution(noisy, GIVEN)
    with pytest.raises(ParameterError, match="the curve is a ndarray: give a Correlation or BandPowers"):
        without_dilution(noisy.cl, GIVEN)
    observed = field_correlation(sky.field(2), edges_arcmin=EDGES, engine="harmonic")
    vague = InterloperFraction(0.4, 0.21, "guess")
    with pytest.raises(DataError, match=r"40.0 ± 21.0 % of the objects are interlopers \(guess\): too uncertain"):
        without_dilution(observed, vague)


SHARE = 0.15

N_GALAXIES = 40.0


class PollutedSurvey:
    """Points of clustered galaxies, and of interlopers that follow a map down to its zero, with finite randoms."""

    def __init__(self, nside=16):
        self.survey = mock_survey(nside, 0.3)

    def draw(self, sequence, b=0.0):
        """Field, templates, and the true overdensity of the galaxies."""
        of_maps, of_randoms, of_field, of_points = (np.random.default_rng(s) for s in sequence.spawn(4))
        survey, number = self.survey, N_GALAXIES * self.survey.coverage.sum()
        gaussian = synthetic_maps(survey.nside, ["power_neg1", "power_neg2"], of_maps)
        maps = np.exp(0.6 * gaussian / gaussian.std(1, keepdims=True))
        seen = survey.with_randoms(int(4 * number), of_randoms)
        templates = standardise(maps, ["stars", "dust"], seen.pixels)
        efficiency = b * templates.values[0]
        mock = seen.draw((1.0 - SHARE) * number, of_field, of_points, additive=efficiency, multiplicative=efficiency)
        fine = hp.npix2nside(survey.mask.size)
        stars = np.where(survey.mask, to_nside(maps[0], fine), 0.0)
        others = scatter_galaxies(of_points.poisson(stars * SHARE * number / stars.sum()), fine, of_points)
        both = (np.append(getattr(mock.galaxies, x), getattr(others, x)) for x in ("ra", "dec"))
        field = seen.counted(Catalogue(*both))
        return field, templates, field.contrast(1.0 + to_nside(mock.delta, survey.nside)[field.pixels])


def fractions_of(method, n, b=0.0, **declared):
    """Pulls of the shares of n surveys, and ratios of corrected band powers to those of the true field."""
    survey, shares, ratios, edges = PollutedSurvey(), [], [], np.array([6, 16, 32])
    for sequence in np.random.SeedSequence(3).spawn(n):
        field, templates, truth = survey.draw(sequence, b)
        fit = decontaminate(field, templates, method)
        if fit.on_floor:
            continue  # and says that the share is not identifiable
        found = fraction_through_zero(fit, ["stars"], **declared)
        shares.append((found.value - SHARE) / found.error)
        measured = band_powers(field, edges, templates=templates)
        true = band_powers(replace(field, delta=truth), edges, subtract_noise=False)
        ratios.append([without_dilution(measured, found).cl / true.cl, measured.cl / true.cl])
    return np.array(shares), np.array(ratios)


def check_pulls(pulls):
    n = len(pulls)
    assert abs(pulls.mean()) < 3.0 / np.sqrt(n)
    assert abs(np.sqrt(np.mean(pulls**2)) - 1.0) < 3.0 / np.sqrt(2 * n)


def test_known_shares_of_points_come_back():
    """Where stars select no galaxy; band powers of the galaxies then have the mean of the true ones."""
    pulls, ratios = fractions_of("GLS", 10, no_selection=["stars"])
    check_pulls(pulls)
    error = ratios.std(0, ddof=1) / np.sqrt(len(ratios))
    assert np.all(np.abs(ratios.mean(0)[0] - 1.0) < 3.0 * error[0])
    assert np.all(ratios.mean(0)[1] < 1.0 - 5.0 * error[1])


@pytest.mark.slow
def test_known_shares_of_points_come_back_where_stars_select_too():
    pulls, _ = fractions_of("GLS-comb", 60, b=-0.06)
    assert len(pulls) > 40
    check_pulls(pulls)
