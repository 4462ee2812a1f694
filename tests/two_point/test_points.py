import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.two_point.points import check_points


def test_positions_are_copies_in_double_precision():
    ra, dec = np.array([1, 2], np.float32), np.array([3, 4])
    points = check_points("galaxies", (ra, dec), [1, 3])
    assert points.ra.dtype == points.dec.dtype == points.weights.dtype == float
    points.ra[0] = 7.0
    assert ra[0] == 1.0
    assert (len(points), points.sum_weights) == (2, 4.0)
    assert check_points("galaxies", (ra, dec)).sum_weights == 2.0


@pytest.mark.parametrize(
    ("positions", "weights", "message"),
    [
        (([1.0, 2.0], [1.0]), None, "galaxies have 2 RA, 1 Dec and 2 weights"),
        (([1.0, 2.0], [1.0, 2.0]), [1.0], "galaxies have 2 RA, 2 Dec and 1 weights"),
        (([], []), None, "galaxies have 0 RA"),
        (([1.0, np.nan], [1.0, 2.0]), None, r"1 of 2 galaxies have no finite position or \|Dec\| > 90"),
        (([1.0, 2.0], [1.0, -90.5]), None, r"1 of 2 galaxies have no finite position or \|Dec\| > 90"),
        (([1.0, 2.0], [1.0, 2.0]), [1.0, -1.0], "1 of 2 galaxies have a negative weight or none"),
        (([1.0, 2.0], [1.0, 2.0]), [1.0, np.nan], "1 of 2 galaxies have a negative weight or none"),
        (([1.0, 2.0], [1.0, 2.0]), [0.0, 0.0], "their sum is 0: give positive weights"),
    ],
)
def test_objects_that_cannot_be_counted(positions, weights, message):
    with pytest.raises(DataError, match=message):
        check_points("galaxies", positions, weights)
