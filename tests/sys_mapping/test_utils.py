import numpy as np
import pytest

import sysmap_core.sys_mapping.utils as arrays
from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.two_point.estimators import angular_correlation

SEPARATIONS = {"min_sep": 2.0, "max_sep": 60.0, "nbins": 5}


def cap(number, seed, ra=0.0, dec=10.0, radius=3.0):
    """Uniform points around a position, RA below zero included."""
    rng = np.random.default_rng(seed)
    east, north = rng.uniform(-radius, radius, (2, number))
    return ra + east / np.cos(np.radians(dec)), dec + north


@pytest.fixture
def corrfunc():
    pytest.importorskip("Corrfunc", reason="the extra sysmap-core[corrfunc] is not installed")


@pytest.fixture(scope="module")
def templates():
    values = np.random.default_rng(0).standard_normal((3, 500))
    return values - values.mean(1, keepdims=True)


def test_catalogue_function_is_that_of_the_package():
    galaxies, randoms = cap(500, 0), cap(2000, 1)
    theta, w = arrays.measure_two_point_function(*galaxies, *randoms, **SEPARATIONS)
    found = angular_correlation(galaxies, randoms, edges_arcmin=np.geomspace(2.0, 60.0, 6))
    np.testing.assert_allclose(theta, found.theta_mean)
    np.testing.assert_array_equal(w, found.w)


@pytest.mark.parametrize(
    ("unit", "arcmin"), [("arcsec", 1 / 60), ("degrees", 60), ("radians", 60 * 180 / np.pi), ("hours", 900)]
)
def test_units_of_separation(unit, arcmin):
    galaxies, randoms = cap(500, 0), cap(2000, 1)
    theta, w = arrays.measure_two_point_function(*galaxies, *randoms, 2 / arcmin, 60 / arcmin, 5, unit)
    expected = arrays.measure_two_point_function(*galaxies, *randoms, **SEPARATIONS)
    np.testing.assert_allclose(theta * arcmin, expected[0])
    np.testing.assert_allclose(w, expected[1], rtol=1e-10)


def test_default_separations():
    theta, w = arrays.measure_two_point_function(*cap(500, 0), *cap(2000, 1))
    edges = np.geomspace(0.06, 30.0, 16)
    assert np.all((edges[:-1] < theta) & (theta < edges[1:]))
    assert theta[0] == pytest.approx(np.sqrt(edges[0] * edges[1]))
    assert np.isnan(w[0])  # no pair of 500 galaxies is that close


def test_catalogue_function_of_corrfunc(corrfunc):
    galaxies, randoms = cap(500, 0), cap(2000, 1)
    theta, w = arrays.measure_two_point_function_corrfunc(*galaxies, *randoms, **SEPARATIONS, nthreads=1)
    found = angular_correlation(galaxies, randoms, edges_arcmin=np.geomspace(2.0, 60.0, 6), bin_slop=0)
    np.testing.assert_allclose(theta, found.theta_mean, rtol=1e-4)
    np.testing.assert_allclose((w - found.w) / found.poisson_error, 0.0, atol=1e-3)


def field(number, seed):
    rng = np.random.default_rng(seed)
    return *cap(number, seed), rng.standard_normal(number), rng.uniform(0.5, 1, number)


def brute_force(one, two, edges):
    ra, dec, k, w = one
    ra2, dec2, k2, w2 = two
    (x, y, z), (x2, y2, z2) = (_vectors(*p) for p in ((ra, dec), (ra2, dec2)))
    chord = np.sqrt(np.subtract.outer(x, x2) ** 2 + np.subtract.outer(y, y2) ** 2 + np.subtract.outer(z, z2) ** 2)
    theta = 60 * np.degrees(2 * np.arcsin(chord / 2))
    place = np.digitize(theta, edges)
    sums = [np.bincount(place.ravel(), np.outer(*v).ravel(), len(edges) + 1) for v in ((w * k, w2 * k2), (w, w2))]
    return (sums[0] / sums[1])[1:-1]


def _vectors(ra, dec):
    phi, latitude = np.radians(ra), np.radians(dec)
    return np.cos(latitude) * np.cos(phi), np.cos(latitude) * np.sin(phi), np.sin(latitude)


