from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from scipy.cluster.hierarchy import average
from scipy.spatial.distance import squareform
from scipy.stats import norm, spearmanr
from skies import ClusteredSky
from threadpoolctl import threadpool_limits

from sysmap_core.diagnostics.ranking import leverage
from sysmap_core.diagnostics.template_report import Limits, examine
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.samples.lrg import read_lrg_pixels
from sysmap_core.sky.field import footprint
from sysmap_core.templates.synthetic import synthetic_maps
from sysmap_core.templates.template_set import standardise

NSIDE = 16

N_FULL = hp.nside2npix(NSIDE)

PIXELS = np.arange(200, N_FULL - 600)

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Transforms of small maps take far longer with more threads than there are free cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def white():
    return np.random.default_rng(3).standard_normal((3, N_FULL))


def shape_of(values, **options):
    """Shape of one template, given on the footprint, beside a healthy one."""
    maps = np.random.default_rng(9).standard_normal((2, N_FULL))
    maps[0, PIXELS] = values
    return examine(maps, ("sick", "healthy"), PIXELS, **options).shapes[0]


def findings(values, **options):
    maps = np.random.default_rng(9).standard_normal((2, N_FULL))
    maps[0, PIXELS] = values
    return examine(maps, ("sick", "healthy"), PIXELS, **options).findings["sick"]


def test_healthy_templates(white):
    report = examine(white, NAMES, PIXELS)
    assert report.findings == {name: {} for name in NAMES}
    assert report.advice == dict.fromkeys(NAMES, "use")
    assert report.tracer is None
    np.testing.assert_array_equal(report.pixels, PIXELS)
    assert report.relations.groups == ()


def test_shape_of_known_distributions():
    """Quantiles of the normal and of the exponential distribution."""
    share = (np.arange(PIXELS.size) + 0.5) / PIXELS.size
    normal = shape_of(norm.ppf(share))
    assert normal.skewness == pytest.approx(0, abs=1e-10)
    assert normal.kurtosis == pytest.approx(0, abs=0.05)
    assert np.isnan(normal.log_skewness)
    # half of the variance lies beyond x with x phi(x) + Q(x) = 1/4
    x = 1.5382
    assert x * norm.pdf(x) + norm.sf(x) == pytest.approx(0.25, abs=1e-4)
    assert normal.n_half / PIXELS.size == pytest.approx(2 * norm.sf(x), rel=0.02)
    # a quantile of n values is known to half a value
    step = 2 * 0.5 / PIXELS.size / norm.pdf(norm.ppf(0.99))
    assert normal.support == pytest.approx((-2 * norm.ppf(0.99), 2 * norm.ppf(0.99)), abs=step)
    assert normal.n_tail == normal.tail == 0
    exponential = shape_of(-np.log(share))
    assert exponential.skewness == pytest.approx(2.0, abs=0.1)
    assert exponential.log_skewness == pytest.approx(-1.14, abs=0.02)
    assert exponential.largest == pytest.approx(-np.log(share[0]) - 1, rel=0.02)


def test_shape_knows_no_unit(white):
    """Skewness changes its sign with the template, nothing else does."""
    one, other = shape_of(white[0, PIXELS]), shape_of(5.0 - 3.0 * white[0, PIXELS])
    assert other.skewness == pytest.approx(-one.skewness)
    for name in ("kurtosis", "largest", "n_half", "n_tail", "tail"):
        assert getattr(other, name) == pytest.approx(getattr(one, name)), name
    assert other.support == pytest.approx((5.0 - 3.0 * one.support[1], 5.0 - 3.0 * one.support[0]))


def test_spikes(white):
    """Ten pixels with three quarters of the variance, and the objects in them."""
    values = white[0, PIXELS].copy()
    spikes = np.arange(10) * 50
    values[spikes] = np.sqrt(3 * PIXELS.size / 10) * np.linspace(0.99, 1.01, 10)
    counts = np.ones(N_FULL)
    counts[PIXELS[spikes]] = 21
    shape = shape_of(values, objects={"galaxies": counts, "area": np.ones(N_FULL)})
    assert shape.n_tail == 10
    assert shape.tail == pytest.approx(0.75, abs=0.02)
    assert shape.n_half == 7
    assert shape.objects["galaxies"] == pytest.approx(210 / (PIXELS.size + 200))
    assert shape.objects["area"] == pytest.approx(10 / PIXELS.size)
    text = findings(values)["tail"]
    assert text.startswith("10 pixels outside its support carry 7")
    assert "tail" not in findings(values, limits=Limits(tail=0.8))


