"""Correlation functions of catalogues with the weights of a method."""

from __future__ import annotations

import healpy as hp
import numpy as np

from ..errors import DataError
from ..methods import Decontamination
from ..samples import SamplePart
from ..two_point import Correlation, angular_correlation, random_pairs

CATALOGUE_CHOICES = ("auto", "catalogue", "pixels")

MAX_OBJECTS = 1_000_000
"""Galaxies and randoms up to which ``auto`` counts pairs of objects."""

CATALOGUE_EDGES = np.geomspace(6.0, 180.0, 11)
"""Bins of catalogue correlation functions [arcmin]."""


def measure_catalogues(sample, result: Decontamination, estimator: str = "auto") -> dict[str, Correlation] | None:
    """Correlation function of the catalogues, with their own weights, without and with those of a method.

    Parameters
    ----------
    sample : Sample or SamplePart
        Sample with its catalogues, or a part of one, of which its own objects are measured.
    result : Decontamination
        Method whose pair of weights is used, fitted to the same sample or part.
    estimator : {"auto", "catalogue", "pixels"}
        ``auto`` measures up to :data:`MAX_OBJECTS` objects.

    Returns
    -------
    dict of str to Correlation, or None
        ``"observed"`` and the method's name, without a covariance; None when pixels were asked for, or when ``auto``
        finds no catalogues or too many objects.

    Raises
    ------
    DataError
        When catalogues were asked for and the sample has none.
    """
    sample = sample.sample if isinstance(sample, SamplePart) else sample
    there = sample.galaxies is not None and sample.randoms is not None
    if estimator == "catalogue" and not there:
        msg = f"estimator is 'catalogue' and {sample.identifier} has no catalogues: take 'pixels' or 'auto'"
        raise DataError(msg)
    affordable = there and len(sample.galaxies) + len(sample.randoms) <= MAX_OBJECTS
    if estimator == "pixels" or (estimator == "auto" and not affordable):
        return None
    # full-sky maps of the weights; NaN marks what lies off the footprint
    maps = [result.footprint.full_sky(v, fill=np.nan) for v in (result.galaxy_weights, result.random_weights)]
    positions, weights, systematics = [], [], []
    for objects, values in zip((sample.galaxies, sample.randoms), maps, strict=True):
        weight = values[hp.ang2pix(result.footprint.nside, objects.ra, objects.dec, lonlat=True)]
        inside = np.isfinite(weight)
        positions.append((objects.ra[inside], objects.dec[inside]))
        weights.append(None if objects.weights is None else objects.weights[inside])
        systematics.append(weight[inside])
    common = {"edges_arcmin": CATALOGUE_EDGES, "galaxy_weights": weights[0], "random_weights": weights[1]}
    common["rr"] = random_pairs(positions[1], edges_arcmin=CATALOGUE_EDGES, weights=weights[1])
    pair = {"galaxy_systematics": systematics[0], "random_systematics": systematics[1]}
    return {
        "observed": angular_correlation(*positions, **common),
        result.method: angular_correlation(*positions, **common, **pair),
    }
