"""Every error can be caught by one type, and says what to do."""

import pytest

from sysmap_core.errors import DataError, MissingDataError, ParameterError, SysmapError, unknown_name


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(ParameterError, ValueError), (DataError, ValueError), (MissingDataError, FileNotFoundError)],
)
def test_errors_are_of_the_package_and_of_the_builtin_type(error, builtin):
    assert issubclass(error, SysmapError)
    assert issubclass(error, builtin)


def test_unknown_name_gives_the_nearest_and_all():
    message = str(unknown_name("method", "elasticnet", ["OLS", "ElasticNet"]))
    assert message == "unknown method 'elasticnet': did you mean 'ElasticNet'? known: OLS, ElasticNet"


def test_unknown_name_far_from_all_has_no_guess():
    assert str(unknown_name("method", "xyz", ["OLS", "ISD-1"])) == "unknown method 'xyz': known: OLS, ISD-1"


def test_unknown_name_need_not_be_text():
    assert "unknown sample 10.6: did you mean '10.5'?" in str(unknown_name("sample", 10.6, ["10.5", "BGS"]))
