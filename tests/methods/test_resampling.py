from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from skies import ClusteredSky
from threadpoolctl import threadpool_limits

from sysmap_core.covariance.sandwich import combined_covariance, linear_covariance
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.inference.posterior import fit_model
from sysmap_core.methods.resampling import block_bootstrap, jackknife, mock_covariance
from sysmap_core.methods.table import METHODS
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.sky.patches import spatial_patches
from sysmap_core.sys_mapping.bootstrap import block_bootstrap_variance, jackknife_covariance
from sysmap_core.templates.template_set import TemplateSet

SIGMA = 0.3

N_MOCKS = 250


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Transforms of small maps take far longer with more threads than there are free cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=16, rms=0.3, nbar=40.0)


@pytest.fixture(scope="module")
def field(sky):
    return sky.field(0)


@pytest.fixture(scope="module")
def combined_mocks(sky, field):
    return mock_covariance(field, sky.templates, sky.spectrum, "MCMC-comb", n_mocks=200, seed=1)


def deviations(cov):
    return np.sqrt(np.diag(cov))


def noise(sky, seed):
    """Field of independent Gaussian pixels."""
    delta = SIGMA * np.random.default_rng([3, seed]).standard_normal(len(sky.pixels))
    return Field(delta, np.full(len(delta), SIGMA**-2), Footprint(sky.pixels, 16))


def subset(field, templates, pick):
    """Field and templates of some pixels, which may be repeated."""
    # a footprint has each pixel once: the place of these is left open
    places = Footprint(np.arange(len(field.delta[pick])))
    part = TemplateSet(templates.values[:, pick], templates.names, places, templates.mean, templates.rms)
    return Field(field.delta[pick], field.expected[pick], places), part


def refit(field, templates, pick):
    part, values = subset(field, templates, pick)
    best = fit_model(part.delta, values, expected=part.expected, sampler="importance", draws=16).maximum
    return np.concatenate([best.a, best.b])


@pytest.mark.parametrize("resample", [jackknife, block_bootstrap])
def test_independent_pixels_in_patches(sky, resample):
    """Variances over many fields average to those of least squares."""
    analytic = linear_covariance(noise(sky, 0), sky.templates, np.zeros(48)).cov
    options = {"n_patches": 10} | ({"n_resamples": 200} if resample is block_bootstrap else {})
    ratios = [np.diag(resample(noise(sky, s), sky.templates, **options).cov_a / analytic) for s in range(600)]
    error = np.std(ratios, axis=0) / np.sqrt(len(ratios))
    assert np.all(error < 0.025)
    assert np.all(np.abs(np.mean(ratios, axis=0) - 1.0) < 3.5 * error), np.mean(ratios, axis=0)


def test_stated_error_is_the_scatter_of_the_deviations(sky):
    options = {"n_patches": 20, "n_resamples": 50}
    found = [block_bootstrap(noise(sky, s), sky.templates, **options, seed=s) for s in range(300)]
    sd = np.array([deviations(f.cov_a) for f in found])
    scatter = sd.std(0) / sd.mean(0)
    # the three amplitudes together make 900 deviations, hardly correlated
    assert np.mean(scatter) == pytest.approx(found[0].relative_error, rel=3.5 / np.sqrt(2 * 900) + 0.02)


def test_independent_pixels_in_mocks(sky):
    flat = noise(sky, 0)
    found = mock_covariance(flat, sky.templates, np.zeros(48), n_mocks=N_MOCKS)
    wanted = linear_covariance(flat, sky.templates, np.zeros(48)).cov
    ratio = deviations(found.cov_a) / deviations(wanted)
    assert found.relative_error == pytest.approx(1 / np.sqrt(2 * (N_MOCKS - 1)))
    assert np.all(np.abs(ratio - 1.0) < 3.5 * found.relative_error)
    correlation = found.cov_a / np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    expected = wanted / np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    off = ~np.eye(3, dtype=bool)
    assert np.all(np.abs(correlation - expected)[off] < 3.5 / np.sqrt(N_MOCKS))


def test_mocks_of_a_clustered_sky_with_uneven_coverage(sky, field):
    """The covariance that is written down, with clustering and without."""
    uneven = Field(field.delta, 12.0 * np.exp(0.5 * sky.templates.values[0]), Footprint(field.pixels, 16))
    found = mock_covariance(uneven, sky.templates, sky.spectrum, n_mocks=N_MOCKS, seed=2)
    wanted = linear_covariance(uneven, sky.templates, sky.spectrum)
    ratio = deviations(found.cov_a) / deviations(wanted.cov)
    assert np.all(np.abs(ratio - 1.0) < 3.5 * found.relative_error)
    iid = SIGMA * deviations(np.linalg.inv(wanted.fisher))
    assert np.all(deviations(found.cov_a)[1:] > 1.5 * iid[1:])
    assert not found.cov_b.any()


