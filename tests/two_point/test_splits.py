import numpy as np
import pytest
from scipy.stats import chi2, kstest

from sysmap_core.errors import DataError
from sysmap_core.two_point.correlation import Correlation
from sysmap_core.two_point.splits import consistency, split_consistency

EDGES = np.geomspace(30, 240, 4)


def points(number, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 20, number), np.degrees(np.arcsin(rng.uniform(0, 0.3, number)))


def measured(w, cov, n_patches=None, edges=None):
    edges = np.geomspace(1, 10, len(w) + 1) if edges is None else edges
    facts = {} if n_patches is None else {"n_patches": n_patches}
    return Correlation(edges, edges[1:], edges[1:], np.asarray(w, float), cov, np.ones(len(w)), "test", metadata=facts)


def test_known_difference():
    cov = np.array([[2.0, 0.5], [0.5, 1.0]])
    one, other = measured([1.0, 2.0], cov), measured([0.0, 3.0], 2 * cov)
    found = consistency(one, other)
    np.testing.assert_allclose(found.difference, [1.0, -1.0])
    np.testing.assert_allclose(found.cov, 3 * cov)
    expected = np.array([1.0, -1.0]) @ np.linalg.inv(3 * cov) @ [1.0, -1.0]
    assert found.chi2 == pytest.approx(expected)
    assert (found.dof, found.p) == (2, pytest.approx(chi2.sf(expected, 2)))


def test_bins_without_a_measurement_are_left_out():
    cov = np.diag([1.0, np.nan, 2.0])
    cov[1] = cov[:, 1] = np.nan
    found = consistency(measured([1.0, np.nan, 2.0], cov), measured([0.0, 1.0, 2.0], np.eye(3)))
    assert (found.dof, found.chi2) == (2, pytest.approx(0.5))


def test_p_of_estimated_covariances_is_even():
    """Jackknife covariances of normal patches: the chi-squared distribution would reject several times too often."""
    rng, n, m = np.random.default_rng(0), 10, 4
    exact, naive = [], []
    for _ in range(2000):
        halves = []
        for _ in range(2):
            values = rng.standard_normal((n, m))
            halves.append(measured(values.mean(0), np.cov(values.T) / n, n))
        found = consistency(*halves)
        exact.append(found.p)
        naive.append(chi2.sf(found.chi2, m))
    assert kstest(exact, "uniform").pvalue > 0.01
    assert np.mean(np.array(naive) < 0.05) > 0.08


def test_halves_of_one_sky_agree_and_of_two_do_not():
    galaxies, randoms = points(900, 0), points(5_000, 1)
    options = {"edges_arcmin": np.geomspace(4, 40, 3), "patches": 8}
    same, north, south = split_consistency(galaxies, randoms, **options)
    assert same.p > 0.01
    assert same.dof == 2
    np.testing.assert_allclose(same.difference, north.w - south.w)
    np.testing.assert_allclose(same.cov, north.cov + south.cov)
    border = np.median(randoms[1])
    assert north.metadata["n_galaxies"] == np.sum(galaxies[1] > border)
    # groups of galaxies in the north only
    groups, rng = np.tile(np.flatnonzero(galaxies[1] > border), 3), np.random.default_rng(2)
    close = [np.concatenate([x, x[groups] + rng.normal(0, 0.1, len(groups))]) for x in galaxies]
    different, north, south = split_consistency(close, randoms, **options)
    assert different.p < 1e-4
    assert north.w[0] > south.w[0] + 1


def test_any_two_parts():
    galaxies, randoms = points(1_000, 0), points(4_000, 1)
    weights = np.random.default_rng(3).uniform(0.5, 1.5, 1_000)
    _, west, east = split_consistency(
        galaxies,
        randoms,
        galaxies_first=galaxies[0] < 10,
        randoms_first=randoms[0] < 10,
        galaxy_weights=weights,
        edges_arcmin=EDGES,
        patches=8,
    )
    assert west.metadata["sum_galaxy_weights"] == pytest.approx(weights[galaxies[0] < 10].sum())
    assert east.metadata["n_randoms"] == np.sum(randoms[0] >= 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cov": None}, "has no covariance: measure both with covariance='jackknife'"),
        ({"edges": np.geomspace(1, 11, 4)}, "the bins differ"),
        ({"w": [np.nan] * 3}, "no bin has a measurement in both parts"),
        ({"n_patches": 3}, "3 bins and 3 patches: the covariance has no inverse"),
    ],
)
def test_correlations_that_cannot_be_compared(change, message):
    good = {"w": [1.0, 2.0, 3.0], "cov": np.eye(3), "n_patches": 20}
    with pytest.raises(DataError, match=message):
        consistency(measured(**good), measured(**(good | change)))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"galaxies_first": np.ones(100, bool)}, "one of galaxies_first and randoms_first is missing"),
        ({"galaxies_first": np.ones(3, bool), "randoms_first": np.ones(500, bool)}, "3 flags came for 100 objects"),
        ({"galaxies_first": np.ones(100, bool), "randoms_first": np.ones(500, bool)}, "galaxies have 0 RA"),
    ],
)
def test_bad_parts(flags, message):
    with pytest.raises(DataError, match=message):
        split_consistency(points(100, 0), points(500, 1), edges_arcmin=EDGES, patches=4, **flags)
