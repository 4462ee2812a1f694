"""Mock catalogues: four scenarios of one field, with a truth that can be found again."""

import healpy as hp
import numpy as np
import pytest
from skies import red_spectrum

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.harmonic.spectra import variance
from sysmap_core.mocks.footprints import survey_mask
from sysmap_core.mocks.mock_catalogue import SCENARIOS
from sysmap_core.mocks.suite import _within_turn, log_spectrum, make_mock_catalog, make_mock_suite, sample_together
from sysmap_core.sky.pixels import pixel_counts

NSIDE = 16

A, B = np.array([0.10, -0.05]), np.array([-0.08, 0.06])


def suite(**options):
    given = {"a_amplitudes": A, "b_amplitudes": B, "n_mean": 200.0, "rand_factor": 2, "seed": 4} | options
    return make_mock_suite(NSIDE, 2, **given)


@pytest.fixture(scope="module")
def mocks():
    return suite()


def test_scenarios_share_field_templates_and_randoms(mocks):
    assert list(mocks) == list(SCENARIOS) == ["none", "additive", "multiplicative", "combined"]
    first = mocks["none"]
    for mock in mocks.values():
        for name in ("delta_true", "templates", "ra_rand", "dec_rand", "mask"):
            np.testing.assert_array_equal(getattr(mock, name), getattr(first, name))
        shared = np.isin(mock.ra_gal, first.ra_gal).mean()
        assert shared > 0.85
        assert len(mock.galaxies) == pytest.approx(len(first.galaxies), rel=0.02)


def test_right_ascensions_are_of_one_turn(mocks):
    for mock in mocks.values():
        for ra in (mock.ra_gal, mock.ra_rand):
            assert np.all((ra >= 0.0) & (ra < 360.0))
    assert _within_turn(np.array([-1e-20, 360.0, -44.0])).tolist() == [0.0, 0.0, 316.0]


def test_truth_of_the_scenarios(mocks):
    for scenario, (a, b) in {"none": (0, 0), "additive": (A, 0), "multiplicative": (B, B), "combined": (A, B)}.items():
        mock = mocks[scenario]
        np.testing.assert_array_equal(mock.a_true, a * np.ones(2))
        np.testing.assert_array_equal(mock.b_true, b * np.ones(2))
        expected = mock.delta_true * (1 + mock.b_true @ mock.templates) + mock.a_true @ mock.templates
        np.testing.assert_allclose(mock.delta_obs, np.maximum(expected, -1), atol=1e-12)


