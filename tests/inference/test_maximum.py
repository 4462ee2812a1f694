import numpy as np
from skies import independent_counts

from sysmap_core.inference.maximum import find_mode
from sysmap_core.inference.pixel_likelihood import PixelSums
from sysmap_core.sky.counts import CountNoise


def test_maximum_does_not_depend_on_the_start():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=5_000)
    sums = PixelSums(delta, templates, "combined", "shot-noise", CountNoise.poisson(expected))
    rng = np.random.default_rng(0)
    modes = [find_mode(sums, np.concatenate([rng.normal(0, 0.05, 6), [rng.uniform(-2, 0)]])) for _ in range(4)]
    np.testing.assert_allclose([m.lnl for m in modes], modes[0].lnl, atol=1e-8)
    np.testing.assert_allclose([m.x for m in modes], np.broadcast_to(modes[0].x, (4, 7)), atol=1e-6)
    assert all(m.decrement < 1e-10 for m in modes)


def test_gradient_vanishes_and_curvature_is_the_information():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=5_000)
    sums = PixelSums(delta, templates, "combined", "shot-noise", CountNoise.poisson(expected))
    mode = find_mode(sums, np.array([0.0] * 6 + [-1.0]))
    _, gradient, hessian = sums.derivatives(mode.x)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-2 * np.sqrt(np.diag(mode.information)).max())
    np.testing.assert_allclose(mode.information, -hessian, rtol=1e-6, atol=1e-3)
