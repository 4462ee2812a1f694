import json
from dataclasses import replace

import glass
import glass.grf
import healpy as hp
import numpy as np
import pytest
from skies import Observed

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.mode_coupling import (
    MaskedSky,
    coupling_matrix,
    masked_sky,
    removed_power,
    template_power,
    weight_spectrum,
)
from sysmap_core.harmonic.spectra import pixel_window
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.regrid import to_nside
from sysmap_core.summaries import mean_and_error
from sysmap_core.templates.synthetic import synthetic_maps
from sysmap_core.templates.template_set import from_pixels, standardise
from sysmap_core.two_point.power_spectra import BandEstimator, BandPowers, band_powers

N_FIELDS, NSIDE = 300, 16

EDGES = np.array([2, 6, 12, 20, 28])

FAMILIES = ["power_neg2"] * 8 + ["power_neg1", "white_noise"]


class TinySky:
    """Two overlapping footprints at NSIDE 4, and all fields of a spectrum: the eigenvectors of its covariance."""

    def __init__(self):
        self.nside, self.cl = 4, np.arange(1.0, 13.0) ** -1.5
        self.cl[0] = 0.0
        centres = np.array(hp.pix2vec(4, np.arange(192)))
        self.one, self.two = np.flatnonzero(centres[2] > -0.5), np.flatnonzero(centres[2] < 0.6)
        table = np.polynomial.legendre.legvander(np.clip(centres.T @ centres, -1, 1), 11)
        factors = (2 * np.arange(12) + 1) / (4 * np.pi) * self.cl * pixel_window(4, 11) ** 2
        values, vectors = np.linalg.eigh(table @ factors)
        kept = values > 1e-12 * values[-1]
        self.fields = (vectors[:, kept] * np.sqrt(values[kept])).T
        rng = np.random.default_rng(0)
        self.expected = rng.uniform(2.0, 9.0, self.one.size)
        self.templates = from_pixels(rng.standard_normal((2, self.one.size)), self.one, 4)

    def field(self, values):
        return Field(values[self.one], self.expected, Footprint(self.one, 4))

    def other(self, values):
        return Field(values[self.two], np.full(self.two.size, 5.0), Footprint(self.two, 4))


@pytest.fixture(scope="module")
def tiny():
    return TinySky()


@pytest.mark.parametrize("templates", [False, True])
@pytest.mark.parametrize("options", [{}, {"restore": False}, {"deconvolve": False}])
def test_expectation_is_the_window_times_the_spectrum(tiny, templates, options):
    """Exactly, as the sum over all independent parts of a field."""
    sky = masked_sky(tiny.field(tiny.fields[0]), tiny.templates if templates else None)
    estimator = BandEstimator(sky, [2, 5, 8], tail=None)
    found = [estimator.measure(tiny.field(f), subtract_noise=False, **options) for f in tiny.fields]
    total = np.sum([f.cl for f in found], axis=0)
    np.testing.assert_allclose(total, found[0].expected(tiny.cl), rtol=1e-9)


def test_deconvolution_and_restoration_leave_the_spectrum(tiny):
    """A flat spectrum comes back, and without restoration it does not."""
    estimator = BandEstimator(masked_sky(tiny.field(tiny.fields[0]), tiny.templates), [1, 5, 8, 12], tail=None)
    one = tiny.field(tiny.fields[0])
    np.testing.assert_allclose(estimator.measure(one).expected(np.ones(12)), 1.0, rtol=1e-9)
    lost = 1 - estimator.measure(one, restore=False).expected(np.ones(12))
    assert np.all(lost > 0.01)


@pytest.mark.parametrize("tail", [-1.5, -3.0])
def test_spectrum_with_the_tail_that_is_assumed_comes_back(tiny, tail):
    estimator = BandEstimator(masked_sky(tiny.field(tiny.fields[0])), [1, 5, 8], tail=tail)
    spectrum = np.append(np.ones(12), (np.arange(12, 32) / 12.0) ** tail)
    np.testing.assert_allclose(estimator.measure(tiny.field(tiny.fields[0])).expected(spectrum), 1.0, rtol=1e-9)


