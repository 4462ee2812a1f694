from dataclasses import replace

import numpy as np
import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.weights.columns import alone, at_positions
from sysmap_core.weights.parts import FittedPart, common_cards, fitted_parts, part_table, weight_errors


def test_a_whole_sample_is_one_part(run):
    sample, results, test, advice = run
    (only,) = fitted_parts(sample, results, test, advice)
    assert (only.results, only.ratio_test, only.verdict, only.place) == (results, test, advice, {})
    assert only.best.method == "GLS-comb"
    assert only.part.galaxy_rows.all()
    assert common_cards(sample, [only]) == only.cards


def test_a_part_needs_results(split_run):
    with pytest.raises(DataError, match=r"part 'N, z 0\.1-0\.3' came without results: fit it with run_methods first"):
        FittedPart(split_run[1][0].part, {})


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "name with blanks", "ä"])
def test_name_of_the_sample_is_that_of_files(run, name):
    with pytest.raises(ParameterError, match="give a name for files, of letters, digits"):
        fitted_parts(replace(run[0], identifier=name), run[1])


def test_parts_that_cannot_share_a_file(run, split_run):
    sample, parts = split_run
    with pytest.raises(DataError, match="no parts came: give a FittedPart for every region and bin"):
        fitted_parts(sample, [])
    with pytest.raises(ParameterError, match="ratio_test or verdict came beside several parts: give each FittedPart"):
        fitted_parts(sample, parts, run[2])
    with pytest.raises(DataError, match=r"parts are 'N, z 0\.1-0\.3', 'N, z 0\.1-0\.3': give each a region, a bin"):
        fitted_parts(sample, [parts[0], parts[0]])
    no_bin = replace(parts[2], part=replace(parts[2].part, z_bin=0, z_range=None))
    with pytest.raises(DataError, match=r"parts are 'N, z 0\.1-0\.3', 'S': give .*, and all of them of the same kind"):
        fitted_parts(sample, [parts[0], no_bin])
    less = replace(parts[1], results={"OLS": parts[1].results["OLS"]})
    with pytest.raises(DataError, match=r"methods differ between parts \(GLS-comb, ISD-1, OLS in .*; OLS in 'N, z 0.3"):
        fitted_parts(sample, [parts[0], less])


def test_cards_on_which_parts_agree(split_run):
    sample, parts = split_run
    cards = common_cards(sample, parts)
    assert (cards["NPARTS"], cards["SAMPLE"], cards["NSIDE"], cards["NSYS"]) == (4, "SPLIT", 8, 3)
    assert (cards["NGAL"], cards["NRAND"]) == (len(sample.galaxies), 4_000)
    assert cards["NPIX"] == sum(p.best.footprint.n_pix for p in parts)
    assert cards["CLIPFRAC"] == max(p.best.clipped for p in parts)
    assert cards["TMPL001"] == parts[0].best.names[0]
    assert not any(key.startswith(("A_SYS", "TSUM", "PGAIN")) for key in cards)


def test_table_of_the_parts(split_run):
    parts = split_run[1]
    table = part_table(parts)
    assert len(table["PART"]) == 12
    for i, fitted in enumerate(parts):
        rows, best = table["PART"] == i + 1, fitted.best
        assert set(zip(table["REGION"][rows], table["ZBIN"][rows], strict=True)) == {
            (fitted.part.region, fitted.part.z_bin)
        }
        assert table["ZMIN"][rows] == pytest.approx(fitted.part.z_range[0])
        assert list(table["TMPL"][rows]) == list(best.names)
        np.testing.assert_array_equal(table["A_SYS"][rows], best.a_mean)
        np.testing.assert_array_equal(table["B_SYS"][rows], best.b_mean)
        np.testing.assert_array_equal(table["B_FITERR"][rows], np.sqrt(np.diag(best.cov_b)))
        errors = np.sqrt(np.diag(best.posterior().cov))
        np.testing.assert_array_equal(table["A_ERR"][rows], errors[:3])
        np.testing.assert_array_equal(table["B_ERR"][rows], errors[3:])
        assert table["LOSSNONE"][rows] == pytest.approx(fitted.verdict.losses["none"])
        assert table["LOSSWITH"][rows] == pytest.approx(fitted.verdict.losses["combined"])
        assert table["PGAIN"][rows] == pytest.approx(fitted.verdict.probability)


def test_weighted_galaxies_per_random(split_run):
    fitted = split_run[1][0]
    galaxies, randoms = fitted.part.sample.galaxies, fitted.part.sample.randoms
    footprint = fitted.best.footprint
    inside = at_positions(np.zeros(footprint.n_pix), footprint, galaxies) == 0
    weights = at_positions(alone(fitted.best), footprint, galaxies) * galaxies.weights
    table = part_table([fitted])
    assert 0 < np.sum(~inside) < 10
    assert table["PERRAND"][0] == pytest.approx(weights[inside].sum() / len(randoms))
    bare = replace(fitted, part=replace(fitted.part, sample=replace(fitted.part.sample, randoms=None)), verdict=None)
    assert np.isnan(part_table([bare])["PERRAND"]).all()
    assert np.isnan(part_table([bare])["PGAIN"]).all()


def test_errors_of_what_is_in_the_weights(run):
    results = run[1]
    a, b = weight_errors(results["OLS"])
    np.testing.assert_allclose(a, np.sqrt(np.diag(results["OLS"].posterior().cov)))
    np.testing.assert_array_equal(b, 0.0)
    a, b = weight_errors(results["ISD-1"])
    np.testing.assert_array_equal(a, b)
    bare = replace(results["MCMC-comb"], shrinkage="none")
    np.testing.assert_allclose(weight_errors(bare), np.sqrt([np.diag(bare.cov_a), np.diag(bare.cov_b)]))
