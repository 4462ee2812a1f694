"""Tables in blocks: the same rows whatever the blocks, and positions that are in degrees."""

import gzip
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits

from sysmap_core.errors import DataError, MissingDataError, ParameterError
from sysmap_core.templates.tables import find_column, fits_rows, row_blocks, write_rows

N = 1003

RNG = np.random.default_rng(0)

TABLE = {
    "RA": RNG.uniform(0, 360, N),
    "DEC": RNG.uniform(-60, 30, N),
    "EBV": RNG.random(N).astype(np.float32),
    "NOBS_R": RNG.integers(0, 9, N).astype(np.int16),
}


@pytest.fixture
def table(tmp_path):
    return write_rows(tmp_path / "t.fits", [TABLE])


def together(blocks):
    blocks = list(blocks)
    return {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}


@pytest.mark.parametrize("rows", [50, 1003, 5000])
def test_rows_of_a_file_do_not_depend_on_the_blocks(table, rows):
    found = together(row_blocks(table, ["ebv", "NOBS_R"], rows=rows))
    assert list(found) == ["RA", "DEC", "ebv", "NOBS_R"]
    for name, expected in zip(found, TABLE.values(), strict=True):
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == np.dtype("=f8")


def test_table_of_blocks_is_that_of_astropy(tmp_path):
    whole = write_rows(tmp_path / "a.fits", [TABLE])
    parts = write_rows(tmp_path / "b.fits", ({n: v[i : i + 100] for n, v in TABLE.items()} for i in range(0, N, 100)))
    assert whole.read_bytes() == parts.read_bytes()
    with fits.open(parts) as hdus:
        hdus.verify("exception")
        assert hdus[1].columns["RA"].unit == "deg"
        assert hdus[1].columns["NOBS_R"].format == "I"
        for name, values in TABLE.items():
            np.testing.assert_array_equal(hdus[1].data[name], values)


def test_failed_writing_leaves_the_old_table(table):
    before = table.read_bytes()
    with pytest.raises(KeyError):
        write_rows(table, [TABLE, {"RA": TABLE["RA"]}])
    assert table.read_bytes() == before
    assert [p.name for p in table.parent.iterdir()] == ["t.fits"]
    with pytest.raises(DataError, match="no block of rows came"):
        write_rows(table.parent / "n.fits", [])


def test_compressed_table(table):
    packed = table.with_name("t.fits.gz")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    np.testing.assert_array_equal(together(row_blocks(packed, ["EBV"], rows=100))["EBV"], TABLE["EBV"])


def test_blocks_in_memory_and_a_single_one():
    halves = [{n: v[:400] for n, v in TABLE.items()}, {n: v[400:] for n, v in TABLE.items()}]
    for source in (halves, iter(halves), TABLE):
        np.testing.assert_array_equal(together(row_blocks(source, ["EBV"]))["EBV"], TABLE["EBV"])


def test_data_frames_are_blocks():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(TABLE)
    np.testing.assert_array_equal(together(row_blocks([frame[:9], frame[9:]], ["EBV"]))["EBV"], TABLE["EBV"])


def test_scaled_null_and_masked_values(tmp_path):
    columns = [fits.Column(n, "D", array=TABLE[n][:4]) for n in ("RA", "DEC")]
    columns += [fits.Column("U", "I", bzero=32768, array=np.array([1, 2, 40000, 5], np.uint16))]
    columns += [fits.Column("N", "J", null=-9, array=np.array([7, -9, 3, 1]))]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "n.fits")
    found = together(row_blocks(tmp_path / "n.fits", ["U", "N"], rows=3))
    np.testing.assert_array_equal(found["U"], [1, 2, 40000, 5])
    np.testing.assert_array_equal(found["N"], [7, np.nan, 3, 1])
    masked = {"RA": [1.0, 2.0], "DEC": [1.0, 2.0], "V": np.ma.array([1, 2], mask=[0, 1])}
    np.testing.assert_array_equal(together(row_blocks(masked, ["V"]))["V"], [1, np.nan])


def test_memory_is_that_of_a_block(tmp_path):
    n, block = 400_000, 10_000
    columns = {"RA": np.linspace(0, 359, n), "DEC": np.linspace(-80, 80, n), "EBV": np.ones(n)}
    path = write_rows(tmp_path / "large.fits", [columns])
    tracemalloc.start()
    for _ in row_blocks(path, ["EBV"], rows=block):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # three columns of a block in their copies, far from the three columns of the table
    assert peak < 20 * block * 8 < 0.2 * 3 * n * 8


def test_progress_ends_at_all_rows(table):
    seen = []
    for _ in row_blocks(table, [], rows=250, progress=lambda *args: seen.append(args)):
        pass
    assert [(done, total) for done, total, _ in seen] == [(250, N), (500, N), (750, N), (1000, N), (N, N)]
    left = [s for *_, s in seen]
    assert all(s > 0 for s in left[:-1])
    assert left[-1] == 0
    seen.clear()
    list(row_blocks([TABLE], [], progress=lambda *args: seen.append(args)))
    assert seen == [(N, None, None)]