def test_noise_is_the_expectation_of_pixel_noise(tiny):
    """One pixel at a time, with the templates removed."""
    estimator = BandEstimator(masked_sky(tiny.field(tiny.fields[0]), tiny.templates), [2, 5, 8], tail=None)
    total = 0.0
    for pixel, expected in zip(tiny.one, tiny.expected, strict=True):
        noise = np.zeros(192)
        noise[pixel] = expected**-0.5
        result = estimator.measure(tiny.field(noise), subtract_noise=False)
        total = total + result.cl
    np.testing.assert_allclose(total, result.noise, rtol=1e-9)
    subtracted = estimator.measure(tiny.field(noise))
    np.testing.assert_allclose(subtracted.cl, result.cl - result.noise, rtol=1e-12)
    assert subtracted.noise_subtracted
    assert not result.noise_subtracted


def test_weights_and_randoms_are_subtracted():
    """Weighted galaxies and finite randoms without clustering have no power, to the Monte Carlo error."""
    survey, powers = Observed(nside=16, rms=1e-3, galaxies_per_pixel=8.0, case="weights", amplitude=0.0), []
    few = Observed(nside=16, rms=1e-3, galaxies_per_pixel=8.0, case="5 randoms", amplitude=0.0)
    for of in (survey, few):
        found = []
        for seed in range(20):
            field, _ = of.draw(seed)
            measured = band_powers(field, np.array([2, 8, 16, 24]))
            found.append(measured.cl / measured.noise)
        powers.append(mean_and_error(np.array(found)))
    for mean, error in powers:
        # weighted by the expected counts they are galaxies less randoms, without the second order of a ratio
        assert np.all(np.abs(mean) < 3.5 * error)


def test_cross_spectrum_of_two_footprints(tiny):
    """Its expectation, exactly; galaxies of two samples share no noise."""
    one, two = (masked_sky(f(tiny.fields[0])) for f in (tiny.field, tiny.other))
    estimator = BandEstimator(one, [2, 5, 8], two, tail=None)
    found = [estimator.measure(tiny.field(f), tiny.other(f)) for f in tiny.fields]
    np.testing.assert_allclose(np.sum([f.cl for f in found], axis=0), found[0].expected(tiny.cl), rtol=1e-9)
    assert not found[0].noise.any()
    direct = band_powers(tiny.field(tiny.fields[3]), [2, 5, 8], other=tiny.other(tiny.fields[3]))
    assert direct.nside == 4
    swapped = BandEstimator(two, [2, 5, 8], one, tail=None).measure(
        tiny.other(tiny.fields[3]), tiny.field(tiny.fields[3])
    )
    np.testing.assert_allclose(swapped.cl, found[3].cl, rtol=1e-9)
    np.testing.assert_allclose(swapped.cov, found[3].cov, rtol=1e-9)


def test_known_contamination_is_subtracted_exactly(tiny):
    """On average over a field and its negative, which has the same spectrum."""
    sky, a = masked_sky(tiny.field(tiny.fields[0])), np.array([0.3, -0.4])
    estimator = BandEstimator(sky, [2, 5, 8])
    contamination = template_power(sky, tiny.templates, a, np.zeros((2, 2)))
    additive = np.zeros(192)
    additive[tiny.one] = a @ tiny.templates.values
    delta = tiny.fields.sum(0)
    found = [estimator.measure(tiny.field(additive + sign * delta), contamination=contamination).cl for sign in (1, -1)]
    np.testing.assert_allclose(np.mean(found, axis=0), estimator.measure(tiny.field(delta)).cl, rtol=1e-9)


def test_removed_templates_leave_no_trace(tiny):
    estimator = BandEstimator(masked_sky(tiny.field(tiny.fields[0]), tiny.templates), [2, 5, 8])
    additive = np.zeros(192)
    additive[tiny.one] = 0.5 + np.array([3.0, -4.0]) @ tiny.templates.values
    clean, contaminated = (estimator.measure(tiny.field(tiny.fields.sum(0) + x)) for x in (0.0, additive))
    np.testing.assert_allclose(contaminated.cl, clean.cl, rtol=1e-9)
    assert clean.removed == ("template 0", "template 1")


