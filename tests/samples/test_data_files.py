"""The folder of the real data and the files in it."""

import pytest

from sysmap_core.errors import MissingDataError
from sysmap_core.samples.data_files import data_file, data_folder


def test_folder_by_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SYSMAP_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.setenv("SYSMAP_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(MissingDataError, match=r"SYSMAP_DATA is '.*nowhere', which is not a folder"):
        data_folder()
    monkeypatch.delenv("SYSMAP_DATA")
    assert data_folder(tmp_path) == tmp_path
    with pytest.raises(MissingDataError, match=r"SYSMAP_DATA is not set: .* the real data \(README"):
        data_folder("")


def test_file_of_a_folder(tmp_path):
    (tmp_path / "a.fits").write_bytes(b"")
    assert data_file("a.fits", "nobody", tmp_path) == tmp_path / "a.fits"
    with pytest.raises(MissingDataError, match=r"b\.fits is not in .*: set SYSMAP_DATA .*sources are public: somebody"):
        data_file("b.fits", "somebody", tmp_path)
