"""Correlation functions of a field and of other maps on its footprint."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..sky import Field
from .correlation import Correlation
from .estimators import pixel_correlation


def field_correlation(
    field: Field, delta: np.ndarray | None = None, *, edges_arcmin: np.ndarray, **options: Any
) -> Correlation:
    """Correlation function of a map on the pixels of a field, weighted by the expected counts of the field.

    Parameters
    ----------
    field : Field
        Footprint and expected counts.
    delta : ndarray, shape (n_pix,), optional
        Overdensity of every pixel, such as a corrected or the true one; that of the field by default [1].
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges, evenly spaced in theta or in its logarithm [arcmin].
    **options
        Of :func:`~.pixel_correlation`: ``engine``, ``covariance``, ``patches``, ``bin_slop``
        and ``seed``.

    Returns
    -------
    Correlation
        From pairs of pixel centres.

    Raises
    ------
    DataError
        When the map does not have one finite value per pixel, or for options that do not fit.
    ParameterError
        For an unknown engine or covariance.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core.mocks import pixel_sample
    >>> field = pixel_sample(16, 0.3, 50.0).draw(1)
    >>> len(field_correlation(field, edges_arcmin=np.geomspace(300, 1200, 4), engine="harmonic").w)
    3
    """
    delta = field.delta if delta is None else delta
    how = {"edges_arcmin": edges_arcmin, "weights": field.expected} | options
    return pixel_correlation(delta, field.pixels, field.nside, **how)