def test_scale_of_the_weights_does_not_matter(tiny):
    delta = tiny.field(tiny.fields.sum(0))
    one, other = (band_powers(delta, [2, 5, 8], weights=scale * tiny.expected) for scale in (1.0, 30.0))
    for name in ("cl", "noise", "cov", "window"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-12)


class Realisations:
    """Gaussian fields of a falling spectrum, averaged over pixels, with noise and contamination."""

    def __init__(self):
        fine = 4 * NSIDE
        ell = np.arange(3 * fine)
        self.cl = np.where(ell > 0, 1e-3 * np.maximum(ell, 1.0) ** -1.4, 0.0)
        z = hp.pix2vec(fine, np.arange(hp.nside2npix(fine)))[2]
        inside = np.abs(z) > 0.35
        coverage = to_nside(inside.astype(float), NSIDE)
        pixels = np.flatnonzero(coverage > 0.1)
        rng = np.random.default_rng(1)
        expected = 1000.0 * coverage[pixels] * rng.uniform(0.5, 1.0, pixels.size)
        maps = synthetic_maps(NSIDE, FAMILIES, rng)
        self.templates = standardise(maps, [f"{i}" for i in range(len(FAMILIES))], pixels)
        weights = expected / expected.max()
        self.plain = MaskedSky(Footprint(pixels, NSIDE), weights)
        self.estimators = {
            "clean": BandEstimator(self.plain, EDGES),
            "removed": BandEstimator(MaskedSky(Footprint(pixels, NSIDE), weights, self.templates), EDGES),
        }
        drawn = self.cl * pixel_window(fine, 3 * fine - 1) ** 2
        self.found = {name: [] for name in ("clean", "removed", "naive", "contaminated")}
        additive = 0.008 * np.array([1, -1] * 5) @ self.templates.values
        for _ in range(N_FIELDS):
            full = next(glass.fields.generate([glass.grf.Normal()], [drawn], fine, rng=rng))
            delta = to_nside(np.where(inside, full, hp.UNSEEN), NSIDE)[pixels]
            delta += rng.standard_normal(pixels.size) / np.sqrt(expected)
            clean = Field(delta, expected, Footprint(pixels, NSIDE))
            contaminated = replace(clean, delta=delta + additive)
            self.found["clean"].append(self.estimators["clean"].measure(clean))
            self.found["contaminated"].append(self.estimators["clean"].measure(contaminated))
            self.found["removed"].append(self.estimators["removed"].measure(contaminated))
            self.found["naive"].append(self.estimators["removed"].measure(contaminated, restore=False))

    def ratio(self, name, reference=None):
        """Mean over the truth, with its error; the truth is that of the windows of another result on request."""
        truth = self.found[reference or name][0].expected(self.cl)
        powers = np.array([found.cl for found in self.found[name]]) / truth
        return powers.mean(0), powers.std(0, ddof=1) / np.sqrt(N_FIELDS)


@pytest.fixture(scope="module")
def realisations():
    return Realisations()


@pytest.mark.parametrize("name", ["clean", "removed"])
def test_band_powers_are_unbiased(realisations, name):
    """To 2 % beyond the Monte Carlo error of a band, with contamination that is removed and without."""
    mean, error = realisations.ratio(name)
    assert np.all(error < [0.025, 0.015, 0.01, 0.01])
    np.testing.assert_array_less(np.abs(mean - 1), np.maximum(0.02, 3 * error))


def test_removal_without_restoration_is_biased(realisations):
    mean, error = realisations.ratio("naive", "removed")
    assert mean[0] < 0.95 - 3 * error[0]


def test_contamination_is_seen_without_removal(realisations):
    mean, error = realisations.ratio("contaminated")
    assert mean[0] > 1.2 + 3 * error[0]