def test_templates_are_standardised_on_the_mask(mocks):
    mock = mocks["combined"]
    np.testing.assert_allclose(mock.templates[:, mock.mask].mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(mock.templates[:, mock.mask].std(1), 1, rtol=1e-12)
    np.testing.assert_allclose(mock.template_set().values, mock.templates[:, mock.mask], atol=1e-12)


def test_amplitudes_come_back(mocks):
    """Against the uncontaminated galaxies of the same field, whose chance alignment is the same."""
    clean = mocks["none"].field()
    t = mocks["none"].template_set().values
    for mock in mocks.values():
        field = mock.field()
        # a truth without noise; the counts of randoms cancel
        truth = mock.delta_true[mock.mask]
        design = np.vstack([np.ones(truth.size), t, truth * t, truth])
        fits = [np.linalg.lstsq(design.T, f.delta, rcond=None)[0] for f in (field, clean)]
        difference = fits[0] - fits[1]
        np.testing.assert_allclose(difference[1:3], mock.a_true, atol=0.01)
        np.testing.assert_allclose(difference[3:5], mock.b_true, atol=0.02)


def test_counts_are_a_poisson_sample(mocks):
    mock = mocks["combined"]
    counts = pixel_counts(mock.ra_gal, mock.dec_gal, NSIDE)[mock.mask]
    mean = (1 + mock.delta_obs[mock.mask]) * 200.0
    seen = mean > 0
    chi2 = np.mean((counts - mean)[seen] ** 2 / mean[seen])
    assert chi2 == pytest.approx(1.0, abs=4 * np.sqrt(2.2 / seen.sum()))
    assert not counts[~seen].any()
    assert pixel_counts(mock.ra_gal, mock.dec_gal, NSIDE)[~mock.mask].sum() == 0


def test_rms_of_the_field():
    assert variance(log_spectrum(NSIDE, 0.3)) == pytest.approx(0.09)
    mocks = [make_mock_catalog(NSIDE, 1, scenario="none", sigma=0.3, seed=seed, n_mean=1) for seed in range(20)]
    rms = np.sqrt(np.mean([mock.delta_true.var() for mock in mocks]))
    assert rms == pytest.approx(np.sqrt(np.expm1(0.09)), rel=0.05)


def test_catalogue_is_that_of_the_suite(mocks):
    options = {"n_mean": 200.0, "rand_factor": 2, "seed": 4}
    alone = make_mock_catalog(NSIDE, 2, A, B, scenario="multiplicative", **options)
    np.testing.assert_array_equal(alone.ra_gal, mocks["multiplicative"].ra_gal)
    assert alone.scenario == "multiplicative"


def test_mask_spectrum_redshifts_and_level():
    mask = survey_mask(32, dec_range=(0.0, 40.0))
    z = np.linspace(0.1, 0.3, 5)
    cl = red_spectrum(32, 0.25)
    mock = make_mock_catalog(
        NSIDE, 2, A, B, mask=mask, spectrum=cl, nz=(z, z), level=2.0, n_mean=20.0, template_families=["white_noise", 2]
    )
    assert mock.dec_gal.min() > -3
    np.testing.assert_array_equal(mock.a_true, 2 * A)
    assert mock.level == 2.0
    assert mock.names == ("white_noise 0", "power_neg2 1")
    assert mock.sigma == pytest.approx(np.sqrt(np.log1p(0.0625)), rel=0.02)
    assert len(mock.z_gal) == len(mock.galaxies)
    assert len(mock.z_rand) == len(mock.randoms) == round(8 * 20 * mask.mean() * hp.nside2npix(NSIDE))
    assert 0.1 <= mock.z_gal.min() < mock.z_gal.max() <= 0.3
    # galaxies lie in the fine mask, not in whole pixels of the mock
    assert pixel_counts(mock.ra_gal, mock.dec_gal, 32)[~mask].sum() == 0


def test_drawn_amplitudes_and_seed():
    one, same, other = (make_mock_catalog(8, 7, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.a_true, same.a_true)
    np.testing.assert_array_equal(one.ra_gal, same.ra_gal)
    assert (one.a_true != other.a_true).all()
    assert (one.a_true != one.b_true).all()
    assert one.templates.shape == (7, 768)


def test_samples_together_are_poisson_and_alike():
    rng = np.random.default_rng(3)
    low = rng.uniform(5, 20, hp.nside2npix(NSIDE))
    means = {"low": low, "high": 1.5 * low}
    objects, seen = sample_together(means, rng)
    for name, mean in means.items():
        there = seen[name]
        counts = pixel_counts(objects.ra[there], objects.dec[there], NSIDE)
        assert np.mean((counts - mean) ** 2 / mean) == pytest.approx(1.0, abs=4 * np.sqrt(2.2 / low.size))
    assert not np.any(seen["low"] & ~seen["high"])


BAD = {
    "unknown scenario 'both'": {"scenarios": ["both"]},
    r"a has shape \(3,\)": {"a_amplitudes": [0.1] * 3},
    "b has shape .* or is not finite": {"b_amplitudes": [0.1, np.nan]},
    "n_mean is -1": {"n_mean": -1},
    "sigma is nan": {"sigma": np.nan},
    "1 families for 2 templates": {"template_families": [0]},
    "unknown template family 9": {"template_families": [0, 9]},
    "the mask has NSIDE 4 and the mock 16": {"mask": np.ones(192, bool)},
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_input(problem):
    with pytest.raises((DataError, ParameterError), match=problem):
        suite(**BAD[problem])


def test_no_templates():
    with pytest.raises(ParameterError, match="n_sys is 0: give one template or more"):
        make_mock_suite(NSIDE, 0)
