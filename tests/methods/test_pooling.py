"""Pooled amplitudes: textbook limits, smooth variation, calibrated intervals and probabilities, weights of parts."""

import numpy as np
import pytest
from part_fits import made

from sysmap_core.errors import DataError
from sysmap_core.methods.decontamination import undone_contamination, with_posterior
from sysmap_core.methods.pooling import LENGTH_NODES, VARYING_RANGE, pooled
from sysmap_core.methods.results import Decontamination
from sysmap_core.methods.shrinkage import RANGE, AmplitudePosterior

RNG = np.random.default_rng(2)

MIXED = RNG.normal(size=(4, 40))

COV = MIXED @ MIXED.T / 4e5


def parts_of(truths, *, cov=COV, **more):
    fits = [made(RNG.multivariate_normal(truth, cov), cov, **more) for truth in truths]
    return {f"part {i}": fit for i, fit in enumerate(fits)}


def test_large_different_amplitudes_stay():
    truths = 0.3 * RNG.normal(size=(3, 4))
    results = parts_of(truths)
    found = pooled(results)
    for label, fit in results.items():
        # amplitudes of thirty errors lose a thirtieth of an error
        np.testing.assert_allclose(found.posteriors[label].mean, fit.a, atol=0.1 * np.sqrt(COV.max()))
        np.testing.assert_allclose(found.posteriors[label].cov, COV, rtol=0.02, atol=0.01 * COV.max())
    assert found.same_a < 1e-6
    assert np.isnan(found.same_b)


def test_equal_amplitudes_become_their_combination():
    results = parts_of([[0.3, -0.2, 0.25, 0.4]] * 5)
    found = pooled(results)
    joint = np.mean([fit.a for fit in results.values()], axis=0)
    np.testing.assert_allclose(found.shared_a, joint, rtol=1e-10)
    np.testing.assert_allclose(found.shared_cov[:4, :4], COV / 5, rtol=1e-8, atol=1e-12)
    assert np.all(np.isnan(found.shared_b))
    assert found.same_a > 0.5
    spread = np.array([posterior.mean - joint for posterior in found.posteriors.values()])
    apart = np.array([fit.a - joint for fit in results.values()])
    assert np.sqrt(np.mean(spread**2)) < 0.4 * np.sqrt(np.mean(apart**2))
    errors = [np.sqrt(np.diag(posterior.cov)) for posterior in found.posteriors.values()]
    assert np.all(np.mean(errors, axis=0) < 0.7 * np.sqrt(np.diag(COV)))


def test_it_is_the_sum_over_sizes_of_the_textbook_posterior():
    """One template, two parts: numerical integration over both sizes, with half of the prior on no difference."""
    values, error = np.array([0.8, 1.5]), 0.5
    found = pooled({k: made([v], [[error**2]]) for k, v in zip("NS", values, strict=True)})
    shared = error * np.geomspace(0.03, 30.0, 12)
    cases = [(0.0, 0.5)] + [(error * v, 0.5 / 8) for v in np.geomspace(0.3, 30.0, 8)]
    weight, means, same = 0.0, 0.0, 0.0
    for s in shared:
        for v, share in cases:
            prior = s**2 + v**2 * np.eye(2)
            total = prior + error**2 * np.eye(2)
            here = share * np.exp(-0.5 * values @ np.linalg.inv(total) @ values) / np.sqrt(np.linalg.det(total))
            weight, same = weight + here, same + here * (v == 0)
            means = means + here * prior @ np.linalg.inv(total) @ values
    np.testing.assert_allclose([found.posteriors[k].mean[0] for k in "NS"], means / weight, rtol=1e-10)
    assert found.same_a == pytest.approx(same / weight, rel=1e-10)


def test_the_unit_of_a_part_does_not_matter():
    """A template of twice the rms has twice the amplitudes and errors; what is pooled is per unit of the map."""
    truths = [[0.03, 0.0, -0.02, 0.01]] * 2
    results = parts_of(truths)
    stretched = dict(results)
    fit = results["part 1"]
    stretched["part 1"] = made(2 * fit.a, 4 * COV, rms=np.full(4, 2.0))
    one, other = pooled(results), pooled(stretched)
    np.testing.assert_allclose(2 * one.posteriors["part 1"].mean, other.posteriors["part 1"].mean, rtol=1e-9)
    np.testing.assert_allclose(one.posteriors["part 0"].cov, other.posteriors["part 0"].cov, rtol=1e-8, atol=1e-14)
    assert one.same_a == pytest.approx(other.same_a, rel=1e-9)


