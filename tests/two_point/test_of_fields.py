"""Maps on the footprint of a field are correlated with its weights."""

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.errors import DataError
from sysmap_core.two_point.estimators import pixel_correlation
from sysmap_core.two_point.of_fields import field_correlation

EDGES = np.geomspace(300.0, 1200.0, 4)


@pytest.fixture(scope="module")
def field():
    return ClusteredSky(nside=8).field(0)


@pytest.mark.parametrize("options", [{}, {"engine": "harmonic"}, {"patches": 5}])
def test_same_as_from_arrays(field, options):
    for delta in (None, field.delta**2):
        map_ = field.delta if delta is None else delta
        how = {"edges_arcmin": EDGES, "weights": field.expected} | options
        wanted = pixel_correlation(map_, field.pixels, field.nside, **how)
        found = field_correlation(field, delta, edges_arcmin=EDGES, **options)
        # threads add pairs up in any order
        np.testing.assert_allclose(found.w, wanted.w, rtol=1e-10)
        assert (found.cov is None) == (wanted.cov is None)


def test_map_of_another_footprint(field):
    with pytest.raises(DataError, match="give one value per pixel"):
        field_correlation(field, field.delta[:-1], edges_arcmin=EDGES)
