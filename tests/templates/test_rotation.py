import numpy as np
import pytest
from skies import orthonormal_templates

from sysmap_core.errors import DataError
from sysmap_core.templates.rotation import whiten


def test_whitened_templates():
    templates = np.array([[1.0, 0.0], [0.6, 0.8]]) @ orthonormal_templates(2, 500)
    basis, white = whiten(templates, ("one", "two"))
    np.testing.assert_allclose(white @ white.T / 500, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(basis.T @ templates, white, atol=1e-12)


def test_templates_that_are_white_already_are_kept():
    """Axes of equal length are arbitrary: rounding must not turn them."""
    templates = orthonormal_templates(3, 500)
    np.testing.assert_allclose(whiten(templates, ("one", "two", "three"))[0], np.eye(3), atol=1e-12)


def test_degenerate_templates_are_named():
    templates = orthonormal_templates(3, 500)
    maps = np.vstack([templates, templates[0] + templates[2]])
    with pytest.raises(DataError, match="templates dust, seeing, both are linear combinations of each other"):
        whiten(maps, ("dust", "stars", "seeing", "both"))
