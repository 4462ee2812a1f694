import numpy as np

from sysmap_core.mocks.suite import make_mock_catalog, make_mock_suite

B = np.array([-0.08, 0.06])


def test_numbers_of_a_catalogue():
    for mock in make_mock_suite(8, 2, n_mean=2.0, rand_factor=1).values():
        assert (mock.n_sys, mock.n_pix) == (2, 768)
        assert mock.n_gal == len(mock.ra_gal) == len(mock.galaxies)
        assert mock.n_rand == len(mock.dec_rand)
        assert mock.n_good_pix == np.sum(mock.mask)


def test_multiplicative_scenario_of_sys_mapping():
    """With a = 0, as that package simulates it."""
    mock = make_mock_catalog(8, 2, np.zeros(2), B, scenario="combined", n_mean=1.0)
    expected = mock.delta_true * (1 + B @ mock.templates)
    np.testing.assert_allclose(mock.delta_obs, np.maximum(expected, -1), atol=1e-12)