def test_mocks_of_the_combined_model(sky, field, combined_mocks):
    """As the scores of a lognormal field have it, within the accuracy of that covariance."""
    assert combined_mocks.n_used == 200
    wanted = combined_covariance(field, sky.templates, sky.spectrum, np.zeros(3), np.zeros(3), SIGMA).cov
    ratio = deviations(wanted)[:6] / np.concatenate(
        [deviations(combined_mocks.cov_a), deviations(combined_mocks.cov_b)]
    )
    assert np.all(np.abs(ratio - 1.0) < 0.1 + 3.0 * combined_mocks.relative_error), ratio


def test_contaminated_mocks(sky, field):
    a, b = np.array([0.1, 0.0, -0.05]), np.array([0.0, 0.2, 0.0])
    found = mock_covariance(field, sky.templates, sky.spectrum, "MCMC-comb", n_mocks=60, a=a, b=b)
    for truth, samples in ((a, found.samples_a), (b, found.samples_b)):
        error = samples.std(0) / np.sqrt(len(samples))
        assert np.all(np.abs(samples.mean(0) - truth) < 3.5 * error + 0.01)


def test_workers_change_nothing(sky, field):
    options = {"n_mocks": 12, "seed": 4}
    reported = []
    alone = mock_covariance(
        field, sky.templates, sky.spectrum, **options, progress=lambda done, total: reported.append((done, total))
    )
    with ThreadPoolExecutor(3) as pool:
        shared = mock_covariance(field, sky.templates, sky.spectrum, **options, executor=pool)
    np.testing.assert_array_equal(alone.samples_a, shared.samples_a)
    assert reported == [(i + 1, 12) for i in range(12)]
    other = mock_covariance(field, sky.templates, sky.spectrum, n_mocks=12, seed=5)
    assert not np.any(alone.samples_a == other.samples_a)


def test_more_mocks_begin_with_the_same_ones(sky, field):
    few = mock_covariance(field, sky.templates, sky.spectrum, n_mocks=5, seed=4)
    more = mock_covariance(field, sky.templates, sky.spectrum, n_mocks=7, seed=4)
    np.testing.assert_array_equal(few.samples_a, more.samples_a[:5])


def test_bootstrap_follows_its_seed(sky, field):
    one, same, other = (block_bootstrap(field, sky.templates, seed=s, n_resamples=20) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.cov_a, same.cov_a)
    assert not np.any(one.cov_a == other.cov_a)


def test_linear_jackknife_is_that_of_the_refits(sky, field):
    """Sums over patches against fits of the pixels, each with its own mean density."""

    def estimator(delta, values):
        return np.linalg.lstsq(np.vstack([np.ones(len(delta)), values]).T, delta, rcond=None)[0][1:]

    wanted = jackknife_covariance(field.delta, sky.templates.values, field.pixels, 16, estimator, n_patches=15)
    np.testing.assert_allclose(jackknife(field, sky.templates, n_patches=15).cov_a, wanted, rtol=1e-9, atol=1e-15)


def test_one_newton_step_is_the_refit_of_the_jackknife(sky, field):
    patches = spatial_patches(field.pixels, 16, 25)
    steps = jackknife(field, sky.templates, "MCMC-comb", n_patches=25)
    one = np.hstack([steps.samples_a, steps.samples_b])
    full = np.array([refit(field, sky.templates, patches != k) for k in range(25)])
    # a single delete-one estimate moves by a fifth of the error; what is missed is far smaller
    error = np.sqrt(24**2 / 25) * full.std(0)
    assert np.all(np.abs(one - full).max(0) < 0.05 * error)
    np.testing.assert_allclose(one.std(0), full.std(0), rtol=0.06)


def test_one_newton_step_is_the_refit_of_the_bootstrap(sky, field):
    parts = [np.flatnonzero(spatial_patches(field.pixels, 16, 25) == k) for k in range(25)]
    steps = block_bootstrap(field, sky.templates, "MCMC-comb", n_patches=25, n_resamples=40, seed=6)
    times = np.random.default_rng(6).multinomial(25, np.full(25, 1 / 25), 40)
    picks = [np.concatenate([np.repeat(part, n) for part, n in zip(parts, row, strict=True)]) for row in times]
    full = np.array([refit(field, sky.templates, pick) for pick in picks])
    one = np.hstack([steps.samples_a, steps.samples_b])
    assert np.all((one - full).std(0) < 0.15 * full.std(0))
    np.testing.assert_allclose(one.std(0), full.std(0), rtol=0.1)


def test_patches_see_only_a_part_of_the_clustering(sky):
    """Of the smoothest template, more than independent pixels would, less than realisations."""
    fields = [sky.field(s) for s in range(30)]
    patched = np.sqrt(np.mean([np.diag(jackknife(f, sky.templates).cov_a) for f in fields], axis=0))
    calibrated = linear_covariance(fields[0], sky.templates, sky.spectrum)
    truth, iid = deviations(calibrated.cov), fields[0].delta.std() * deviations(np.linalg.inv(calibrated.fisher))
    assert patched[0] == pytest.approx(truth[0], rel=0.1)
    assert 1.5 * iid[2] < patched[2] < 0.95 * truth[2]


