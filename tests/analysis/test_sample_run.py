"""The main job: a sample in, weights out."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from astropy.table import Table
from skies import catalogued_run, catalogued_spec

from sysmap_core.analysis.sample_run import common_method, over_regions, run_sample
from sysmap_core.errors import DataError, ParameterError
from sysmap_core.samples import SampleSpec, split
from sysmap_core.weights import read_weights


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two regions with two bins."""
    return catalogued_run(tmp_path_factory.mktemp("run"))


def inside(part):
    """Which galaxies of a part lie on its footprint."""
    galaxies = part.sample.galaxies
    return np.isin(hp.ang2pix(8, galaxies.ra, galaxies.dec, lonlat=True), part.field.pixels)


def test_every_part_has_its_own_field_templates_and_verdict(done):
    assert [part.label for part in done.parts] == ["N, z 0.2-0.5", "N, z 0.5-0.8", "S, z 0.2-0.5", "S, z 0.5-0.8"]
    for part in done.parts:
        assert list(part.results) == ["OLS", "GLS"]
        assert part.best.method == "GLS"
        assert abs(part.field.delta @ part.field.expected) < 1e-6 * part.field.n_galaxies
        np.testing.assert_allclose(part.templates.values.mean(1), 0.0, atol=1e-12)
        assert part.verdict.correct in (True, False)
        assert part.part.galaxy_rows.sum() == len(part.sample.galaxies)
        assert part.field.n_galaxies == pytest.approx(part.sample.galaxies.weights[inside(part)].sum())
    north, south = done.parts[0], done.parts[2]
    assert not np.isin(north.field.pixels, south.field.pixels).all()


def test_opposite_responses_of_regions_are_found(done):
    """The galaxies of N follow the first template and those of S avoid it; as one sample they would do neither."""
    for part in done.parts:
        wanted = 0.15 if part.part.region == "N" else -0.15
        error = np.sqrt(part.best.cov_a[0, 0])
        assert abs(part.best.a[0] - wanted) < 4 * error
        assert abs(part.best.a[0]) > 3 * error
    assert done.equality.of_a.p < 1e-3
    assert done.equality.a_by_template["first"].p < 1e-3


def test_part_is_found_by_its_name(done):
    assert done["S, z 0.2-0.5"] is done.parts[2]
    with pytest.raises(DataError, match=r"there is no part 'X': the sample has N, z 0\.2-0\.5, "):
        done["X"]


def test_weights_of_all_parts_share_a_file(done, tmp_path):
    galaxies, randoms, params = done.write(tmp_path, format="parquet")
    table = read_weights(galaxies)
    assert galaxies.suffix == randoms.suffix == ".parquet"
    assert params.name == f"{done.sample.identifier}_NSIDE0008_params.json"
    assert len(table) == len(done.sample.galaxies)
    for part in done.parts:
        rows = (table.columns["REGION"] == part.part.region) & (table.columns["ZBIN"] == part.part.z_bin)
        np.testing.assert_array_equal(table.columns["IN_FIT"][rows], inside(part))
        np.testing.assert_array_equal(np.flatnonzero(rows), np.flatnonzero(part.part.galaxy_rows))


def test_identifiers_of_the_galaxies_are_carried_into_the_weights(tmp_path):
    spec = catalogued_spec(tmp_path)
    table = Table.read(spec.data)
    table["TARGETID"] = np.arange(len(table), dtype="u8") + 2**63
    table.write(spec.data, overwrite=True)
    done = run_sample(replace(spec, regions="", z_edges=()), methods=["OLS"])
    galaxies, randoms, _ = done.write(tmp_path)
    np.testing.assert_array_equal(read_weights(galaxies).columns["TARGETID"], table["TARGETID"])
    assert "TARGETID" not in read_weights(randoms).columns


def test_whole_sample_is_one_part_and_has_no_equality(tmp_path):
    found = catalogued_run(tmp_path, parts=False)
    assert [part.label for part in found.parts] == ["all"]
    assert found.equality is None


def test_pooled_parts_lean_on_one_another(tmp_path, done):
    together = catalogued_run(tmp_path, between_parts="pooled")
    assert together.pooled is not None
    for own, with_others in zip(done.parts, together.parts, strict=True):
        np.testing.assert_array_equal(own.best.a, with_others.best.a)
        assert not np.array_equal(own.best.a_mean, with_others.best.a_mean)
        assert with_others.best.method == common_method(done.parts) == "GLS"


def test_pooling_leaves_out_a_method_that_not_all_parts_have(tmp_path, done, monkeypatch):
    """GLS-comb would go before GLS: where it converged in some parts only, weights of all are of GLS."""
    part = done.parts[0]
    stopped = replace(part.results["GLS"], method="GLS-comb", diagnostics={"converged": False})
    some = [
        replace(p, results=p.results | {"GLS-comb": stopped if i else part.results["GLS"]})
        for i, p in enumerate(done.parts)
    ]
    assert common_method(some) == "GLS"


def test_progress_counts_parts(tmp_path):
    seen = []
    catalogued_run(tmp_path, methods=["OLS"], progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_scale_of_the_input_weights_changes_nothing(tmp_path):
    """Weights of galaxies and of randoms, each times a constant; conjugate gradients stop at their own tolerance."""
    one, other = (catalogued_run(tmp_path / str(scale), scale=scale) for scale in (1.0, 37.0))
    for a, b in zip(one.parts, other.parts, strict=True):
        for name in ("a", "cov_a", "a_mean", "galaxy_weights", "random_weights", "cleaned"):
            np.testing.assert_allclose(getattr(b.best, name), getattr(a.best, name), rtol=0.0, atol=1e-9)
            np.testing.assert_allclose(getattr(b.results["OLS"], name), getattr(a.results["OLS"], name), rtol=1e-10)
        assert b.test.ratio == pytest.approx(a.test.ratio, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"between_parts": "together"}, "unknown between_parts 'together'"),
        ({"methods": ["GSL"]}, "unknown method 'GSL': did you mean 'GLS'"),
    ],
)
def test_mistakes_are_named_before_anything_is_read(how, message):
    with pytest.raises(ParameterError, match=message):
        run_sample(SampleSpec(8, data="nowhere.fits"), **how)


def test_regions_are_joined_to_one_map(done):
    beside = [done.parts[0], done.parts[2]]
    place, values = over_regions(beside, lambda part: np.full(part.field.n_pix, float(part.part.region == "N")))
    assert set(place.pixels) == set(beside[0].field.pixels) | set(beside[1].field.pixels)
    only_north = np.isin(place.pixels, beside[0].field.pixels) & ~np.isin(place.pixels, beside[1].field.pixels)
    assert np.all(values[only_north] == 1.0)
    assert set(values) == {0.0, 1.0}


def test_parts_of_a_run_are_those_of_the_split(done):
    sample = done.sample
    labels = [part.label for part in split(sample, regions="SIDE", z_edges=[0.2, 0.5, 0.8])]
    assert labels == [part.label for part in done.parts]


def test_smooth_amplitudes_are_those_to_quote(done):
    """Nothing is shrunk, in each region on its own; without bins there is nothing to smooth over."""
    found = done.smooth()
    assert np.isnan(found.same_a)
    assert set(found.posteriors) == {part.label for part in done.parts}
    only = replace(done, parts=(done.parts[0], done.parts[2]))
    assert only.places == (None, None)
    assert only.smooth() is None
