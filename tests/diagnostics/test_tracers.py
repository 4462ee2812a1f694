import healpy as hp
import numpy as np
import pytest
from scipy.stats import spearmanr
from skies import ClusteredSky
from threadpoolctl import threadpool_limits

from sysmap_core.diagnostics.tracers import comparable, rank_correlations
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.templates.synthetic import synthetic_maps

NSIDE = 8

N_FIELDS = 50

N_DRAWN = 39

NAMES = ("white_noise", "power_neg1", "power_neg2")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Transforms of small maps take far longer with more threads than there are free cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=NSIDE, rms=0.4, nbar=60.0)


@pytest.fixture(scope="module")
def maps():
    """Templates of the full sky that know nothing about the fields."""
    return synthetic_maps(NSIDE, NAMES, np.random.default_rng(5))


@pytest.fixture(scope="module")
def clean(sky, maps):
    """Comparisons of the templates with tracers that they have nothing to do with."""
    return [rank_correlations(sky.field(s), maps, NAMES, n_realisations=N_DRAWN, seed=s) for s in range(N_FIELDS)]


def without_cell_means(values, pixels):
    """Written out: cells are the pixels of a resolution four times lower."""
    cells = hp.vec2pix(NSIDE // 4, *hp.pix2vec(NSIDE, pixels))
    return values - np.array([values[cells == c].mean() for c in cells])


def test_values_are_those_of_scipy(sky, maps):
    """On the pixels that each template shares with the tracer, with and without the means of cells."""
    field, holed = sky.field(0), maps.copy()
    holed[1, : holed.shape[1] // 3] = np.nan
    holed[2, -100:] = hp.UNSEEN
    found = rank_correlations(field, holed, NAMES, n_realisations=20)
    for i, row in enumerate(holed[:, field.pixels]):
        shared = np.isfinite(row) & (row != hp.UNSEEN)
        assert found.n_pix[i] == shared.sum()
        wanted = spearmanr(row[shared], field.delta[shared])
        assert found.values[i, 0] == pytest.approx(wanted.statistic, abs=1e-12)
        assert found.p_iid[i, 0] == pytest.approx(wanted.pvalue, rel=1e-6)
        small = [without_cell_means(x[shared], field.pixels[shared]) for x in (row, field.delta)]
        assert found.values[i, 1] == pytest.approx(spearmanr(*small).statistic, abs=2e-3)
    assert found.n_pix[0] == field.n_pix
    assert np.all(found.n_pix[1:] < field.n_pix)


def test_p_is_uniform_for_templates_that_know_nothing(clean):
    """Means of p within their Monte Carlo error, for every template on both scales."""
    p, family = np.array([c.p for c in clean]), np.array([c.family_p.min() for c in clean])
    expected = 0.5 * (1 + 1 / (1 + N_DRAWN))
    assert np.all(np.abs(p.mean(0) - expected) < 3.5 * np.sqrt(1 / 12 / N_FIELDS)), p.mean(0)
    assert abs(family.mean() - expected) < 3.5 * np.sqrt(1 / 12 / N_FIELDS)
    z = np.array([c.values / c.errors for c in clean])
    # Student's t, as each error comes from few realisations
    width, kurtosis = np.sqrt(N_DRAWN / (N_DRAWN - 2)), 3 + 6 / (N_DRAWN - 4)
    assert np.all(np.abs(z.std(0) / width - 1.0) < 3.5 * np.sqrt((kurtosis - 1) / (4 * N_FIELDS)))


def test_independent_pixels_find_structure_in_smooth_maps(clean):
    """What the calibrated p is needed for."""
    rate = np.mean([c.p_iid[:, 0] < 0.05 for c in clean], axis=0)
    assert rate[2] > 0.05 + 5 * np.sqrt(0.05 * 0.95 / N_FIELDS)


def test_a_leak_is_seen_best_on_small_scales():
    """A smooth map with a tenth of its variance from the galaxies."""
    sky = ClusteredSky(nside=16, rms=0.4, nbar=60.0)
    field = sky.field(3)
    smooth = synthetic_maps(16, ["power_neg2"], np.random.default_rng(1))[0]
    smooth /= smooth[sky.pixels].std()
    leaky = smooth + 0.33 * sky.coverage * field.full_sky(field.delta / field.delta.std(), 0.0)
    found = rank_correlations(field, np.array([smooth, leaky]), ("smooth", "leaky"), n_realisations=60)
    z = found.values / found.errors
    assert np.all(found.family_p[0] > 0.05)
    assert found.family_p[1, 1] == found.p[1, 1] == found.floor == pytest.approx(1 / 61)
    assert z[1, 1] > 5
    assert z[1, 1] > 2 * z[1, 0]


def test_ranks_know_no_scale(sky, maps):
    """On all scales any increasing function of a template is the same template."""
    field, options = sky.field(1), {"n_realisations": 20, "seed": 4}
    one = rank_correlations(field, maps, NAMES, **options)
    other = rank_correlations(field, np.exp(2 * maps / maps.std()), NAMES, **options)
    np.testing.assert_allclose(other.values[:, 0], one.values[:, 0], atol=1e-12)
    np.testing.assert_allclose(other.errors[:, 0], one.errors[:, 0], rtol=1e-9)
    linear = rank_correlations(field, 3.0 - 7.0 * maps, NAMES, **options)
    np.testing.assert_allclose(linear.values, -one.values, atol=1e-3)


def test_order_and_seed(sky, maps):
    field = sky.field(2)
    one, again, other = (rank_correlations(field, maps, NAMES, n_realisations=20, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.errors, again.errors)
    assert np.any(one.errors != other.errors)
    turned = rank_correlations(field, maps[::-1], NAMES[::-1], n_realisations=20, seed=1)
    np.testing.assert_allclose(turned.values[::-1], one.values, atol=1e-12)
    np.testing.assert_allclose(turned.p[::-1], one.p)


def test_a_map_that_is_constant_in_cells(sky, maps):
    """It has no small scales: nothing is found there, and rounding errors are not ranked."""
    cells = hp.vec2pix(NSIDE // 4, *hp.pix2vec(NSIDE, np.arange(hp.nside2npix(NSIDE))))
    coarse = 1e3 + np.random.default_rng(0).standard_normal(hp.nside2npix(NSIDE // 4))[cells]
    found = rank_correlations(sky.field(0), np.array([maps[0], coarse]), ("white", "coarse"), n_realisations=20)
    assert found.values[1, 1] == found.errors[1, 1] == 0.0
    assert found.p[1, 1] == found.family_p[1, 1] == 1.0
    assert found.errors[1, 0] > 0


def test_what_can_be_compared(sky, maps):
    field, some = sky.field(0), maps.copy()
    some[0] = 4.0
    some[1, field.pixels[49:]] = np.nan
    np.testing.assert_array_equal(comparable(field, some), [False, False, True])
    some[1, field.pixels[49]] = 1.0
    assert comparable(field, some)[1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"names": NAMES[:2]}, DataError, r"maps have shape \(3, 768\) for 2 names"),
        ({"maps": np.ones((3, 7))}, DataError, r"maps have shape \(3, 7\) for 3 names"),
        (
            {"maps": np.ones((3, 768))},
            DataError,
            "template white_noise and the tracer share [0-9]+ pixels, or it does not",
        ),
        ({"n_realisations": 19}, ParameterError, "n_realisations is 19: give at least 20"),
    ],
)
def test_bad_input(sky, maps, change, error, message):
    given = {"maps": maps, "names": NAMES, "n_realisations": 20} | change
    with pytest.raises(error, match=message):
        rank_correlations(sky.field(0), **given)


def test_another_resolution(sky, maps):
    field = sky.field(0)
    with pytest.raises(DataError, match="the tracer has NSIDE 16 and the maps 8: bring both to one"):
        rank_correlations(Field(field.delta, field.expected, Footprint(field.pixels, 16)), maps, NAMES)