def test_kinds_have_sizes_of_their_own():
    """Parts share a and differ in b."""
    cov = np.kron([[1.0, 0.3], [0.3, 1.0]], COV)
    truths = [np.append(0.2 * np.ones(4), 0.3 * RNG.normal(size=4)) for _ in range(4)]
    drawn = [RNG.multivariate_normal(truth, cov) for truth in truths]
    results = {f"part {i}": made(d[:4], cov, b=d[4:], model="combined") for i, d in enumerate(drawn)}
    found = pooled(results)
    assert found.same_a > 0.5
    assert found.same_b < 1e-3
    mean = found.posteriors["part 0"].mean
    assert mean.shape == (8,)
    np.testing.assert_allclose(mean[4:], truths[0][4:], atol=4 * np.sqrt(COV.max()))
    assert np.all(np.isfinite(found.shared_cov))


def test_the_lattice_of_pairs_is_the_sum_over_all_of_them():
    """Kinds without covariance are what they are alone; with it, they are not."""
    cov = np.kron(np.eye(2), COV)
    drawn = [RNG.multivariate_normal(np.full(8, 0.02), cov) for _ in range(2)]
    both = pooled({f"part {i}": made(d[:4], cov, b=d[4:], model="combined") for i, d in enumerate(drawn)})
    alone = pooled({f"part {i}": made(d[:4], COV) for i, d in enumerate(drawn)})
    errors = np.sqrt(np.diag(COV))
    for label, posterior in alone.posteriors.items():
        np.testing.assert_allclose(both.posteriors[label].mean[:4] / errors, posterior.mean / errors, atol=0.02)
        np.testing.assert_allclose(np.diag(both.posteriors[label].cov)[:4], np.diag(posterior.cov), rtol=0.03)
    assert both.same_a == pytest.approx(alone.same_a, abs=0.01)
    # with covariance of a with b, the weights make up for quantiles that each kind took alone
    tied = np.kron([[1.0, 0.8], [0.8, 1.0]], COV[:1, :1])
    values = np.array([[0.02, 0.05], [0.03, -0.03]])
    found = pooled({f"part {i}": made(v[:1], tied, b=v[1:], model="combined") for i, v in enumerate(values)})
    np.testing.assert_allclose(found.posteriors["part 0"].mean / errors[0], _brute(values, tied) / errors[0], atol=0.03)


def _brute(values, cov):
    """Mean of the first part, of one template, summed over all pairs of sizes."""
    total_cov, data = np.kron(np.eye(2), cov), values.ravel()
    cases = [(0.0, 0.5)] + [(v, 0.5 / 8) for v in np.geomspace(0.3, 30.0, 8)]
    grid = [(s, v, p) for s in np.geomspace(0.03, 30.0, 12) for v, p in cases]
    blocks = [np.sqrt(cov[0, 0]) ** 2 * (s**2 + v**2 * np.eye(2)) for s, v, _ in grid]
    weight, mean = 0.0, 0.0
    for of_a, (_, _, p) in zip(blocks, grid, strict=True):
        priors = np.array([np.kron(of_a, np.diag([1.0, 0.0])) + np.kron(of_b, np.diag([0.0, 1.0])) for of_b in blocks])
        inverse = np.linalg.inv(priors + total_cov)
        log = 0.5 * np.linalg.slogdet(inverse)[1] - 0.5 * np.einsum("i,nij,j->n", data, inverse, data)
        here = p * np.array([q for _, _, q in grid]) * np.exp(log)
        weight, mean = weight + here.sum(), mean + np.einsum("n,nij,j->i", here, priors @ inverse, data)
    return (mean / weight)[:2]


Z = np.linspace(0.1, 0.9, 5)


def smooth_truths(rng, shared, varying, length):
    """Amplitudes of four templates in bins of redshift, from the prior with given sizes."""
    kernel = np.exp(-0.5 * ((Z[:, None] - Z) / length) ** 2) + 1e-9 * np.eye(len(Z))
    return shared * rng.normal(size=4) + varying * (np.linalg.cholesky(kernel) @ rng.normal(size=(len(Z), 4)))


def test_smooth_amplitudes_over_redshift_gain_from_their_neighbours():
    """Truths smooth in z, of two errors: smaller mean square errors than without coordinates, and than the fits."""
    scale, losses, lengths = np.sqrt(np.mean(np.diag(COV))), [], []
    for _ in range(40):
        truths = smooth_truths(RNG, 0.0, 2.0 * scale, 0.4)
        results = parts_of(truths)
        with_z = pooled(results, dict(zip(results, Z, strict=True)))
        choices = [[p.posteriors[k].mean for k in results] for p in (with_z, pooled(results))]
        choices.append([fit.a for fit in results.values()])
        losses.append([np.mean((np.array(choice) - truths) ** 2) for choice in choices])
        lengths.append(np.exp(with_z.length_weights @ np.log(with_z.lengths)))
    smooth, exchangeable, separate = np.sqrt(np.mean(losses, axis=0))
    assert smooth < 0.9 * exchangeable < 0.9 * separate
    assert 0.2 < np.median(lengths) < 0.8