@pytest.mark.parametrize("name", ["treecorr", "corrfunc"])
def test_values_at_positions(name, request):
    if name == "corrfunc":
        request.getfixturevalue("corrfunc")
    measure = getattr(arrays, f"measure_kk_correlation_{name}")
    exact = {"bin_slop": 0.0} if name == "treecorr" else {"nthreads": 1}
    one, two, edges = field(300, 0), field(400, 1), np.geomspace(2.0, 60.0, 6)
    theta, xi = measure(*one, **SEPARATIONS, **exact)
    assert np.all((edges[:-1] < theta) & (theta < edges[1:]))
    assert np.all(theta > np.sqrt(edges[1:] * edges[:-1]))  # more pairs at large separations
    np.testing.assert_allclose(xi, brute_force(one, one, edges), atol=1e-6)
    second = dict(zip(("ra2", "dec2", "k2", "w2"), two, strict=True))
    _, xi = measure(*one, **second, **SEPARATIONS, **exact)
    np.testing.assert_allclose(xi, brute_force(one, two, edges), atol=1e-6)
    _, plain = measure(*one[:3], **SEPARATIONS, **exact)
    ones = (*one[:3], np.ones(300))
    np.testing.assert_allclose(plain, brute_force(ones, ones, edges), atol=1e-6)
    far = {"min_sep": 1000.0, "max_sep": 2000.0, "nbins": 3}
    theta, xi = measure(*one, **far, **exact)
    assert np.isnan(xi).all()
    assert np.all((theta > 1000) & (theta < 2000))


def test_covariance_of_templates(templates):
    cov = arrays.compute_covariance_matrix(templates)
    np.testing.assert_allclose(cov, np.cov(templates, bias=True))
    with pytest.raises(DataError, match=r"delta_t has shape \(500,\) and 0 values that are not finite"):
        arrays.compute_covariance_matrix(templates[0])
    with pytest.raises(DataError, match=r"shape \(3, 500\) and 1 values that are not finite"):
        arrays.compute_covariance_matrix(np.where(np.arange(500) == 3, [[np.nan], [0], [0]], templates))


def test_amplitude_bias_is_the_variance_that_contamination_adds(templates):
    cov = arrays.compute_covariance_matrix(templates)
    a, b = np.array([0.1, -0.2, 0.3]), np.array([0.3, 0.1, 0.0])
    full = arrays.compute_amplitude_bias(np.outer(a, a), np.outer(b, b), cov)
    np.testing.assert_allclose(full, [np.var(a @ templates), 1.0 + np.var(b @ templates)])
    diagonal = arrays.compute_amplitude_bias(a**2, b**2, cov)
    np.testing.assert_allclose(diagonal, [a**2 @ np.diag(cov), 1.0 + b**2 @ np.diag(cov)])
    assert all(isinstance(x, float) for x in full + diagonal)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda f: f.measure_two_point_function(*cap(5, 0), *cap(9, 1), sep_units="degree"),
            ParameterError,
            "did you mean",
        ),
        (
            lambda f: f.measure_two_point_function(*cap(5, 0), *cap(9, 1), min_sep=0.0),
            DataError,
            "min_sep is 0.0, max_sep",
        ),
        (lambda f: f.measure_two_point_function(*cap(5, 0), *cap(9, 1), nbins=0), DataError, "nbins 0: take"),
        (lambda f: f.measure_two_point_function(*cap(9, 0), *cap(5, 1)), DataError, "5 randoms for 9 galaxies"),
        (lambda f: f.measure_kk_correlation_treecorr(*cap(5, 0), np.ones(4)), DataError, r"k has shape \(4,\) and 0"),
        (
            lambda f: f.measure_kk_correlation_treecorr(*cap(5, 0), [1, 2, 3, 4, np.nan]),
            DataError,
            "1 values that are not",
        ),
        (
            lambda f: f.measure_kk_correlation_treecorr(*cap(5, 0), np.ones(5), ra2=np.ones(5)),
            DataError,
            "some are missing",
        ),
        (
            lambda f: f.measure_kk_correlation_treecorr(*cap(5, 0), np.ones(5), w2=np.ones(5)),
            DataError,
            "some are missing",
        ),
        (
            lambda f: f.measure_kk_correlation_treecorr(*cap(5, 0), np.ones(5), -np.ones(5)),
            DataError,
            "a negative weight",
        ),
        (
            lambda f: f.measure_kk_correlation_treecorr(*cap(5, 0), np.ones(5), bin_slop=1.0),
            DataError,
            "bin_slop is 1.0",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(arrays)


@pytest.mark.parametrize("name", ["measure_two_point_function_corrfunc", "measure_kk_correlation_corrfunc"])
def test_corrfunc_that_is_not_installed(monkeypatch, name):
    monkeypatch.setitem(__import__("sys").modules, "Corrfunc.mocks", None)
    arguments = (*cap(5, 0), *cap(9, 1)) if "two_point" in name else (*cap(5, 0), np.ones(5))
    with pytest.raises(MissingDataError, match="Corrfunc is not installed"):
        getattr(arrays, name)(*arguments)
