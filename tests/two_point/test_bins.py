import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.two_point.bins import angular_bins


def test_centres_of_bins():
    np.testing.assert_allclose(angular_bins([1.0, 2.0, 3.0]).nominal, [1.5, 2.5])
    np.testing.assert_allclose(angular_bins([1.0, 10.0, 100.0]).nominal, np.sqrt([10.0, 1000.0]))


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([5.0, 2.0], "edges_arcmin does not increase"),
        ([5.0], "edges_arcmin does not increase"),
        ([1.0, np.nan, 5.0], "edges_arcmin does not increase"),
        (7.0, "edges_arcmin does not increase"),
        ([1.0, 2.0, 5.0], "even neither in theta nor in ln theta"),
        ([-1.0, 2.0, 5.0], "edges_arcmin goes from -1 to 5: give arcminutes between 0 and 10800"),
        ([1.0, 10801.0], "edges_arcmin goes from 1 to 10801"),
    ],
)
def test_bins_that_are_none(edges, message):
    with pytest.raises(DataError, match=message):
        angular_bins(edges)
