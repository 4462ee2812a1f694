import numpy as np
import pytest
from skies import independent_counts, orthonormal_templates

from sysmap_core.errors import DataError
from sysmap_core.maximum import find_mode, whiten
from sysmap_core.pixels import PixelSums


def test_whitened_templates():
    templates = np.array([[1.0, 0.0], [0.6, 0.8]]) @ orthonormal_templates(2, 500)
    basis, white = whiten(templates, ("one", "two"))
    np.testing.assert_allclose(white @ white.T / 500, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(basis.T @ templates, white, atol=1e-12)


def test_degenerate_templates_are_named():
    templates = orthonormal_templates(3, 500)
    maps = np.vstack([templates, templates[0] + templates[2]])
    with pytest.raises(DataError, match="templates dust, seeing, both are linear combinations of each other"):
        whiten(maps, ("dust", "stars", "seeing", "both"))


def test_maximum_does_not_depend_on_the_start():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=5_000)
    sums = PixelSums(delta, templates, "combined", "shot-noise", expected)
    rng = np.random.default_rng(0)
    modes = [find_mode(sums, np.concatenate([rng.normal(0, 0.05, 6), [rng.uniform(-2, 0)]])) for _ in range(4)]
    np.testing.assert_allclose([m.lnl for m in modes], modes[0].lnl, atol=1e-8)
    np.testing.assert_allclose([m.x for m in modes], np.broadcast_to(modes[0].x, (4, 7)), atol=1e-6)
    assert all(m.decrement < 1e-10 for m in modes)


def test_gradient_vanishes_and_curvature_is_the_information():
    delta, templates, expected = independent_counts(20, 0.05, 0.1, n_pix=5_000)
    sums = PixelSums(delta, templates, "combined", "shot-noise", expected)
    mode = find_mode(sums, np.array([0.0] * 6 + [-1.0]))
    _, gradient, hessian = sums.derivatives(mode.x)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-2 * np.sqrt(np.diag(mode.information)).max())
    np.testing.assert_allclose(mode.information, -hessian, rtol=1e-6, atol=1e-3)
