import pytest

from sysmap_core.errors import ParameterError
from sysmap_core.methods.table import METHODS, find_method


def test_columns_and_colours_are_distinct():
    assert len({row.column for row in METHODS.values()}) == len(METHODS)
    assert len({row.colour for row in METHODS.values()}) == len(METHODS)


def test_unknown_method():
    with pytest.raises(ParameterError, match="unknown method 'MCMC-com': did you mean 'MCMC-comb'"):
        find_method("MCMC-com")


def test_case_does_not_matter():
    assert find_method("mcmc-COMB").name == "MCMC-comb"