def test_aliased_power_is_taken_off(realisations):
    """Fields that have power beyond 3 nside only, relative to the power that the bands would have."""
    pixels, fine = realisations.plain.pixels, 4 * NSIDE
    drawn = realisations.cl * pixel_window(fine, 3 * fine - 1) ** 2
    drawn[: 3 * NSIDE] = 0.0
    rng, seen = np.random.default_rng(2), {None: [], -1.4: []}
    estimators = {tail: BandEstimator(realisations.plain, EDGES, tail=tail) for tail in seen}
    for _ in range(40):
        full = next(glass.fields.generate([glass.grf.Normal()], [drawn], fine, rng=rng))
        field = Field(to_nside(full, NSIDE)[pixels], np.full(pixels.size, np.inf), Footprint(pixels, NSIDE))
        for tail, found in seen.items():
            found.append(estimators[tail].measure(field))
    truth = realisations.found["clean"][0].expected(realisations.cl)
    aliased, left = (np.mean([f.cl for f in found], axis=0) / truth for found in seen.values())
    assert aliased[-1] > 0.02
    # of power that only the tail has, its own part is expected: what the last band would have told is missing
    expected = seen[-1.4][0].expected(np.where(np.arange(3 * fine) < 3 * NSIDE, 0.0, realisations.cl)) / truth
    np.testing.assert_allclose(left, expected, atol=0.01)


@pytest.mark.parametrize("name", ["clean", "removed"])
def test_errors_are_the_scatter(realisations, name):
    found = realisations.found[name]
    predicted = np.sqrt(np.mean([f.error**2 for f in found], axis=0))
    scatter = np.std([f.cl for f in found], axis=0, ddof=1)
    # the scatter of 300 fields is known to 4 %
    np.testing.assert_allclose(predicted / scatter, 1.0, atol=0.15)
    neighbours = np.corrcoef(np.array([f.cl for f in found]).T)
    expected = np.mean([f.cov / np.outer(f.error, f.error) for f in found], axis=0)
    np.testing.assert_allclose(expected, neighbours, atol=4 / np.sqrt(N_FIELDS))


def test_against_namaster():
    """Mode coupling, removal, its bias and band powers, all with plain sums over pixels."""
    nmt = pytest.importorskip("pymaster")
    nside, lmax, rng = 16, 47, np.random.default_rng(1)
    pixels = np.flatnonzero(np.abs(hp.pix2vec(nside, np.arange(hp.nside2npix(nside)))[2]) > 0.4)
    mask = np.zeros(hp.nside2npix(nside))
    mask[pixels] = 1.0
    templates = from_pixels(synthetic_maps(nside, FAMILIES, rng)[:, pixels], pixels, nside)
    basis = np.zeros((1 + templates.n_sys, 1, mask.size))
    basis[0, 0, pixels], basis[1:, 0, pixels] = 1.0, templates.values
    delta, cl = mask * rng.standard_normal(mask.size), np.arange(1.0, lmax + 2) ** -1.5
    plain = {"n_iter": 0, "n_iter_mask": 0, "lmax": lmax, "lmax_mask": 2 * lmax, "beam": pixel_window(nside, lmax)}
    theirs = nmt.NmtField(mask, [delta], templates=basis, **plain)
    edges, ell = np.array([1, 6, 12, 20, 32, 48]), np.arange(1, 48)
    bands = np.searchsorted(edges, ell, side="right") - 1
    bins = nmt.NmtBin(ells=ell, bpws=bands, weights=2.0 * ell + 1, lmax=lmax)
    workspace = nmt.NmtWorkspace.from_fields(theirs, theirs, bins)
    pseudo = nmt.compute_coupled_cell(theirs, theirs)

    sky = MaskedSky(Footprint(pixels, nside), mask[pixels], templates)
    ours = BandEstimator(sky, edges, tail=None)
    result = ours.measure(Field(delta[pixels], np.full(pixels.size, np.inf), Footprint(pixels, nside)), restore=False)
    np.testing.assert_allclose(hp.alm2cl(sky.analyse(delta[pixels])), pseudo[0], atol=1e-12 * pseudo.max())
    coupling = coupling_matrix(weight_spectrum(sky, sky.weights, sky, sky.weights, 2 * lmax), lmax)
    np.testing.assert_allclose(coupling, workspace.get_coupling_matrix(), atol=1e-10)
    bias = nmt.deprojection_bias(theirs, theirs, cl[None], n_iter=0)[0]
    np.testing.assert_allclose(-removed_power(sky, cl), bias, atol=1e-10 * np.abs(bias).max())
    np.testing.assert_allclose(result.cl, workspace.decouple_cell(pseudo)[0], rtol=1e-9)