def test_intervals_hold_truths_that_follow_the_prior():
    """Sizes and lengths are drawn from the prior; intervals of 68 % hold the truth as often."""
    scale, held = np.exp(0.5 * np.mean(np.log(np.diag(COV)))), []
    for _ in range(150):
        shared, length = scale * np.exp(RNG.uniform(*np.log(RANGE))), np.exp(RNG.uniform(np.log(0.1), np.log(4.0)))
        varying = 0.0 if RNG.random() < 0.5 else scale * np.exp(RNG.uniform(*np.log(VARYING_RANGE)))
        truths = smooth_truths(RNG, shared, varying, length)
        results = parts_of(truths)
        found = pooled(results, dict(zip(results, Z, strict=True))).posteriors
        means, errors = (
            np.array([f(found[k]) for k in results]) for f in (lambda p: p.mean, lambda p: np.sqrt(np.diag(p.cov)))
        )
        held.append(np.mean(np.abs(means - truths) < errors))
    assert np.mean(held) == pytest.approx(0.6827, abs=3.5 * np.std(held) / np.sqrt(len(held)))
    assert np.std(held) / np.sqrt(len(held)) < 0.03


@pytest.mark.parametrize("kind", ["constant", "linear", "smooth"])
def test_amplitudes_to_quote_keep_their_coverage_at_every_size(kind):
    """Truths of none to four errors: intervals of 68 % hold about as many, and are smaller than those of the fits."""
    rng, scale = np.random.default_rng(11), np.sqrt(np.mean(np.diag(COV)))
    t, held, shrunk, width = Z[:, None] - Z.mean(), {}, {}, []
    for size in (0.0, 1.0, 2.0, 4.0):
        for _ in range(40):
            truths = {
                "constant": size * scale * rng.normal(size=(1, 4)) * np.ones((5, 1)),
                "linear": size * scale * (rng.normal(size=(1, 4)) + 2.5 * t * rng.normal(size=(1, 4))),
                "smooth": smooth_truths(rng, 0.0, size * scale, 0.5),
            }[kind]
            fits = [made(rng.multivariate_normal(truth, COV), COV) for truth in truths]
            results = {f"part {i}": fit for i, fit in enumerate(fits)}
            for shrink, found in ((True, shrunk), (False, held)):
                one = pooled(results, dict(zip(results, Z, strict=True)), shrink=shrink).posteriors.values()
                errors = np.array([np.sqrt(np.diag(p.cov)) for p in one])
                found.setdefault(size, []).append(np.mean(np.abs(np.array([p.mean for p in one]) - truths) < errors))
            width.append(np.mean(errors) / scale)
    share, with_shrinkage = (np.array([np.mean(x) for x in found.values()]) for found in (held, shrunk))
    # each with a Monte Carlo error of about .03; truths without variation are held more often
    assert np.all((share - 0.683 > -0.07) & (share - 0.683 < 0.16)), share
    assert np.max(np.abs(with_shrinkage - 0.683)) > 0.1
    assert np.mean(width) < {"constant": 0.6, "linear": 0.75, "smooth": 0.8}[kind]


def test_without_shrinkage_a_shift_of_all_parts_shifts_the_answer():
    results, z = parts_of([[0.0] * 4] * 4), dict(zip((f"part {i}" for i in range(4)), Z, strict=False))
    moved = {k: made(fit.a + 3.0, COV) for k, fit in results.items()}
    one, other = (pooled(some, z, shrink=False) for some in (results, moved))
    for k in results:
        np.testing.assert_allclose(other.posteriors[k].mean, one.posteriors[k].mean + 3.0, rtol=0, atol=1e-3)
    assert np.isnan(one.same_a)
    assert np.isnan(one.same_b)


def test_probability_of_sharing_is_calibrated():
    """Among truths drawn from the prior, parts share their amplitudes as often as is said."""
    scale = np.exp(0.5 * np.mean(np.log(np.diag(COV))))
    stated, shared = [], []
    for _ in range(300):
        s = scale * np.exp(RNG.uniform(np.log(0.03), np.log(30.0)))
        v = 0.0 if RNG.random() < 0.5 else scale * np.exp(RNG.uniform(np.log(0.3), np.log(30.0)))
        truths = s * RNG.normal(size=4) + v * RNG.normal(size=(2, 4))
        stated.append(pooled(parts_of(truths)).same_a)
        shared.append(v == 0)
    stated, shared = np.array(stated), np.array(shared)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (stated >= low) & (stated <= high)
        error = np.sqrt(np.mean(stated[inside] * (1 - stated[inside])) / inside.sum())
        assert np.mean(shared[inside]) == pytest.approx(np.mean(stated[inside]), abs=3.5 * error)
    assert np.sum(inside) > 30