def test_time_left_is_that_of_the_rows_that_remain(table, monkeypatch):
    clock = iter([0.0, 10.0, 20.0, 30.0, 40.0])
    monkeypatch.setattr("sysmap_core.templates.tables.time.perf_counter", lambda: next(clock))
    left = []
    for _ in row_blocks(table, [], rows=251, progress=lambda *args: left.append(args[2])):
        pass
    np.testing.assert_allclose(left, [10 * (N - 251) / 251, 20 * (N - 502) / 502, 30 * (N - 753) / 753, 0])


def test_missing_column(table):
    with pytest.raises(DataError, match=r"t\.fits has no column GALDEPTH_G, it has RA, DEC, EBV, NOBS_R: rename"):
        next(row_blocks(table, ["GALDEPTH_G"]))
    with pytest.raises(DataError, match="the table has no column DEC, it has RA"):
        next(row_blocks({"RA": TABLE["RA"]}, []))
    assert find_column(["ra", "RA"], "RA", "x") == "RA"


@pytest.mark.parametrize("value", [91.0, -90.5, np.nan, np.inf])
def test_positions_that_are_not_on_the_sky(value):
    bad = {"RA": TABLE["RA"], "DEC": np.append(TABLE["DEC"][:-1], value)}
    with pytest.raises(DataError, match="the table: 1 positions of a block of 1003 are not finite, or outside"):
        list(row_blocks(bad, []))


@pytest.mark.parametrize("value", [-180.1, 360.1, np.nan])
def test_right_ascension_outside_its_range(value):
    bad = {"RA": np.append(TABLE["RA"][:-1], value), "DEC": TABLE["DEC"]}
    with pytest.raises(DataError, match=r"-180 <= RA <= 360 and .* give RA and Dec in degrees"):
        list(row_blocks(bad, []))


def test_radians_are_refused(tmp_path):
    radians = {"RA": np.radians(TABLE["RA"]), "DEC": np.radians(TABLE["DEC"])}
    with pytest.raises(DataError, match=r"RA reaches from 0\.\d+ to 6\.2\d+ .* looks like radians"):
        list(row_blocks([{n: v[:500] for n, v in radians.items()}, {n: v[500:] for n, v in radians.items()}], []))
    stated = write_rows(tmp_path / "rad.fits", [radians], {"RA": "rad", "DEC": "rad"})
    with pytest.raises(DataError, match=r"rad\.fits: column RA is in 'rad': give positions in degrees"):
        next(row_blocks(stated, []))
    # a real field of that shape says so
    assert together(row_blocks(write_rows(tmp_path / "deg.fits", [radians]), []))["RA"].size == N
    with pytest.raises(DataError, match="looks like radians"):
        list(row_blocks(write_rows(tmp_path / "open.fits", [radians], {}), []))
    # a small field near the origin is not the sky in radians
    assert together(row_blocks({n: v / 10 for n, v in radians.items()}, []))["RA"].size == N


def test_tables_without_rows(tmp_path):
    empty = {n: v[:0] for n, v in TABLE.items()}
    with pytest.raises(DataError, match=r"e\.fits has no rows: nothing can be built from it"):
        list(row_blocks(write_rows(tmp_path / "e.fits", [empty]), []))
    for source in ([], [empty], empty):
        with pytest.raises(DataError, match="the table has no rows"):
            list(row_blocks(source, []))


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(MissingDataError, match=r"table '.*no\.fits' does not exist"):
        fits_rows(tmp_path / "no.fits")
    (tmp_path / "text.fits").write_text("not a table")
    with pytest.raises(DataError, match="cannot be read as FITS"):
        fits_rows(tmp_path / "text.fits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(DataError, match="holds no table: give a FITS table with a row per object"):
        fits_rows(tmp_path / "image.fits")


def test_columns_that_are_no_numbers(tmp_path):
    columns = [fits.Column(n, "D", array=TABLE[n][:3]) for n in ("RA", "DEC")]
    columns += [fits.Column("NAME", "3A", array=["a", "b", "c"]), fits.Column("V", "2D", array=np.ones((3, 2)))]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "c.fits")
    with pytest.raises(DataError, match="column NAME holds no numbers"):
        next(row_blocks(tmp_path / "c.fits", ["NAME"]))
    with pytest.raises(DataError, match=r"column V has \(2,\) values in a row"):
        next(row_blocks(tmp_path / "c.fits", ["V"]))
    with pytest.raises(DataError, match=r"columns of a block differ in length, \{'RA': 2, 'DEC': 3\}"):
        next(row_blocks({"RA": [1.0, 2.0], "DEC": [1.0, 2.0, 3.0]}, []))


@pytest.mark.parametrize("rows", [0, -5, 2.5])
def test_block_sizes_that_are_none(table, rows):
    with pytest.raises(ParameterError, match=r"rows is .*: give the number of rows of a block"):
        next(row_blocks(table, [], rows=rows))
