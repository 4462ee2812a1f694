"""Priors: the algebra of generalised least squares, limits, errors, and intervals that hold the truth."""

from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.methods.decontamination import decontaminate, run_methods
from sysmap_core.methods.priors import AmplitudePrior, with_prior
from sysmap_core.methods.results import Decontamination
from sysmap_core.methods.shrinkage import hierarchical_posterior
from sysmap_core.methods.table import METHODS

SKY = ClusteredSky(nside=8, nbar=80.0)

NAMES = SKY.templates.names

FIELD = SKY.field(1, a=0.05, b=0.03)

RNG = np.random.default_rng(3)


def fit(method="GLS", **options):
    return decontaminate(FIELD, SKY.templates, method, spectrum=SKY.spectrum, **options)


def known(mean=0.02, sigma=0.01, kinds="a", per="rms"):
    given = {kind: {NAMES[1]: (mean, sigma)} for kind in kinds}
    return AmplitudePrior.normal(**given, per=per)


def errors_of(cov, n_sys, draws=None):
    of_a, of_b = slice(0, n_sys), slice(n_sys, None)
    return {
        "cov_a": cov[of_a, of_a],
        "cov_b": cov[of_b, of_b],
        "cov_ab": cov[of_a, of_b],
        "cov_a_iid": 0.3 * cov[of_a, of_a],
        "cov_b_iid": 0.3 * cov[of_b, of_b],
        "cov_a_draws": draws,
        "covariance": "analytic",
    }


def joint(errors):
    return np.block([[errors["cov_a"], errors["cov_ab"]], [errors["cov_ab"].T, errors["cov_b"]]])