def test_groups_vary_on_their_own():
    """Two regions with bins: the bins of one region do not follow those of the other."""
    z = {"N1": 0.2, "N2": 0.3, "S1": 0.2, "S2": 0.3}
    groups = {label: label[0] for label in z}
    cov, north, south = np.eye(6) * 1e-4, 0.05 * RNG.normal(size=6), 0.05 * RNG.normal(size=6)
    results = {label: made(north if label[0] == "N" else south, cov) for label in z}
    apart, free = pooled(results, z, groups=groups), pooled(results)
    np.testing.assert_allclose(apart.posteriors["N1"].mean, north, atol=0.01)
    # neighbours with the same amplitudes help, and only those of the group
    assert np.trace(apart.posteriors["N1"].cov) < 0.75 * np.trace(free.posteriors["N1"].cov)
    assert apart.same_a < 1e-3
    # without groups, parts at one place cannot differ
    together = pooled(results, z)
    np.testing.assert_allclose(together.posteriors["N1"].mean, together.posteriors["S1"].mean, rtol=1e-6)
    assert len(apart.lengths) == LENGTH_NODES
    assert apart.length_weights.sum() == pytest.approx(1.0)


def test_weights_of_a_part_are_those_of_its_posterior():
    results = parts_of([[0.03, 0.0, -0.02, 0.01]] * 2)
    found = pooled(results)
    fit = found.applied(results)["part 1"]
    np.testing.assert_array_equal(fit.a_mean, found.posteriors["part 1"].mean)
    assert not fit.b_mean.any()
    wanted = undone_contamination(fit.field.delta, fit.templates.values, fit.a_mean, fit.b_mean)
    np.testing.assert_array_equal(fit.random_weights, wanted["random_weights"])
    np.testing.assert_array_equal(fit.cleaned, wanted["cleaned"])
    np.testing.assert_array_equal(fit.a, results["part 1"].a)
    assert fit.shrinkage == "pooled"
    assert fit.posterior() is found.posteriors["part 1"]
    back = Decontamination.from_dict(fit.to_dict())
    np.testing.assert_array_equal(back.posterior().means, fit.posterior().means)


def test_weights_of_b_on_the_floor_are_without_it():
    cov = np.kron([[1.0, 0.5], [0.5, 1.0]], COV)
    held = made(np.full(4, 0.1), cov, b=np.full(4, 0.2), model="combined", on_floor=True)
    free = made(np.full(4, 0.1), cov, b=np.full(4, 0.05), model="combined")
    fits = {"N": held, "S": free}
    weighted = pooled(fits).applied(fits)
    assert not weighted["N"].b_mean.any()
    assert np.all(weighted["N"].galaxy_weights == 1.0)
    assert np.all(weighted["S"].b_mean > 0)
    none = {label: held for label in "NS"}
    assert np.isnan(pooled(none).same_b)


def test_errors_say_what_to_do():
    results = parts_of([[0.0] * 4] * 2)
    curves = made(np.zeros(4), np.kron(np.ones((2, 2)), COV), model="multiplicative")
    with pytest.raises(DataError, match=r"part 2 was fitted by GLS, which finds curves: pool amplitudes of a method"):
        pooled(results | {"part 2": curves})
    with pytest.raises(DataError, match=r"part 2 was fitted with a prior, which would count once for every part"):
        pooled(results | {"part 2": made(np.zeros(4), COV, before=np.zeros(4))})
    with pytest.raises(DataError, match=r"coordinates lack part 1: give one for every part"):
        pooled(results, {"part 0": 0.1})
    with pytest.raises(DataError, match=r"groups lack part 0: give one for every part"):
        pooled(results, {"part 0": 0.1, "part 1": 0.2}, groups={"part 1": "N"})
    with pytest.raises(DataError, match=r"groups came without coordinates, and parts differ independently then"):
        pooled(results, groups={"part 0": "N", "part 1": "N"})
    with pytest.raises(DataError, match=r"coordinates of the parts are \[0.1, 0.1\]: give finite numbers that differ"):
        pooled(results, {"part 0": 0.1, "part 1": 0.1})
    with pytest.raises(DataError, match=r"shrink is False for parts without coordinates: nothing is left to pool"):
        pooled(results, shrink=False)
    with pytest.raises(DataError, match=r"parts are part 0 and pooled ones part 0, part 1: give the same"):
        pooled(results).applied({"part 0": results["part 0"]})
    with pytest.raises(DataError, match=r"weights of GLS follow a curve and not amplitudes: take a method such as GLS"):
        with_posterior(curves, AmplitudePosterior(np.ones(1), np.zeros((1, 4)), COV[None]))
    with pytest.raises(DataError, match=r"posterior has 3 amplitudes for 4 templates of the additive model: give that"):
        with_posterior(results["part 0"], AmplitudePosterior(np.ones(1), np.zeros((1, 3)), COV[None, :3, :3]))
