import numpy as np
import pytest

from sysmap_core.errors import ParameterError
from sysmap_core.samples.observing import simulated_conditions


@pytest.fixture(scope="module")
def sky():
    return simulated_conditions(64, 1)


def test_other_seed_is_another_survey(sky):
    other = simulated_conditions(64, np.random.SeedSequence(1).spawn(2)[1])
    assert other.sources["NOBS_R"] == "simulated, seed 1, child (1,)"
    np.testing.assert_array_equal(other.maps[:2], sky.maps[:2])
    assert all((a != b).mean() > 0.9 for a, b in zip(other.maps[2:7], sky.maps[2:7], strict=True))


def test_bad_resolution():
    with pytest.raises(ParameterError, match="nside is 48"):
        simulated_conditions(48, 0)
