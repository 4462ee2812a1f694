import dataclasses

import numpy as np
import pytest
from astropy.table import Table

from sysmap_core.errors import DataError, MissingDataError
from sysmap_core.two_point.correlation import Correlation, read_correlation
from sysmap_core.two_point.estimators import pixel_correlation


def correlation(n=5, cov=True, **counts):
    """Values whose decimals do not end, and an empty bin."""
    rng = np.random.default_rng(0)
    edges = np.geomspace(1.0, 100.0, n + 1)
    w = rng.standard_normal(n) / 3.0
    w[0] = np.nan
    matrix = np.atleast_2d(np.cov(rng.standard_normal((n, 20)))) / 7.0
    matrix[0] = matrix[:, 0] = np.nan
    pairs = rng.integers(0, 10**12, n).astype(float)
    facts = {"engine": "treecorr", "n_galaxies": 10, "sum_galaxy_weights": np.pi, "versions": {"treecorr": "5.1"}}
    matrix = matrix if cov else None
    centres = np.sqrt(edges[1:] * edges[:-1])
    return Correlation(edges, centres, centres * 1.01, w, matrix, pairs, "test: it", **counts, metadata=facts)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("cov", [True, False])
@pytest.mark.parametrize("counts", [{}, {"dd": 1.0}, {"dd": 1.0, "dr": 2.0, "rr": 3.0, "rr_weighted": np.pi}])
def test_round_trip_is_exact(tmp_path, n, cov, counts):
    one = correlation(n, cov, **{name: value * np.arange(n) / 3 for name, value in counts.items()})
    two = read_correlation(one.save(tmp_path / "new" / "w.ecsv"))
    for name in [f.name for f in dataclasses.fields(Correlation)]:
        written, read = getattr(one, name), getattr(two, name)
        if isinstance(written, np.ndarray):
            assert read.dtype == float
            np.testing.assert_array_equal(read, written)
        else:
            assert read == written


def test_file_says_what_it_holds(tmp_path):
    path = correlation().save(tmp_path / "w.ecsv")
    table = Table.read(path, format="ascii.ecsv")
    assert table["theta_mean"].unit == "arcmin"
    assert table["w"].description == "correlation function"
    assert table.meta["metadata"]["engine"] == "treecorr"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.ecsv"]


def test_errors():
    full = correlation()
    np.testing.assert_allclose(full.error[1:] ** 2, np.diag(full.cov)[1:])
    assert np.isnan(correlation(cov=False).error).all()
    poisson = dataclasses.replace(full, pairs=np.array([0, 100, 100, 4, 1.0]), w=np.array([np.nan, 0, 1, 0.5, 0]))
    np.testing.assert_allclose(poisson.poisson_error, [np.inf, 0.1, 0.2, 0.75, 1.0])


def test_missing_file(tmp_path):
    with pytest.raises(MissingDataError, match=r"nowhere.ecsv' is not a file: check the name"):
        read_correlation(tmp_path / "nowhere.ecsv")


def _cut(text):
    return text[: int(0.9 * len(text))]


def _one_row_less(text):
    return "\n".join(text.strip().split("\n")[:-1]) + "\n"


def _last_digits(text):
    return text.strip()[:-4] + "\n"


def _other_number(text):
    assert "n_galaxies: 10" in text
    return text.replace("n_galaxies: 10", "n_galaxies: 11")


def _empty(text):
    return ""


def _no_header(text):
    return text[40:]


@pytest.mark.parametrize("cov", [True, False])
@pytest.mark.parametrize("damage", [_cut, _one_row_less, _last_digits, _other_number, _empty, _no_header])
def test_damaged_files(tmp_path, damage, cov):
    path = correlation(cov=cov).save(tmp_path / "w.ecsv")
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError, match=r"w.ecsv holds no correlation function \(.*\): give a file") as caught:
        read_correlation(path)
    assert "\n" not in str(caught.value)


def test_other_files(tmp_path):
    path = tmp_path / "other.ecsv"
    Table({"theta": [1.0, 2.0]}).write(path, format="ascii.ecsv")
    with pytest.raises(DataError, match="holds no correlation function"):
        read_correlation(path)
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(DataError, match="holds no correlation function"):
        read_correlation(path)


def test_an_older_file_stays_when_writing_fails(tmp_path, monkeypatch):
    path = correlation().save(tmp_path / "w.ecsv")
    before = path.read_text()

    def fails(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(Table, "write", fails)
    with pytest.raises(OSError, match="disk full"):
        correlation(3).save(path)
    assert path.read_text() == before


@pytest.mark.parametrize("engine", ["treecorr", "harmonic"])
def test_round_trip_of_what_was_measured(tmp_path, engine):
    """Metadata of every engine comes back, nested ones too."""
    pixels = np.arange(3072)
    delta = np.random.default_rng(0).normal(size=3072)
    measured = pixel_correlation(delta, pixels, 16, edges_arcmin=np.geomspace(300, 2000, 4), engine=engine)
    found = read_correlation(measured.save(tmp_path / "w.ecsv"))
    np.testing.assert_array_equal(found.w, measured.w)
    assert dict(found.metadata) == dict(measured.metadata)
