"""Checksums and writing under a temporary name."""

import hashlib

import numpy as np
import pytest

from sysmap_core.errors import MissingDataError
from sysmap_core.files import checksum, folder, plain, replacing


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
