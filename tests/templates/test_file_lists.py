"""Which files are template maps: folders of resolutions, other folders, and lists."""

import numpy as np
import pytest

from sysmap_core.errors import DataError, MissingDataError
from sysmap_core.templates.file_lists import list_maps, template_name


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("stars.fits", "stars"),
        ("EBV_NSIDE_0064.fits", "EBV"),
        ("LS10_EBV_NSIDE_0064.FITS", "LS10_EBV"),
        ("gaia_stardens_nside128_nested_equatorial.fits.gz", "gaia_stardens"),
        ("dust-nside64-galactic.fit", "dust"),
        ("y3a2_i_mangle_4096_fwhm.hsp", "y3a2_i_mangle_4096_fwhm"),
        ("NSIDE_64.fits", "NSIDE_64"),
        ("ring.hs", "ring"),
        ("saturn_ring_Nest.hs", "saturn"),
    ],
)
def test_names_of_templates(file, name):
    assert template_name(file) == name


def test_every_map_of_a_folder(tmp_path):
    files = ("a.fits", "b.fits.gz", "c.fit", "d.FITS", "e.hsp", "f.hs", "g.fits.fz")
    touch(tmp_path, *files, "README", "notes.txt", ".partial-1-h.fits", "deeper/i.fits")
    found = list_maps(tmp_path, 64)
    assert [path.name for path in found.files] == list(files)
    assert list(found.files.values()) == list("abcdefg")
    assert not found.quantities
    assert found.notes == ("Not read, as they have no ending of a map: README, notes.txt.",)
    (tmp_path / "README").unlink()
    (tmp_path / "notes.txt").unlink()
    assert list_maps(str(tmp_path), 64).notes == ()


def test_folders_of_resolutions(tmp_path):
    names = (
        "LS10_EBV_NSIDE_0064.fits",
        "GAIA_nstar_faint_NSIDE_00064.fits.gz",
        "DES-Y6_FWHM_I_NSIDE_64.hs",
        "S_T_NSIDE_64.FITS",
    )
    touch(tmp_path / "0064", *names)
    found = list_maps(tmp_path, 64)
    assert found.quantities
    assert list(found.files.values()) == ["FWHM_I", "nstar_faint", "EBV", "T"]
    assert found.notes == ()
    touch(tmp_path, "0064/LS10_EBV_NSIDE_0128.fits", "0064/ebv.fits", "0064/README", "stars.fits", "0128/x.fits")
    assert list_maps(tmp_path, 64).files == found.files
    assert list_maps(tmp_path, 64).notes == (
        "Not read, as they are not SURVEY_QUANTITY_NSIDE_0064 in the folder 0064: LS10_EBV_NSIDE_0128.fits, ebv.fits, "
        "stars.fits.",
    )


def test_a_folder_without_maps_says_what_it_saw(tmp_path):
    with pytest.raises(
        MissingDataError, match=r"no template map in .*, which is empty: give files \.fits, .*, \.hs, or "
    ):
        list_maps(tmp_path, 64)
    touch(tmp_path, "README", "notes.txt", "more/x.fits")
    message = r"which holds README, more/, notes\.txt: .* or a folder 0064 with SURVEY_QUANTITY_NSIDE_0064\.fits"
    with pytest.raises(MissingDataError, match=message):
        list_maps(tmp_path, 64)
    touch(tmp_path, *(f"t{i}.txt" for i in range(5)))
    with pytest.raises(MissingDataError, match=r"which holds README, more/, notes\.txt, t0\.txt, .* and 2 more: give"):
        list_maps(tmp_path, 64)


def test_a_folder_of_a_resolution_with_other_names_says_what_it_saw(tmp_path):
    touch(tmp_path, "0032/ebv.fits", "0064/README")
    message = r"no template map SURVEY_QUANTITY_NSIDE_0032\.fits in .*0032, which holds ebv\.fits: put them there"
    with pytest.raises(MissingDataError, match=message):
        list_maps(tmp_path, 32)
    with pytest.raises(MissingDataError, match=r"take a resolution that is there \(0032, 0064\)"):
        list_maps(tmp_path, 128)
    # given itself, it is a folder like any other
    assert list(list_maps(tmp_path / "0032", 32).files.values()) == ["ebv"]


def test_lists_of_files(tmp_path):
    touch(tmp_path, "b_nside64.fits", "a.hsp", "c,d.fits", "more/x.fits")
    paths = [tmp_path / "b_nside64.fits", str(tmp_path / "a.hsp")]
    assert list(list_maps(paths, 64).files.values()) == ["b", "a"]
    assert list(list_maps(f"{paths[0]}, {paths[1]}", 64).files.items()) == list(list_maps(paths, 64).files.items())
    assert list(list_maps(np.array([str(path) for path in paths]), 64).files.values()) == ["b", "a"]
    assert list(list_maps(str(paths[0]), 64).files.values()) == ["b"]
    assert list(list_maps(tmp_path / "c,d.fits", 64).files.values()) == ["c,d"]


def test_lists_that_cannot_be_meant(tmp_path):
    touch(tmp_path, "a.fits", "more/a.fits")
    with pytest.raises(
        MissingDataError, match=r"names .*b\.fits, which is not a file: give a folder, or a list of files"
    ):
        list_maps([tmp_path / "a.fits", tmp_path / "b.fits"], 64)
    with pytest.raises(MissingDataError, match="template_dir names an empty list: give a folder"):
        list_maps([], 64)
    with pytest.raises(DataError, match=r"template_dir names two files a\.fits: rename one of them"):
        list_maps([tmp_path / "a.fits", tmp_path / "more" / "a.fits"], 64)
    with pytest.raises(MissingDataError, match=r"template_dir is '.*nowhere', which is not a folder: check the path"):
        list_maps(tmp_path / "nowhere", 64)
