"""Fields and masks by the names of sys_mapping."""

import healpy as hp
import numpy as np
import pytest

from sysmap_core.errors import ParameterError
from sysmap_core.mocks.footprints import survey_mask
from sysmap_core.sys_mapping.mocks import generate_lognormal_field, make_galactic_mask

NSIDE = 16


def test_lognormal_field():
    fields = [generate_lognormal_field(NSIDE, 0.4, seed=seed) for seed in range(30)]
    assert min(f.min() for f in fields) > -1
    rms = np.sqrt(np.mean([f.var() for f in fields]))
    assert rms == pytest.approx(np.sqrt(np.expm1(0.16)), rel=0.06)
    logs = np.mean([np.log1p(f).std() for f in fields])
    assert logs == pytest.approx(0.4, rel=0.06)
    np.testing.assert_array_equal(fields[3], generate_lognormal_field(NSIDE, 0.4, seed=3))


def test_galactic_mask_is_galactic():
    mask = make_galactic_mask(NSIDE)
    np.testing.assert_array_equal(mask, survey_mask(NSIDE, min_latitude=20.0))
    # the centre of the Galaxy, and a place on the celestial equator far from its plane
    assert not mask[hp.ang2pix(NSIDE, 266.4, -28.9, lonlat=True)]
    assert mask[hp.ang2pix(NSIDE, 180.0, 0.0, lonlat=True)]


def test_bad_input():
    with pytest.raises(ParameterError, match="sigma is 0"):
        generate_lognormal_field(NSIDE, 0)
    with pytest.raises(ParameterError, match="min_latitude is 90"):
        make_galactic_mask(NSIDE, 90)