def test_a_logarithm_that_heals(white):
    values = np.exp(1.0 * white[0, PIXELS])
    found = findings(values)
    assert set(found) == {"skewed"}
    assert "of its logarithm -0." in found["skewed"] or "of its logarithm 0." in found["skewed"]
    assert findings(np.log(values)) == {}
    # negative values have no logarithm
    assert "test its square" in findings(values - 1.0, limits=Limits(tail=0.9))["skewed"]


def test_coverage(white):
    """What is missing, and what comes back without a template."""
    maps = white.copy()
    maps[0, PIXELS[:100]] = np.nan
    maps[1, PIXELS[60:70]] = hp.UNSEEN
    counts = np.where(np.isin(np.arange(N_FULL), PIXELS[:100]), 2.0, 1.0)
    report = examine(maps, NAMES, PIXELS, objects={"galaxies": counts})
    assert [s.missing for s in report.shapes] == [100, 10, 0]
    assert [s.missing_alone for s in report.shapes] == [90, 0, 0]
    assert report.shapes[0].covered == pytest.approx(1 - 100 / PIXELS.size)
    assert report.shapes[0].objects["galaxies"] == pytest.approx(200 / (PIXELS.size + 100))
    np.testing.assert_array_equal(report.pixels, PIXELS[100:])
    assert "leave it out, or give up 100 pixels (90 for it alone)" in report.findings["one"]["coverage"]
    assert report.findings["two"] == {"holes": "has no value in 10 pixels: drop them from the footprint"}
    assert report.findings["three"] == {}


@pytest.mark.parametrize(("depth", "sentinel"), [(24.0, 0.0), (24.0, 30.0), (1.2, -99.0)])
def test_sentinels(white, depth, sentinel):
    values = depth + 0.3 * white[0, PIXELS]
    values[[3, 70, 400]] = sentinel
    shape, found = shape_of(values), findings(values)
    assert (shape.sentinel, shape.n_sentinel) == (sentinel, 3)
    assert found == {"sentinel": f"3 pixels are {sentinel:g}, far from all others: mask them"}


def test_no_sentinels(white):
    """Counts repeat, and single pixels are far from all others."""
    counts = np.random.default_rng(1).poisson(3.0, PIXELS.size).astype(float)
    spike = white[0, PIXELS].copy()
    spike[5] = 40.0
    halves = np.where(PIXELS > 1000, 1.0, 0.0)
    for values in (counts, spike, halves):
        assert np.isnan(shape_of(values).sentinel)
        assert shape_of(values).n_sentinel == 0


def test_near_duplicates_in_value_or_in_rank(white):
    """A noisy copy upside down, and the same on another scale; the one that covers most and is least skewed first."""
    noise = np.random.default_rng(8).standard_normal(N_FULL)
    maps = np.vstack([white, -white[0] + 0.2 * noise, np.exp(2 * white[1])])
    maps[0, PIXELS[:5]] = np.nan
    report = examine(maps, (*NAMES, "upside down", "exponential"), PIXELS)
    assert set(report.relations.groups) == {("upside down", "one"), ("two", "exponential")}
    assert "near duplicate of upside down (r = -0.98" in report.findings["one"]["duplicate"]
    assert "near duplicate of two" in report.findings["exponential"]["duplicate"]
    assert "of ranks 1.000" in report.findings["exponential"]["duplicate"]
    assert report.findings["upside down"] == report.findings["two"] == {}
    tolerant = examine(maps, (*NAMES, "upside down", "exponential"), PIXELS, limits=Limits(duplicate=0.99))
    assert tolerant.relations.groups == (("two", "exponential"),)
    assert "inflated" in tolerant.findings["one"]


