"""A sample as a value: with fewer templates."""

import pytest

from sysmap_core.errors import ParameterError
from sysmap_core.samples.registry import load_sample


def test_templates_are_left_out_everywhere():
    """Maps, names, truth and sources; a note says so."""
    sample = load_sample("11.5", 16, seed=1)
    names = sample.template_names
    fewer = sample.without_templates([names[1], names[3]])
    assert fewer.template_names == tuple(n for n in names if n not in (names[1], names[3]))
    assert len(fewer.maps) == len(fewer.truth.a) == len(fewer.truth.b) == len(names) - 2
    assert fewer.truth.a[1] == sample.truth.a[2]
    assert (fewer.maps[1] == sample.maps[2]).all()
    assert names[1] not in fewer.sources
    assert fewer.notes[-1] == f"Templates left out: {names[1]}, {names[3]}."
    assert sample.without_templates([]) is sample


def test_unknown_template_is_named():
    sample = load_sample("11.5", 16, seed=1)
    with pytest.raises(ParameterError, match="unknown template 'EBVV': did you mean 'EBV'"):
        sample.without_templates(["EBVV"])