@pytest.mark.parametrize("per", ["rms", "unit"])
def test_a_prior_is_one_more_measurement(per):
    """Generalised least squares of the fit stacked on pseudo-observations of the amplitudes."""
    mixed = RNG.normal(size=(6, 30))
    cov, theta = mixed @ mixed.T / 3e4, 0.05 * RNG.normal(size=6)
    spread, mean = np.array([[4e-4, 1e-4], [1e-4, 9e-4]]), np.array([0.03, -0.02])
    templates = replace(SKY.templates, rms=np.array([2.0, 5.0, 0.1]))
    prior = AmplitudePrior((NAMES[2],), (NAMES[0],), mean, spread, per)
    scale = np.array([0.1, 2.0]) if per == "unit" else np.ones(2)
    design = np.vstack([np.eye(6), np.eye(6)[[2, 3]]])
    data = np.concatenate([theta, scale * mean])
    noise = np.block([[cov, np.zeros((6, 2))], [np.zeros((2, 6)), spread * np.outer(scale, scale)]])
    weighted = np.linalg.solve(noise, design).T
    wanted = np.linalg.inv(weighted @ design)
    found = with_prior(prior, templates, theta[:3], theta[3:], errors_of(cov, 3))
    np.testing.assert_allclose(np.append(found["a"], found["b"]), wanted @ weighted @ data, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(joint(found), wanted, rtol=1e-6, atol=1e-12)


def test_a_fit_with_a_prior_is_that_of_a_field_with_one_more_pixel():
    """Generalised least squares over the pixels and a pseudo-observation, from its definition."""
    alone, prior = fit(), known(0.1, 0.02)
    found = fit(prior=prior)
    precision = np.linalg.inv(alone.cov_a)
    extra = np.diag([0.0, 1 / 0.02**2, 0.0])
    wanted = np.linalg.solve(precision + extra, precision @ alone.a + extra @ [0.0, 0.1, 0.0])
    np.testing.assert_allclose(found.a, wanted, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.inv(found.cov_a), precision + extra, rtol=1e-6, atol=1e-6 * precision.max())
    assert not found.b.any()
    assert not found.cov_b.any()
    np.testing.assert_array_equal(found.before_prior.a, alone.a)
    np.testing.assert_array_equal(found.before_prior.cov, alone.cov)


def test_per_unit_is_per_rms_of_the_template():
    rms = SKY.templates.rms[1]
    one, other = fit(prior=known(0.02, 0.01)), fit(prior=known(0.02 / rms, 0.01 / rms, per="unit"))
    np.testing.assert_allclose(one.a, other.a, rtol=1e-12)
    np.testing.assert_allclose(one.cov_a, other.cov_a, rtol=1e-12)


def test_a_wide_prior_changes_nothing_and_a_narrow_one_decides():
    alone = fit("OLS")
    wide, narrow = fit("OLS", prior=known(0.3, 1e4)), fit("OLS", prior=known(0.3, 1e-7))
    np.testing.assert_allclose(wide.a, alone.a, rtol=1e-6)
    np.testing.assert_allclose(wide.cov, alone.cov, rtol=1e-6)
    assert narrow.a[1] == pytest.approx(0.3, abs=1e-6)
    assert narrow.cov_a[1, 1] == pytest.approx(1e-14, rel=1e-6)
    # the others are those of a fit to the field less what is known
    rest = np.linalg.inv(np.linalg.inv(alone.cov_a)[np.ix_([0, 2], [0, 2])])
    np.testing.assert_allclose(narrow.cov_a[np.ix_([0, 2], [0, 2])], rest, rtol=1e-6)


def test_a_prior_of_b_reaches_a_through_their_covariance():
    alone, found = fit("MCMC-comb"), fit("MCMC-comb", prior=known(0.2, 0.01, "b"))
    pulled = found.b[1] - alone.b[1]
    assert 0 < pulled < 0.2 - alone.b[1]
    np.testing.assert_allclose(found.a - alone.a, alone.cov_ab[:, 1] / alone.cov_b[1, 1] * pulled, rtol=1e-8)


def test_every_method_with_amplitudes_takes_a_prior():
    """What they have in common is the algebra, whatever the fit behind it."""
    for name, row in METHODS.items():
        if row.model == "multiplicative":
            with pytest.raises(
                ParameterError, match=rf"prior of amplitudes came for {name}, whose weights follow curves"
            ):
                fit(name, prior=known())
            assert fit(name, **({"n_mocks": 20} if "n_mocks" in row.options else {})).model == "multiplicative"
        else:
            found = fit(name, prior=known(0.5, 1e-6))
            assert found.a[1] == pytest.approx(0.5, abs=1e-4)
            assert found.prior is not None
            assert found.before_prior.a[1] != pytest.approx(0.5, abs=0.1)


def test_run_methods_gives_curves_no_prior():
    found = run_methods(FIELD, SKY.templates, ["OLS", "ISD-1"], prior=known(0.5, 1e-6))
    assert found["OLS"].a[1] == pytest.approx(0.5, abs=1e-4)
    assert found["ISD-1"].prior is None


def test_draws_of_the_covariance_are_those_of_the_same_estimator():
    """Amplitudes scatter as stated when the true covariance is another than the one behind the gain."""
    mixed = RNG.normal(size=(6, 30))
    cov, n = mixed @ mixed.T / 3e4, 40_000
    other = 1.7 * cov[:3, :3] + 1e-4 * np.eye(3)
    found = with_prior(known(0.0, 0.02), SKY.templates, np.zeros(3), np.zeros(3), errors_of(cov, 3, other[None]))
    pseudo = 0.02 * RNG.standard_normal(n)
    fitted = RNG.multivariate_normal(np.zeros(3), other, n)
    gain = cov[:3, 1] / (cov[1, 1] + 0.02**2)
    scatter = np.cov((fitted + gain * (pseudo - fitted[:, 1])[:, None]).T)
    errors = np.sqrt(np.diag(found["cov_a_draws"][0]))
    # the errors of covariances from n draws are below the product of errors times sqrt(2 / n)
    off = np.abs(found["cov_a_draws"][0] - scatter) / np.outer(errors, errors)
    assert off.max() < 4 * np.sqrt(2 / n)
    iid = with_prior(known(0.0, 1e4), SKY.templates, np.zeros(3), np.zeros(3), errors_of(cov, 3))
    np.testing.assert_allclose(iid["cov_a_iid"], 0.3 * cov[:3, :3], rtol=1e-6)


def test_draws_of_the_own_covariance_change_nothing():
    mixed = RNG.normal(size=(6, 30))
    cov = mixed @ mixed.T / 3e4
    found = with_prior(
        known(0.0, 0.02, "ab"), SKY.templates, np.zeros(3), np.zeros(3), errors_of(cov, 3, cov[None, :3, :3])
    )
    np.testing.assert_allclose(found["cov_a_draws"][0], found["cov_a"], rtol=1e-9, atol=1e-15)


def test_intervals_hold_truths_that_follow_the_prior():
    """Truths are drawn from the prior and flat elsewhere; intervals of 68 % hold them as often."""
    mixed, n = RNG.normal(size=(6, 30)), 4000
    cov = mixed @ mixed.T / 3e4
    prior = AmplitudePrior.normal({NAMES[0]: (0.01, 0.02)}, {NAMES[2]: (-0.02, 0.01)}, per="rms")
    held = np.zeros(6)
    for _ in range(n):
        truth = np.array([RNG.normal(0.01, 0.02), *RNG.normal(0.0, 1.0, 4), RNG.normal(-0.02, 0.01)])
        fitted = RNG.multivariate_normal(truth, cov)
        found = with_prior(prior, SKY.templates, fitted[:3], fitted[3:], errors_of(cov, 3))
        theta = np.append(found["a"], found["b"])
        held += np.abs(theta - truth) < np.sqrt(np.diag(joint(found)))
    np.testing.assert_allclose(held / n, 0.6827, atol=3.5 * np.sqrt(0.6827 * 0.3173 / n))


def test_weights_are_made_of_the_prior_where_there_is_one():
    """The hierarchical prior is that of the other templates: integrated by brute force over amplitudes and size."""
    estimate, cov = np.array([0.6, 0.9]), np.array([[0.25, 0.1], [0.1, 0.16]])
    found = hierarchical_posterior(estimate, cov, known=np.array([True, False]))
    tau = np.geomspace(0.03, 30.0, 24) * 0.4
    total = 0.16 + tau**2
    weight = np.exp(-0.5 * 0.81 / total) / np.sqrt(total)
    second = np.sum(weight * tau**2 / total * 0.9) / weight.sum()
    np.testing.assert_allclose(found.mean, [0.6 + 0.1 / 0.16 * (second - 0.9), second], rtol=1e-10)
    all_known = hierarchical_posterior(estimate, cov, known=np.array([True, True]))
    np.testing.assert_array_equal(all_known.mean, estimate)
    np.testing.assert_array_equal(all_known.cov, cov)
    np.testing.assert_array_equal(
        hierarchical_posterior(estimate, cov, known=np.zeros(2, bool)).mean, hierarchical_posterior(estimate, cov).mean
    )


def test_a_wide_known_prior_is_the_limit_of_no_shrinkage():
    """For a given size, amplitudes with a flat prior are what the shrunk ones leave: prior precision of zero."""
    mixed = RNG.normal(size=(4, 30))
    cov, estimate = mixed @ mixed.T / 30, RNG.normal(size=4)
    known_ones = np.array([True, False, False, True])
    found = hierarchical_posterior(estimate, cov, 2, known=known_ones)
    scales = np.sqrt(np.diag(cov))[[1, 2]]
    nodes = np.geomspace(0.03, 30.0, 24)
    i, j = 5, 17
    precision = np.diag([0.0, 1 / (nodes[i] * scales[0]) ** 2, 1 / (nodes[j] * scales[1]) ** 2, 0.0])
    wanted = np.linalg.inv(np.linalg.inv(cov) + precision)
    node = i * 24 + j
    np.testing.assert_allclose(found.covariances[node], wanted, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.means[node], wanted @ np.linalg.solve(cov, estimate), rtol=1e-8)


def test_shrinkage_leaves_amplitudes_with_a_prior():
    found = fit("GLS-comb", prior=known(0.02, 0.004, "ab"))
    posterior = found.posterior()
    np.testing.assert_allclose(np.append(found.a_mean, found.b_mean), posterior.mean, rtol=1e-12)
    # not shrunk: closer to its own value than the shrunk amplitude without a prior was
    assert abs(found.a_mean[1] - found.a[1]) < 0.1 * np.sqrt(found.cov_a[1, 1])
    bare = fit("GLS-comb", prior=known(0.02, 0.004, "ab"), shrinkage="none")
    np.testing.assert_array_equal(bare.a_mean, bare.a)
    np.testing.assert_array_equal(bare.a, found.a)


def test_result_with_a_prior_comes_back_from_its_file():
    found = decontaminate(FIELD, SKY.templates, "GLS", prior=known())
    back = Decontamination.from_dict(found.to_dict())
    assert back.prior.of_a == (NAMES[1],)
    assert back.prior.per == "rms"
    np.testing.assert_array_equal(back.prior.cov, found.prior.cov)
    np.testing.assert_array_equal(back.before_prior.a, found.before_prior.a)
    np.testing.assert_array_equal(back.before_prior.cov_a_draws, found.before_prior.cov_a_draws)
    np.testing.assert_array_equal(back.posterior().mean, found.posterior().mean)
    assert "pooled" not in found.to_dict(maps=False)
    older = {k: v for k, v in fit().to_dict().items() if k not in ("prior", "before_prior", "pooled")}
    assert Decontamination.from_dict(older).prior is None


def test_errors_say_what_to_do():
    with pytest.raises(ParameterError, match=r"unknown template of the prior 'power_neg9': did you mean"):
        fit(prior=AmplitudePrior.normal({"power_neg9": (0.0, 0.1)}, per="rms"))
    with pytest.raises(ParameterError, match=r"sigma of the prior of b of SEEING is -0.1: give a positive number"):
        AmplitudePrior.normal(b={"SEEING": (0.0, -0.1)}, per="rms")
    with pytest.raises(ParameterError, match=r"unknown per of a prior 'sigma': .*known: rms, unit"):
        AmplitudePrior.normal({"SEEING": (0.0, 0.1)}, per="sigma")
    with pytest.raises(DataError, match=r"a prior names no template: give those of a, of b, or of both"):
        AmplitudePrior.normal(per="rms")
    with pytest.raises(DataError, match=r"a prior of 2 amplitudes has mean \(1,\) and cov \(2, 2\): give \(2,\)"):
        AmplitudePrior(("x",), ("x",), np.zeros(1), np.eye(2), "rms")
    with pytest.raises(DataError, match=r"the prior of a names x, x: give every template once"):
        AmplitudePrior(("x", "x"), (), np.zeros(2), np.eye(2), "rms")
    for mean, cov in ((np.zeros(2), [[1.0, 2.0], [2.0, 1.0]]), (np.zeros(2), -np.eye(2)), ([np.nan, 0.0], np.eye(2))):
        with pytest.raises(DataError, match=r"covariance of a prior is not finite, or the latter not symmetric"):
            AmplitudePrior(("x", "y"), (), mean, np.array(cov), "rms")
