"""Checksums and writing under a temporary name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pytest

from sysmap_core.errors import DataError, MissingDataError
from sysmap_core.files import checksum, folder, plain, replacing, restored


def test_checksum_is_the_sha256_of_the_bytes(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"stars" * 100_000)
    assert checksum(path) == hashlib.sha256(b"stars" * 100_000).hexdigest()


def test_checksum_of_a_missing_file(tmp_path):
    with pytest.raises(MissingDataError, match=r"no\.fits is not a file: check the name"):
        checksum(tmp_path / "no.fits")


def test_folder_that_is_not_there(tmp_path):
    assert folder(tmp_path, "data_dir") == tmp_path
    with pytest.raises(MissingDataError, match=r"data_dir is '.*nowhere', which is not a folder"):
        folder(tmp_path / "nowhere", "data_dir")


def test_replacing_makes_the_folder_and_leaves_only_the_file(tmp_path):
    path = tmp_path / "new" / "map.txt"
    with replacing(path) as partial:
        partial.write_text("done")
        assert not path.exists()
        assert partial.suffix == ".txt"
    assert [p.name for p in path.parent.iterdir()] == ["map.txt"]


def test_replacing_keeps_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "map.txt"
    path.write_text("old")

    def write():
        with replacing(path) as partial:
            partial.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["map.txt"]


def test_plain_has_no_numpy_and_no_nan():
    assert plain({"x": np.array([1.0, np.nan]), "y": (np.float64(2), -np.inf)}) == {"x": [1.0, None], "y": [2.0, None]}


@dataclass(frozen=True)
class Result:
    """Result with one of everything."""

    names: tuple[str, ...]
    edges: np.ndarray
    values: np.ndarray | None
    seed: int


@pytest.mark.parametrize("values", [None, np.array([[1.0, np.nan], [0.1 + 0.2, 3.0]])])
def test_result_survives_json(values):
    stored = Result(("EBV", "stars"), np.array([2, 10]), values, 7)
    back = restored(Result, json.loads(json.dumps(plain(vars(stored)))), "result")
    assert (back.names, back.seed) == (stored.names, 7)
    assert back.edges.dtype == stored.edges.dtype
    np.testing.assert_equal(back.values, values)


def test_result_that_is_not_whole_is_refused():
    with pytest.raises(DataError, match="the stored result lacks edges, seed: store to_dict"):
        restored(Result, {"names": [], "values": None}, "result")
