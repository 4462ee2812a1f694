"""Code to copy measures what the package measures."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from skies import catalogued_run

from sysmap_core.analysis.usage import PROGRAMS, usage
from sysmap_core.errors import ParameterError
from sysmap_core.weights import measure_catalogues


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two regions with two bins, with the files of weights."""
    folder = tmp_path_factory.mktemp("run")
    found = catalogued_run(folder)
    return found, found.write(folder)


def test_code_for_treecorr_gives_the_measurement_of_the_package(done):
    found, (galaxies, randoms, _) = done
    part = found.parts[-1]
    place = {}
    exec(usage("TreeCorr", galaxies, randoms, part.part), place)
    wanted = measure_catalogues(part.part, part.best)[part.best.method]
    # bins of TreeCorr are those of the package; pairs at their edges may fall on either side
    np.testing.assert_allclose(place["w"], wanted.w, atol=0.05 * wanted.w.max())
    assert part.best.method == "GLS"


def test_code_for_corrfunc_gives_the_measurement_of_the_package(done):
    pytest.importorskip("Corrfunc", reason="the extra sysmap-core[corrfunc] is not installed")
    found, (galaxies, randoms, _) = done
    place = {}
    exec(usage("Corrfunc", galaxies, randoms, found.parts[-1].part), place)
    wanted = measure_catalogues(found.parts[-1].part, found.parts[-1].best)["GLS"]
    np.testing.assert_allclose(place["w"], wanted.w, atol=0.05 * wanted.w.max())


def test_code_for_namaster_gives_it_the_cleaned_map(done, monkeypatch):
    """The mask is the share of the randoms, and the field inside is the map under both weights."""
    given = {}

    class Field:
        def __init__(self, mask, maps):
            given.update(mask=mask, delta=maps[0])

    bins = SimpleNamespace(from_nside_linear=lambda nside, width: (nside, width))
    stand_in = SimpleNamespace(NmtField=Field, NmtBin=bins, compute_full_master=lambda one, two, edges: [edges])
    monkeypatch.setitem(sys.modules, "pymaster", stand_in)
    found, (galaxies, randoms, _) = done
    part = found.parts[-1]
    place = {}
    exec(usage("NaMaster", galaxies, randoms, part.part), place)
    pixels = part.field.pixels
    np.testing.assert_allclose(given["mask"][pixels], part.field.expected / part.field.expected.sum(), rtol=1e-9)
    np.testing.assert_allclose(given["delta"][pixels], part.best.cleaned, atol=1e-9)
    assert not np.delete(given["mask"], pixels).any()
    assert place["cl"] == (8, 8)


@pytest.mark.parametrize("program", PROGRAMS)
def test_code_is_python_for_the_part(done, program):
    found, (galaxies, randoms, _) = done
    code = usage(program, galaxies, randoms, found.parts[-1].part)
    compile(code, program, "exec")
    assert f'Table.read("{galaxies}", hdu="WEIGHTS")' in code
    assert 'galaxies["REGION"] == "S"' in code
    assert 'randoms["REGION"] == "S"' in code
    assert 'galaxies["ZBIN"] == 2' in code
    assert 'randoms["IN_FIT_Z2"]' in code
    assert 'randoms["WEIGHT_SYS_Z2"]' in code


def test_code_for_a_whole_sample_names_no_part(tmp_path):
    found = catalogued_run(tmp_path, parts=False)
    galaxies, randoms, _ = found.write(tmp_path)
    code = usage("TreeCorr", galaxies, randoms, found.parts[0].part)
    assert "REGION" not in code
    assert "ZBIN" not in code
    place = {}
    exec(code, place)
    wanted = measure_catalogues(found.parts[0].part, found.parts[0].best)[found.parts[0].best.method]
    np.testing.assert_allclose(place["w"], wanted.w, atol=0.05 * wanted.w.max())


def test_unknown_program(done):
    found, (galaxies, randoms, _) = done
    with pytest.raises(ParameterError, match="unknown program 'treecor': did you mean 'TreeCorr'"):
        usage("treecor", galaxies, randoms, found.parts[0].part)
