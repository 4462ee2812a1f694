"""What a user says of a sample: refused where it cannot be meant."""

from pathlib import Path

import pytest

from sysmap_core.errors import MissingDataError, ParameterError
from sysmap_core.samples.spec import SampleSpec, check_identifier, filled_in


@pytest.fixture
def files(tmp_path):
    """A spec whose files are there, though empty."""
    paths = {which: tmp_path / f"{which}.fits" for which in ("data", "randoms")}
    for path in paths.values():
        path.touch()
    return paths | {"template_dir": str(tmp_path)}


def spec(files, **more):
    return SampleSpec(16, **{**files, **more})


def test_good_spec_passes_as_it_is(files):
    checked = spec(files).checked()
    assert (checked.data, checked.template_dir) == (str(files["data"]), files["template_dir"])
    assert checked.checked() == checked


def test_named_sample_needs_no_files():
    assert SampleSpec(16, sample="11.25").checked().sample == "11.25"


@pytest.mark.parametrize(
    ("data", "name"),
    [("a/My galaxies (1).fits.gz", "My-galaxies-1"), ("LRG_full.dat.parquet", "LRG_full.dat"), ("x.h5", "x")],
)
def test_name_is_that_of_the_data_file(data, name):
    assert SampleSpec(16, data=data).name == name


def test_identifier_wins():
    assert SampleSpec(16, data="x.fits", identifier="LRG-main").name == "LRG-main"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "ümlaut", "x\n", "-p"])
def test_identifier_is_a_file_name(name):
    with pytest.raises(ParameterError, match=r"identifier is .*: give a name for files, of letters, digits and \._-"):
        check_identifier(name)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sample": "11.25"}, r"sample '11.25' and data .* came: give the name of a sample, or the catalogue of one"),
        ({"data": ""}, "neither sample nor data came"),
        ({"randoms": ""}, "neither randoms nor coverage came: give a catalogue of randoms, or a map"),
        ({"template_dir": ""}, "neither template_dir nor foregrounds came: give maps"),
        ({"data_dir": "x"}, "data_dir came and data names the catalogue itself: leave it out"),
        ({"z_edges": [0.5]}, r"z_edges are \[0.5\]: give two or more redshifts"),
        ({"z_edges": [0.5, 0.4]}, "each larger than the one before"),
        ({"z_edges": [0.5, 0.5]}, "each larger than the one before"),
        ({"bin_column": "BIN", "z_edges": [0.1, 0.2]}, "bin_column 'BIN' came beside z_edges or z_column"),
        ({"nside": 63}, "nside is 63: give a power of two"),
        ({"identifier": "../x"}, r"identifier is '\.\./x'"),
    ],
)
def test_contradictions_are_refused(files, more, message):
    with pytest.raises(ParameterError, match=message):
        SampleSpec(**{"nside": 16, **files, **more}).checked()


@pytest.mark.parametrize("more", [{"randoms": "r.fits"}, {"coverage": "c.fits"}, {"regions": "caps"}])
def test_named_sample_has_its_own_files(more):
    with pytest.raises(ParameterError, match=r"came and sample '9.0' has its own files: leave it out"):
        SampleSpec(16, sample="9.0", **more).checked()


@pytest.mark.parametrize("which", ["data", "randoms", "coverage"])
def test_files_have_to_be_there(files, which):
    with pytest.raises(MissingDataError, match=rf"{which} is 'nowhere.fits', which is not a file: check the name"):
        spec(files, **{which: "nowhere.fits"}).checked()


def test_variables_of_the_environment_are_filled_in(files, monkeypatch):
    monkeypatch.setenv("SURVEY", str(Path(files["data"]).parent))
    checked = spec(files, data="$SURVEY/data.fits", template_dir=["$SURVEY/a.fits", "b.fits"]).checked()
    assert checked.data == str(files["data"])
    assert checked.template_dir == [f"{files['data'].parent}/a.fits", "b.fits"]


def test_list_of_one_may_be_a_folder(files):
    assert spec(files, template_dir=[files["template_dir"]]).checked().template_dir == files["template_dir"]


def test_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(
        MissingDataError, match=r"path '\$NOWHERE/x' names a variable of the environment that is not set"
    ):
        filled_in("$NOWHERE/x")


def test_home_is_filled_in(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert filled_in("~/x.fits") == "/somewhere/x.fits"