def test_jackknife_of_a_mean():
    """The textbook formula: the variance of the patch means over their number."""
    values = np.random.default_rng(0).standard_normal(12 * 16**2)
    mask = np.ones(values.size, bool)
    cov = jackknife_covariance(values, np.ones((1, values.size)), mask, 16, lambda d, t: d.mean(), n_patches=12)
    means = [values[spatial_patches(np.arange(values.size), 16, 12) == k].mean() for k in range(12)]
    assert cov.shape == (1, 1)
    assert cov[0, 0] == pytest.approx(np.var(means, ddof=1) / 12, rel=1e-10)


def test_bootstrap_of_a_mean():
    """Its expectation over resamples is that same variance."""
    values = np.random.default_rng(0).standard_normal(12 * 16**2)
    pixels = np.arange(values.size)
    arguments = (values, np.ones((1, values.size)), pixels, 16, lambda d, t: [d.mean(), d.mean()])
    found = block_bootstrap_variance(*arguments, n_bootstrap=2000, n_patches=6, seed=1)
    means = [values[spatial_patches(pixels, 16, 6) == k].mean() for k in range(6)]
    assert found.shape == (2,)
    np.testing.assert_allclose(found, np.var(means, ddof=1) / 6, rtol=3.5 * np.sqrt(2 / 2000))
    np.testing.assert_array_equal(found, block_bootstrap_variance(*arguments, 2000, 6, 1))


def test_templates_in_another_order(sky, field):
    order = [2, 0, 1]
    values = sky.templates
    turned = TemplateSet(
        values.values[order], tuple(values.names[i] for i in order), values.footprint, *[np.ones(3)] * 2
    )
    for method in (name for name, row in METHODS.items() if row.resampled):
        one, other = (jackknife(field, t, method) for t in (values, turned))
        np.testing.assert_allclose(other.cov_a, one.cov_a[np.ix_(order, order)], rtol=1e-5, atol=1e-10)
        np.testing.assert_allclose(other.cov_b, one.cov_b[np.ix_(order, order)], rtol=1e-5, atol=1e-10)


def test_result_carries_what_it_is(sky, field):
    found = block_bootstrap(field, sky.templates, "mcmc-add", n_resamples=30, seed=8)
    assert (found.estimator, found.method, found.n_used, found.seed) == ("block bootstrap", "MCMC-add", 50, 8)
    assert found.samples_a.shape == found.samples_b.shape == (30, 3)
    content = found.to_dict()
    assert content["names"] == list(sky.templates.names)
    np.testing.assert_array_equal(content["cov_a"], found.cov_a)


def test_methods_that_cannot_be_resampled(sky, field):
    with pytest.raises(ParameterError, match=r"'ElasticNet' cannot be resampled.*take one of OLS, MCMC-add, MCMC-comb"):
        jackknife(field, sky.templates, "ElasticNet")
    with pytest.raises(ParameterError, match="did you mean 'OLS'"):
        block_bootstrap(field, sky.templates, "OLZ")


@pytest.mark.parametrize(("method", "needed"), [("OLS", 4), ("MCMC-comb", 7)])
def test_too_few_patches_or_mocks(sky, field, method, needed):
    short = f"is {needed - 1}: give at least {needed}"
    with pytest.raises(ParameterError, match=f"n_patches {short}"):
        jackknife(field, sky.templates, method, n_patches=needed - 1)
    with pytest.raises(ParameterError, match=f"n_resamples {short}"):
        block_bootstrap(field, sky.templates, method, n_resamples=needed - 1)
    with pytest.raises(ParameterError, match=f"n_mocks {short}"):
        mock_covariance(field, sky.templates, sky.spectrum, method, n_mocks=needed - 1)


def test_mocks_that_cannot_be_fitted(sky, field):
    """Empty pixels without clustering leave no variance beyond the shot noise."""
    faint = Field(field.delta, np.full(field.n_pix, 0.001), Footprint(field.pixels, 16))
    with pytest.raises(DataError, match=r"number of mocks that could be fitted is \d+: give at least 7"):
        mock_covariance(faint, sky.templates, np.zeros(48), "MCMC-comb", n_mocks=7)


def test_shapes_that_do_not_match(sky, field):
    fewer = Field(field.delta[:100], field.expected[:100], Footprint(field.pixels[:100], 16))
    with pytest.raises(DataError, match="the field has 100 pixels at nside 16 and the templates 1856"):
        jackknife(fewer, sky.templates)
    with pytest.raises(DataError, match=r"spectrum has shape \(12,\): give C_l from 0 to 3 nside - 1"):
        mock_covariance(field, sky.templates, np.zeros(12))
    with pytest.raises(DataError, match=r"a has shape \(2,\) for 3 templates"):
        mock_covariance(field, sky.templates, sky.spectrum, a=np.zeros(2))
    with pytest.raises(DataError, match=r"delta_g_obs has shape \(100,\).*for 1856 good pixels"):
        jackknife_covariance(field.delta[:100], sky.templates.values, field.pixels, 16, lambda d, t: d.mean())


def test_maximum_on_the_efficiency_floor(sky):
    """One Newton step from there would be wrong: more contamination than the efficiency can have."""
    with pytest.raises(DataError, match="not at a maximum"):
        jackknife(sky.field(0, b=[0.6, 0.0, 0.0]), sky.templates, "MCMC-comb")
