import sys
from itertools import pairwise

import numpy as np
import pytest

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.two_point.bins import angular_bins
from sysmap_core.two_point.pair_counts import ENGINES, count_pairs, random_counts, random_key, tree_options
from sysmap_core.two_point.points import Points, check_points


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "corrfunc":
        pytest.importorskip("Corrfunc", reason="the extra sysmap-core[corrfunc] is not installed")
    return request.param


def cap(number, seed, ra=0.0, dec=10.0, radius=3.0):
    """Uniform points around a position, RA below zero included."""
    rng = np.random.default_rng(seed)
    east, north = rng.uniform(-radius, radius, (2, number))
    return ra + east / np.cos(np.radians(dec)), dec + north


def vectors(ra, dec):
    phi, latitude = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(latitude) * np.cos(phi), np.cos(latitude) * np.sin(phi), np.sin(latitude)], -1)


def brute_force(first, second, edges, weights):
    """Counts and sums of weights from all separations, with chords for accuracy at small ones."""
    one, other = vectors(*first), vectors(*second)
    chord = np.linalg.norm(one[:, None] - other[None], axis=-1)
    theta = 60 * np.degrees(2 * np.arcsin(0.5 * chord))
    product = np.outer(*weights)
    inside = [(theta >= low) & (theta < high) for low, high in pairwise(edges)]
    means = [[theta[b].mean(), np.average(theta[b], weights=product[b])] for b in inside]
    return np.array([[b.sum(), product[b].sum(), *m] for b, m in zip(inside, means, strict=True)]).T


EDGES = np.geomspace(2.0, 200.0, 6)


def test_counts_between_catalogues_equal_all_separations(engine):
    galaxies, randoms = cap(300, 0), cap(500, 1)
    weights = np.random.default_rng(2).uniform(0.5, 2, 300), np.random.default_rng(3).uniform(0.5, 2, 500)
    first, second = check_points("g", galaxies, weights[0]), check_points("r", randoms, weights[1])
    counts = count_pairs(first, second, bins=angular_bins(EDGES), engine=engine, bin_slop=0)
    pairs, weight, *mean = brute_force(galaxies, randoms, EDGES, weights)
    np.testing.assert_array_equal(counts.pairs, pairs)
    np.testing.assert_allclose(counts.weight, weight, rtol=1e-7)  # TreeCorr adds weights in single precision
    np.testing.assert_allclose(counts.mean, mean[engine == "treecorr"], rtol=0.002)
    assert counts.total == pytest.approx(weights[0].sum() * weights[1].sum())


@pytest.mark.parametrize("edges", [EDGES, np.linspace(0, 120, 5), np.geomspace(0.05, 0.5, 4)])
def test_pairs_of_one_catalogue_count_once_and_without_themselves(engine, edges):
    radius = 3.0 if edges[-1] > 1 else 0.01
    galaxies = cap(300, 0, radius=radius)
    weights = np.random.default_rng(2).uniform(0.5, 2, 300)
    counts = count_pairs(check_points("g", galaxies, weights), bins=angular_bins(edges), engine=engine, bin_slop=0)
    pairs, weight, *mean = brute_force(galaxies, galaxies, edges, (weights, weights))
    if edges[0] == 0:  # every object with itself is at zero
        mean[0][0] *= pairs[0] / (pairs[0] - 300)
        mean[1][0] *= weight[0] / (weight[0] - np.sum(weights**2))
        pairs[0], weight[0] = pairs[0] - 300, weight[0] - np.sum(weights**2)
    np.testing.assert_array_equal(counts.pairs, pairs / 2)
    np.testing.assert_allclose(counts.weight, weight / 2, rtol=1e-7)
    np.testing.assert_allclose(counts.mean, mean[engine == "treecorr"], rtol=0.002)
    assert counts.total == pytest.approx(weights.sum() ** 2 / 2)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 10.0), (180.0, 0.0), (30.0, 86.0), (200.0, -86.0)])
def test_right_ascension_wraps(engine, ra, dec):
    """Around RA 0 and near the poles, in whatever range RA comes."""
    galaxies = cap(400, 0, ra, dec)
    bins = angular_bins(EDGES)
    pairs, *_ = brute_force(galaxies, galaxies, EDGES, np.ones((2, 400)))
    for turned in (galaxies[0], np.mod(galaxies[0], 360), galaxies[0] - 360):
        counts = count_pairs(check_points("g", (turned, galaxies[1])), bins=bins, engine=engine, bin_slop=0)
        np.testing.assert_array_equal(counts.pairs, pairs / 2)


def test_input_arrays_stay_as_they_are(engine):
    ra, dec = cap(100, 0)
    before = ra.copy(), dec.copy()
    count_pairs(check_points("g", (ra, dec)), bins=angular_bins(EDGES), engine=engine)
    np.testing.assert_array_equal((ra, dec), before)


def test_empty_bins_have_no_mean_separation(engine):
    counts = count_pairs(check_points("g", cap(50, 0)), bins=angular_bins(np.geomspace(3000, 6000, 4)), engine=engine)
    np.testing.assert_array_equal(counts.pairs, 0)
    assert np.isnan(counts.mean).all()


def test_pairs_of_randoms_know_what_was_counted():
    randoms = check_points("r", cap(200, 20))
    how = {"bins": angular_bins(EDGES), "engine": "treecorr", "bin_slop": 0.0}
    first = random_counts(randoms, **how)
    weighted = random_counts(check_points("r", cap(200, 20), np.full(200, 3.0)), **how)
    np.testing.assert_array_equal(weighted.pairs, first.pairs)
    np.testing.assert_allclose(weighted.weight, 9.0 * first.weight)
    others = [
        (check_points("r", cap(200, 20), np.full(200, 3.0)), how),
        (check_points("r", cap(200, 20), np.full(200, 2.0)), how),
        (check_points("r", cap(200, 21)), how),
        (randoms, how | {"bins": angular_bins(2 * EDGES)}),
        (randoms, how | {"bin_slop": 0.01}),
        (Points(randoms.ra, randoms.dec, None, np.arange(200) % 2), how),
        (Points(randoms.ra, randoms.dec, None, np.arange(200) // 100), how),
    ]
    keys = {first.key} | {random_counts(points, **options).key for points, options in others}
    assert len(keys) == 8
    assert random_key(randoms, **how | {"engine": "corrfunc"}) not in keys


@pytest.mark.parametrize("bin_slop", [0.5, -0.1, np.nan])
def test_tolerance_of_the_bins(bin_slop):
    with pytest.raises(DataError, match=f"bin_slop is {bin_slop}: take 0.05 or less"):
        tree_options(angular_bins(EDGES), bin_slop)


@pytest.mark.parametrize("edges", [np.geomspace(0.01, 100, 3), np.linspace(0, 600, 3), EDGES])
def test_treecorr_has_nothing_to_complain_of(edges, caplog):
    count_pairs(check_points("g", cap(20, 0)), bins=angular_bins(edges))
    assert not caplog.records


def test_unknown_engine():
    with pytest.raises(ParameterError, match="unknown engine 'corfunc': did you mean 'corrfunc'"):
        count_pairs(check_points("g", cap(10, 0)), bins=angular_bins(EDGES), engine="corfunc")


def test_corrfunc_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "Corrfunc.mocks", None)
    with pytest.raises(MissingDataError, match=r"Corrfunc is not installed: pip install 'sysmap-core\[corrfunc\]'"):
        count_pairs(check_points("g", cap(10, 0)), bins=angular_bins(EDGES), engine="corrfunc")