def test_correlations_and_tree_written_out(white):
    """Each pair where both have a value."""
    maps = white.copy()
    maps[1] += 0.7 * maps[0]
    maps[0, PIXELS[:300]] = np.nan
    maps[2, PIXELS[200:600]] = hp.UNSEEN
    found = examine(maps, NAMES, PIXELS).relations
    distance = np.zeros((3, 3))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        x, y = maps[i, PIXELS], maps[j, PIXELS]
        both = np.isfinite(x) & np.isfinite(y) & (x > -1e9) & (y > -1e9)
        pearson, spearman = np.corrcoef(x[both], y[both])[0, 1], spearmanr(x[both], y[both]).statistic
        assert found.pearson[i, j] == found.pearson[j, i] == pytest.approx(pearson)
        assert found.spearman[i, j] == found.spearman[j, i] == pytest.approx(spearman)
        distance[i, j] = distance[j, i] = 1 - max(abs(pearson), abs(spearman))
    np.testing.assert_allclose(found.linkage, average(squareform(distance)), rtol=1e-9)


def test_variance_inflation(white):
    """The diagonal of the inverse correlation matrix."""
    maps = white.copy()
    maps[2] = 0.8 * maps[0] - 0.5 * maps[1] + 0.2 * maps[2]
    report = examine(maps, NAMES, PIXELS)
    np.testing.assert_allclose(
        report.relations.inflation, np.diag(np.linalg.inv(np.corrcoef(maps[:, PIXELS]))), rtol=1e-9
    )
    assert report.relations.groups == ()
    share = 100 * (1 - 1 / report.relations.inflation[2])
    assert report.findings["three"] == {
        "inflated": f"the others predict {share:.0f} % of its variance: do not read its amplitude alone"
    }


def test_linear_combinations(white):
    """They are named, and leverage is that of the fit without them."""
    maps = np.vstack([white, white[0] - 2 * white[1]])
    report = examine(maps, (*NAMES, "sum"), PIXELS)
    assert np.all(np.isinf(report.relations.inflation[[0, 1, 3]]))
    assert report.relations.inflation[2] == pytest.approx(1.0, abs=0.01)
    assert [n for n in report.names if "combination" in report.findings[n]] == ["one", "two", "sum"]
    wanted = leverage(standardise(white, NAMES, PIXELS))
    np.testing.assert_allclose(report.leverage.values, wanted.values, rtol=1e-9)
    assert report.leverage.mean == pytest.approx(3 / PIXELS.size)


def test_what_is_constant_or_empty_is_left_out(white):
    maps = np.vstack([white, np.full(N_FULL, 7.0), np.full(N_FULL, hp.UNSEEN)])
    report = examine(maps, (*NAMES, "constant", "empty"), PIXELS)
    assert report.findings["constant"] == {"constant": "is constant on the footprint: leave it out"}
    assert report.findings["empty"] == {"constant": "has no value on the footprint: leave it out"}
    assert report.relations.names == NAMES
    alone = examine(white, NAMES, PIXELS)
    np.testing.assert_array_equal(report.pixels, alone.pixels)
    np.testing.assert_allclose(report.leverage.values, alone.leverage.values)
    assert np.isnan(report.shapes[3].largest)
    assert report.shapes[3].covered == 1.0
    assert report.shapes[4].covered == 0.0
    assert report.shapes[4].missing == PIXELS.size


def test_templates_in_another_order(white):
    maps = np.vstack([white, white[0] + 0.1 * white[1]])
    maps[3, PIXELS[7]] = np.nan  # covers less, so it is the one to leave out in any order
    names, order = (*NAMES, "copy"), [3, 1, 0, 2]
    one = examine(maps, names, PIXELS)
    other = examine(maps[order], [names[i] for i in order], PIXELS)
    assert {n: set(f) for n, f in one.findings.items()} == {n: set(f) for n, f in other.findings.items()}
    np.testing.assert_allclose(other.relations.inflation, one.relations.inflation[order], rtol=1e-9)
    np.testing.assert_allclose(other.leverage.values, one.leverage.values, rtol=1e-8)


@pytest.mark.parametrize("n_sys", [1, 2])
def test_few_templates(white, n_sys):
    report = examine(white[:n_sys], NAMES[:n_sys], PIXELS)
    assert report.advice == dict.fromkeys(NAMES[:n_sys], "use")
    np.testing.assert_allclose(report.relations.inflation, 1.0, atol=0.01)
    assert report.relations.linkage.shape == (n_sys - 1, 4)


