import numpy as np

from sysmap_core.mocks.galaxy_spectrum import shape_spectrum


def test_shape_goes_through_the_measured_multipoles():
    cl = shape_spectrum(1000)
    assert cl[0] == 0
    np.testing.assert_allclose(
        cl[[3, 10, 20, 40, 80, 128, 190]], [4.2e-3, 1.3e-3, 5.8e-4, 2.5e-4, 8.3e-5, 4.3e-5, 2.3e-5]
    )
    assert (np.diff(cl[1:]) < 0).all()
    np.testing.assert_array_equal(shape_spectrum(50), cl[:51])
