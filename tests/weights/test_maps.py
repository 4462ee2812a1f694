import healpy as hp
import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.methods.table import METHODS
from sysmap_core.sky.healpix_io import read_map
from sysmap_core.weights.columns import alone, column, random_column
from sysmap_core.weights.header import CARDS
from sysmap_core.weights.maps import read_weight_maps, write_weight_maps


@pytest.mark.parametrize("ending", [".fits", ".hsp"])
def test_maps_of_all_parts_come_back(split_run, tmp_path, ending):
    sample, parts = split_run
    maps = read_weight_maps(write_weight_maps(tmp_path / f"m{ending}", sample, parts))
    assert [(one.region, one.z_bin) for one in maps] == [(p.part.region, p.part.z_bin) for p in parts]
    for one, fitted in zip(maps, parts, strict=True):
        best = fitted.best
        assert one.nside == 8
        order = np.argsort(best.footprint.pixels)
        np.testing.assert_array_equal(np.sort(one.pixels), best.footprint.pixels[order])
        wanted = {
            "WEIGHT_SYS": best.galaxy_weights,
            "RANDOM_WEIGHT_SYS": best.random_weights,
            "WEIGHT_ALONE": alone(best),
            "RANDOM_WEIGHT_ALONE": np.ones(best.footprint.n_pix),
        }
        for name, result in fitted.results.items():
            wanted[METHODS[name].column] = column(result)
            wanted["RANDOM_" + METHODS[name].column] = random_column(result)
        assert one.columns.keys() == wanted.keys()
        for name, values in wanted.items():
            np.testing.assert_array_equal(one.columns[name][np.argsort(one.pixels)], values[order])
        assert one.header["A_SYS001"] == best.a_mean[0]
        assert (one.header["REGION"], one.header["ZBIN"]) == (fitted.part.region, fitted.part.z_bin)
        assert one.header["ZMAX"] == pytest.approx(fitted.part.z_range[1])
        assert one.header["SIMULATD"] is True


def test_a_map_is_one_of_healpix(run, tmp_path):
    sample, results, *_ = run
    path = write_weight_maps(tmp_path / "m.fits", sample, results)
    best = results["GLS-comb"]
    for name, values in (("WEIGHT_SYS", best.galaxy_weights), ("RANDOM_WEIGHT_SYS", best.random_weights)):
        np.testing.assert_array_equal(read_map(path, column=name), best.footprint.full_sky(values))
    header = fits.getheader(path, 1)
    assert (header["ORDERING"], header["COORDSYS"], header["INDXSCHM"], header["NSIDE"]) == (
        "RING",
        "C",
        "EXPLICIT",
        16,
    )
    assert header.comments["NSIDE"] == CARDS["NSIDE"]
    of_healpy = hp.read_map(path, field=0, hdu=1, partial=True)
    first = fits.getdata(path).names[1]
    np.testing.assert_array_equal(of_healpy[best.footprint.pixels], fits.getdata(path)[first])


def test_endings_of_a_map(run, tmp_path):
    with pytest.raises(ParameterError, match=r"'m\.png' ends in '\.png': give a name with \.fits or \.hsp"):
        write_weight_maps(tmp_path / "m.png", *run[:2])


def test_files_that_are_no_maps_of_weights(run, written, tmp_path):
    with pytest.raises(DataError, match=r"WEIGHTS\.fits has no maps of weights: give a file that write_weight_maps"):
        read_weight_maps(written[0])
    for ending in (".fits", ".hsp"):
        with pytest.raises(MissingDataError, match=rf"map of weights '.*none{ending}' does not exist: check the name"):
            read_weight_maps(tmp_path / f"none{ending}")
    path = tmp_path / "m.hsp"
    path.write_bytes(written[0].read_bytes())
    with pytest.raises(
        DataError, match=r"m\.hsp is no HealSparse map of weights .*: give a file that write_weight_maps"
    ):
        read_weight_maps(path)


def test_healsparse_without_its_package(run, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "healsparse", None)
    with pytest.raises(MissingDataError, match="need the package healsparse, which is not installed: run `pip"):
        write_weight_maps(tmp_path / "m.hsp", *run[:2])
    assert list(tmp_path.iterdir()) == []