@pytest.fixture(scope="module")
def sky():
    return ClusteredSky(nside=NSIDE, rms=0.4, nbar=40.0)


def test_structure_in_a_template(sky):
    """Only in the one that was made of it, and only inside the footprint."""
    field = sky.field(1)
    noise = synthetic_maps(NSIDE, ["power_neg2", "white_noise"], np.random.default_rng(2))
    made = field.full_sky(field.delta / field.delta.std(), 0.0) + noise[1] / noise[1].std()
    maps = np.array([noise[0], made])
    report = examine(maps, ("smooth", "made of it"), sky.pixels, tracer=field, n_realisations=40)
    assert report.findings["smooth"] == {}
    assert "goes with the tracer (rank correlation +0.6" in report.findings["made of it"]["structure"]
    assert report.tracer.names == ("smooth", "made of it")
    half = sky.pixels[: len(sky.pixels) // 2]
    part = examine(maps, ("smooth", "made of it"), half, tracer=field, n_realisations=20)
    np.testing.assert_array_equal(part.tracer.n_pix, len(half))
    # one that the tracer hardly meets is not compared, and no error
    maps = np.array([noise[0], np.where(np.isin(np.arange(N_FULL), sky.pixels[:-40]), np.nan, noise[1])])
    wide = np.union1d(sky.pixels, np.flatnonzero(sky.coverage == 0))
    found = examine(maps, ("smooth", "elsewhere"), wide, tracer=field, n_realisations=20).tracer
    assert found.names == ("smooth",)


def test_real_templates(real_data):
    """DESI luminous red galaxies: two dust maps of one sky, and depths with holes."""
    data = read_lrg_pixels(real_data, 32)
    report = examine(data.maps, data.names, footprint(data.coverage), objects={"area": data.coverage})
    assert report.relations.groups == (("EBV_PLANCK13", "EBV_SFD"),)
    depths = [n for n in data.names if "coverage" in report.findings[n]]
    assert depths == ["DECAM_DEPTH_G", "DECAM_DEPTH_R", "DECAM_DEPTH_Z"]
    assert "skewed" in report.findings["SGR_STREAM"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": NAMES[:2]}, r"maps have shape \(3, 3072\) for 2 names"),
        ({"maps": np.full((3, N_FULL), np.nan)}, "0 of 2272 footprint pixels have all of 0 templates that vary"),
        ({"objects": {"stars": np.ones(12)}}, r"objects 'stars' have shape \(12,\)"),
        ({"objects": {"stars": np.zeros(N_FULL)}}, "or none is on the footprint"),
        ({"pixels": PIXELS[:4]}, "4 of 4 footprint pixels have all of 3 templates that vary: leave out"),
    ],
)
def test_bad_input(white, change, message):
    with pytest.raises(DataError, match=message):
        examine(**{"maps": white, "names": NAMES, "pixels": PIXELS} | change)


def test_templates_without_a_common_pixel(white):
    maps = white.copy()
    maps[0, PIXELS[: PIXELS.size // 2]] = np.nan
    maps[1, PIXELS[PIXELS.size // 2 :]] = np.nan
    with pytest.raises(DataError, match="0 of 2272 footprint pixels have all of 3 templates"):
        examine(maps, NAMES, PIXELS)


def test_a_tracer_off_the_footprint(white, sky):
    off = np.setdiff1d(np.arange(N_FULL), sky.pixels)
    with pytest.raises(DataError, match="template one and the tracer share 0 pixels"):
        examine(white, NAMES, off, tracer=sky.field(0))


def test_limits():
    for name in ("duplicate", "covered", "tail", "significance"):
        with pytest.raises(ParameterError, match=f"limit {name} is 1.5: give a number above 0, up to 1"):
            replace(Limits(), **{name: 1.5})
    with pytest.raises(ParameterError, match=r"limit skewness is -2\.0: give a number above 0"):
        Limits(skewness=-2.0)
    assert Limits(inflation=50.0, skewness=7.0).inflation == 50.0
