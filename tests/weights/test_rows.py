"""A row per object: which weight, from which part."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.methods.table import METHODS
from sysmap_core.weights.checks import check
from sysmap_core.weights.columns import alone, at_positions, column, on_footprint, random_column
from sysmap_core.weights.memberships import check_pair
from sysmap_core.weights.parts import fitted_parts
from sysmap_core.weights.rows import weight_table


@pytest.fixture(scope="module")
def tables(split_run):
    sample, parts = split_run
    return {kind: weight_table(sample, parts, kind, identifier_column="TARGETID") for kind in ("galaxies", "randoms")}


def test_every_method_has_a_pair_of_columns(run):
    sample, results, *_ = run
    parts = fitted_parts(sample, results)
    galaxies, randoms = (weight_table(sample, parts, kind) for kind in ("galaxies", "randoms"))
    names = ["WEIGHT_IN", "WEIGHT_ALONE", "WEIGHT", *(row.column for row in METHODS.values()), "WEIGHT_SYS"]
    assert list(galaxies.columns) == list(randoms.columns) == ["RA", "DEC", "IN_FIT", *names]
    assert check_pair(galaxies, randoms) == []
    for name, result in results.items():
        for table, values, objects in (
            (galaxies, column(result), sample.galaxies),
            (randoms, random_column(result), sample.randoms),
        ):
            wanted = at_positions(values, result.footprint, objects)
            np.testing.assert_array_equal(table.columns[METHODS[name].column], wanted)


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_of_columns_undoes_what_was_injected(run, method):
    """A true overdensity is contaminated with the amplitudes of the fit, observed, and weighted with the file."""
    sample, results, *_ = run
    fit = results[method]
    pixels = replace(sample, galaxies=None, randoms=None)
    parts = fitted_parts(pixels, {method: fit})
    galaxies, randoms = (weight_table(pixels, parts, kind).columns for kind in ("galaxies", "randoms"))
    delta = np.random.default_rng(5).standard_normal(fit.footprint.n_pix)
    density = fit.density if fit.model == "multiplicative" else 1 + fit.a_mean @ fit.templates.values
    efficiency = density if fit.model == "multiplicative" else 1 + fit.b_mean @ fit.templates.values
    observed = density + delta * efficiency
    np.testing.assert_allclose(galaxies["WEIGHT_SYS"] * observed - randoms["WEIGHT_SYS"], delta, atol=1e-12)
    name = METHODS[method].column
    left = galaxies[name] * observed - randoms[name]
    # the galaxies of an additive method can stand alone, and then their fluctuations are divided by 1 + A
    np.testing.assert_allclose(left, delta / density if fit.model == "additive" else delta, atol=1e-12)
    np.testing.assert_allclose(galaxies["WEIGHT"] * density, randoms["WEIGHT"], atol=1e-12)
    np.testing.assert_array_equal(randoms["WEIGHT"], 1.0)


def test_weights_that_came_with_the_catalogue_are_kept(split_run, tables):
    sample = split_run[0]
    galaxies, randoms = tables["galaxies"].columns, tables["randoms"].columns
    np.testing.assert_array_equal(galaxies["WEIGHT_IN"], sample.galaxies.weights)
    np.testing.assert_array_equal(galaxies["WEIGHT"], galaxies["WEIGHT_IN"] * galaxies["WEIGHT_ALONE"])
    np.testing.assert_array_equal(randoms["WEIGHT_IN"], 1.0)
    np.testing.assert_array_equal(randoms["WEIGHT"], 1.0)
    assert np.ptp(galaxies["WEIGHT_ALONE"]) > 0.1


def test_galaxies_have_the_weight_of_their_part(split_run, tables):
    sample, parts = split_run
    columns = tables["galaxies"].columns
    seen = np.zeros(len(sample.galaxies), bool)
    for fitted in parts:
        rows = fitted.part.galaxy_rows & on_footprint(fitted.best.footprint, sample.galaxies)
        own = sample.galaxies.restricted(rows)
        assert set(columns["REGION"][rows]) == {fitted.part.region}
        assert set(columns["ZBIN"][rows]) == {fitted.part.z_bin}
        for name, values in {
            "WEIGHT_GLSC": column(fitted.results["GLS-comb"]),
            "WEIGHT_OLS": column(fitted.results["OLS"]),
            "WEIGHT_SYS": fitted.best.galaxy_weights,
            "WEIGHT_ALONE": alone(fitted.best),
        }.items():
            np.testing.assert_array_equal(columns[name][rows], at_positions(values, fitted.best.footprint, own))
        seen |= rows
    np.testing.assert_array_equal(columns["IN_FIT"], seen)
    header = tables["galaxies"].header
    assert (header["NNOPART"], header["NOUTSIDE"]) == (7, np.sum(~seen) - 7)
    nowhere = ~seen & (columns["ZBIN"] == 0)
    assert nowhere.sum() == 7
    assert set(columns["REGION"][nowhere]) == {""}
    assert set(columns["WEIGHT_SYS"][~seen]) == {1.0}


def test_randoms_have_a_weight_for_every_bin(split_run, tables):
    sample, parts = split_run
    columns = tables["randoms"].columns
    assert "ZBIN" not in columns
    assert not {"WEIGHT_SYS", "IN_FIT"} & columns.keys()
    for fitted in parts:
        rows, ending = fitted.part.random_rows, f"_Z{fitted.part.z_bin}"
        own = sample.randoms.restricted(rows)
        for name, values in {
            "WEIGHT_GLSC": random_column(fitted.results["GLS-comb"]),
            "WEIGHT_SYS": fitted.best.random_weights,
        }.items():
            np.testing.assert_array_equal(
                columns[name + ending][rows], at_positions(values, fitted.best.footprint, own)
            )
        assert columns["IN_FIT" + ending].all()
        assert set(columns["REGION"][rows]) == {fitted.part.region}
    assert np.all(columns["WEIGHT_SYS_Z1"] != columns["WEIGHT_SYS_Z2"])
    assert tables["randoms"].header["UNITCOLS"] == "WEIGHT_ISD1, WEIGHT_OLS, WEIGHT_ALONE"
    assert tables["randoms"].meanings["WEIGHT_SYS_Z2"] == "(1 + A) / (1 + B), with 1 / (1 + B) of galaxies"
    assert tables["randoms"].meanings["IN_FIT_Z1"].startswith("F: in no part")


def test_nothing_is_wrong_with_tables_of_parts(split_run, tables):
    sample = split_run[0]
    assert check(tables["galaxies"], sample.galaxies) == []
    assert check(tables["randoms"], sample.randoms) == []
    assert check_pair(tables["galaxies"], tables["randoms"]) == []


def test_regions_alone_and_bins_alone(split_run):
    """What is not divided has no column and no ending."""
    sample, parts = split_run
    first = [replace(p, part=replace(p.part, z_bin=0, z_range=None)) for p in parts if p.part.z_bin == 1]
    of_regions = weight_table(sample, first, "randoms").columns
    assert {"REGION", "WEIGHT_SYS", "IN_FIT"} <= of_regions.keys()
    north = [replace(p, part=replace(p.part, region="")) for p in parts if p.part.region == "N"]
    galaxies, randoms = (weight_table(sample, north, kind) for kind in ("galaxies", "randoms"))
    assert "REGION" not in galaxies.columns
    assert {"ZBIN", "WEIGHT_SYS"} <= galaxies.columns.keys()
    assert {"WEIGHT_SYS_Z1", "WEIGHT_SYS_Z2"} <= randoms.columns.keys()
    assert check(galaxies) == check(randoms) == check_pair(galaxies, randoms) == []
    assert randoms.header["NNOPART"] == np.sum(~north[0].part.random_rows)


def test_a_row_for_every_pixel_and_part(split_run):
    sample, parts = split_run
    pixels = replace(sample, galaxies=None, randoms=None)
    galaxies, randoms = (weight_table(pixels, parts, kind) for kind in ("galaxies", "randoms"))
    wanted = np.concatenate([p.best.footprint.pixels for p in parts])
    for table in (galaxies, randoms):
        np.testing.assert_array_equal(table.columns["HPXPIXEL"], wanted)
        assert check(table) == []
    np.testing.assert_array_equal(galaxies.columns["ZBIN"], np.repeat([1, 2, 1, 2], len(wanted) // 4))
    np.testing.assert_array_equal(randoms.columns["WEIGHT_SYS"], np.concatenate([p.best.random_weights for p in parts]))
    assert check_pair(galaxies, randoms) == []
    mixed = replace(sample, randoms=None)
    assert check_pair(*(weight_table(mixed, parts, kind) for kind in ("galaxies", "randoms"))) == []


def test_objects_of_two_parts(split_run):
    sample, parts = split_run
    every = np.ones(len(sample.galaxies), bool)
    wide = replace(parts[1], part=replace(parts[1].part, galaxy_rows=every))
    n = int(parts[0].part.galaxy_rows.sum())
    with pytest.raises(DataError, match=rf"{n} objects are in 'N, z 0\.1-0\.3' and in 'N, z 0\.3-0\.5': give each"):
        weight_table(sample, [parts[0], wide], "galaxies")
    every = np.ones(len(sample.randoms), bool)
    wide = replace(parts[3], part=replace(parts[3].part, random_rows=every))
    with pytest.raises(DataError, match=r"objects are in 'N, z 0\.1-0\.3' and in 'S, z 0\.3-0\.5': give each"):
        weight_table(sample, [parts[0], wide], "randoms")


def test_parts_say_which_objects_are_theirs(split_run):
    sample, parts = split_run
    for rows, came in ((None, "no rows"), (np.ones(3, bool), r"shape \(3,\) and type bool")):
        strange = replace(parts[0], part=replace(parts[0].part, galaxy_rows=rows))
        with pytest.raises(DataError, match=rf"has .*{came} for {len(sample.galaxies)} galaxies: give True or False"):
            weight_table(sample, [strange], "galaxies")


def test_identifiers_are_carried_as_they_are(split_run, tables):
    sample, parts = split_run
    got = tables["galaxies"]
    assert got.columns["TARGETID"].dtype == np.uint64
    np.testing.assert_array_equal(got.columns["TARGETID"], sample.galaxies.columns["TARGETID"])
    assert got.header["IDCOL"] == "TARGETID"
    assert "TARGETID" not in tables["randoms"].columns
    for values in (np.array([f"J{i:05d}" for i in range(len(sample.galaxies))]),):
        for given in (values, values.astype("S"), values.astype(object)):
            named = replace(sample, galaxies=replace(sample.galaxies, columns={"object_id": given}))
            carried = weight_table(named, parts, "galaxies", identifier_column="object_id").columns["object_id"]
            assert carried.dtype.kind == "U"
            np.testing.assert_array_equal(carried, values)


def test_identifiers_that_cannot_be_carried(split_run):
    sample, parts = split_run
    with pytest.raises(ParameterError, match="unknown identifier_column 'TARGET': did you mean 'TARGETID'"):
        weight_table(sample, parts, "galaxies", identifier_column="TARGET")
    with pytest.raises(ParameterError, match="unknown identifier_column 'TARGETID': known: none"):
        weight_table(replace(sample, galaxies=None), parts, "galaxies", identifier_column="TARGETID")
    with pytest.raises(ParameterError, match=r"identifier_column 'Z' has type float64 and shape .*: give a whole"):
        weight_table(sample, parts, "galaxies", identifier_column="Z")
    for name in ("weight_in", "region", "IN_FIT_Z1"):
        columns = {name: np.arange(len(sample.galaxies))}
        own = replace(sample, galaxies=replace(sample.galaxies, columns=columns))
        with pytest.raises(ParameterError, match=f"identifier_column is '{name}', a name of the file itself: rename"):
            weight_table(own, parts, "galaxies", identifier_column=name)


def test_a_column_that_is_one_in_a_single_bin(split_run):
    sample, parts = split_run
    clean = replace(parts[1].results["GLS-comb"], random_weights=np.ones(parts[1].best.footprint.n_pix))
    clean = replace(clean, galaxy_weights=clean.random_weights)
    one = [parts[0], replace(parts[1], results=parts[1].results | {"GLS-comb": clean})]
    randoms = weight_table(sample, one, "randoms")
    assert randoms.header["UNITCOLS"] == "WEIGHT_GLSC_Z2, WEIGHT_ISD1, WEIGHT_OLS, WEIGHT_SYS_Z2, WEIGHT_ALONE"
    assert check(randoms) == []


def test_pixels_and_objects_are_one(split_run, tables):
    """An object has the weight of the pixel that it lies in."""
    sample, parts = split_run
    pixel_of = hp.ang2pix(8, sample.randoms.ra, sample.randoms.dec, lonlat=True)
    fitted = parts[3]
    i = np.flatnonzero(fitted.part.random_rows)[11]
    place = np.flatnonzero(fitted.best.footprint.pixels == pixel_of[i])[0]
    assert tables["randoms"].columns["WEIGHT_SYS_Z2"][i] == fitted.best.random_weights[place]
