"""Heads of tables, and what is said of a file that cannot be read."""

import zlib
from pathlib import Path

import pytest

from sysmap_core.errors import DataError, ParameterError
from sysmap_core.sky.table_heads import TableHead, guarded, short_reason, stored_units


def test_columns_that_mask_others_are_no_columns_of_their_own():
    head = TableHead(None, "", dict.fromkeys(["Z", "Z.mask", "fits.mask"]))
    assert head.names == ("Z", "fits.mask")
    assert head.mask_of("Z") == "Z.mask"
    assert head.mask_of("fits.mask") is None


@pytest.mark.parametrize("error", [OSError("x"), zlib.error("x"), UserWarning("x"), KeyError("x"), RuntimeError("x")])
def test_errors_of_readers_are_about_the_file(error):
    with (
        pytest.raises(DataError, match=r"a\.h5 cannot be read as HDF5 \(x\): write or copy it again$"),
        guarded(Path("a.h5"), "HDF5"),
    ):
        raise error


def test_errors_that_say_more_stay_what_they_are():
    with pytest.raises(ParameterError, match="mine"), guarded(Path("a"), "HDF5"):
        raise ParameterError("mine")


def test_a_reason_is_one_sentence():
    assert short_reason(OSError("No SIMPLE card found. Try another one.\nOr not.")) == "No SIMPLE card found"
    assert short_reason(KeyError("a 'b'")) == "a 'b"
    assert short_reason(OSError()) == "OSError"


def test_units_that_astropy_keeps():
    assert stored_units("datatype:\n- {name: RA, unit: deg, datatype: float64}\n- {name: n, datatype: int64}") == {
        "RA": "deg"
    }