def test_round_trip_through_a_file(tiny):
    result = band_powers(tiny.field(tiny.fields.sum(0)), [2, 5, 8], templates=tiny.templates)
    again = BandPowers.from_dict(json.loads(json.dumps(result.to_dict())))
    for name, value in vars(result).items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    assert again.removed == result.removed
    with pytest.raises(DataError, match="the stored spectrum lacks window: store to_dict"):
        BandPowers.from_dict({k: v for k, v in result.to_dict().items() if k != "window"})


def test_result_says_what_it_is(tiny):
    result = band_powers(tiny.field(tiny.fields[0]), [2, 5, 8])
    np.testing.assert_allclose(result.ell, [np.average(e, weights=2 * e + 1) for e in np.array([[2, 3, 4], [5, 6, 7]])])
    assert result.f_sky == pytest.approx(tiny.one.size / 192)
    assert result.window.shape == (2, 32)
    np.testing.assert_allclose(result.error**2, np.diag(result.cov))
    with pytest.raises(DataError, match=r"the spectrum has shape \(12,\): give 32 multipoles"):
        result.expected(tiny.cl)


@pytest.mark.parametrize(
    ("edges", "match"),
    [
        ([2, 5, 13], "edges run from 2 to 13: the bands of nside 4 lie between 1 and 12"),
        ([0, 5], "edges run from 0 to 5"),
        ([5, 2], r"edges are \[5, 2\]: give two or more increasing"),
        ([2.5, 5], "whole numbers"),
        ([2], "give two or more"),
    ],
)
def test_bad_bands(tiny, edges, match):
    with pytest.raises(ParameterError, match=match):
        band_powers(tiny.field(tiny.fields[0]), edges)


def test_bands_too_narrow_for_the_mask():
    pixels = hp.query_disc(16, [0, 0, 1], np.radians(25))
    field = Field(np.ones(pixels.size), np.ones(pixels.size), Footprint(pixels, 16))
    with pytest.raises(DataError, match=r"30 bands cannot be told apart .* condition number .* make them wider"):
        band_powers(field, np.arange(2, 33))
    assert np.all(band_powers(field, np.arange(2, 33), deconvolve=False).cov.diagonal() >= 0)
    assert band_powers(field, [4, 18, 32]).cl.size == 2


def test_fields_that_do_not_belong_to_the_estimator(tiny):
    one, two = (masked_sky(f(tiny.fields[0])) for f in (tiny.field, tiny.other))
    auto, cross = BandEstimator(one, [2, 5, 8]), BandEstimator(one, [2, 5, 8], two)
    field, other = tiny.field(tiny.fields[0]), tiny.other(tiny.fields[0])
    with pytest.raises(DataError, match=r"the field has \d+ pixels at nside 4 and the estimator .* the same pixels"):
        auto.measure(other)
    with pytest.raises(DataError, match="two footprints and one field came: give the other field"):
        cross.measure(field)
    with pytest.raises(DataError, match=r"the other has \d+ pixels at nside 4 and the estimator"):
        cross.measure(field, field)
    with pytest.raises(DataError, match=r"contamination has shape \(5,\): give 12 multipoles"):
        auto.measure(field, contamination=np.ones(5))
    coarse = MaskedSky(Footprint(np.arange(40), 2), np.ones(40))
    with pytest.raises(DataError, match="the footprints have nside 4 and 2: bring both to one"):
        BandEstimator(one, [2, 5], coarse)
    away = (
        MaskedSky(Footprint(np.arange(10), 4), np.ones(10)),
        MaskedSky(Footprint(np.arange(150, 160), 4), np.ones(10)),
    )
    with pytest.raises(DataError, match="footprints of 10 and 10 pixels do not overlap"):
        BandEstimator(away[0], [2, 5], away[1])
