"""Surveys of known truth in parts: regions that touch one another, and bins in redshift.

Regions are cut out of one clustered field; bins in redshift have fields of their own on the same pixels.  Each part has
its own amplitudes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import healpy as hp
import numpy as np

from ..errors import DataError
from ..mocks import with_satellites
from ..sky import Field
from ..templates import TemplateSet
from .tailed_surveys import PlacedSurvey, TailedSurveys


@dataclass(frozen=True)
class SurveyPart:
    """One part of a simulated survey.

    Parameters
    ----------
    field : Field
        What is observed there, relative to its own mean density.
    templates : TemplateSet
        Standardised on the part.
    a, b : ndarray, shape (n_sys,)
        True amplitudes, per rms of the template on the part.
    coordinate : float
        Number of its bin in redshift, from zero.
    """

    field: Field
    templates: TemplateSet
    a: np.ndarray
    b: np.ndarray
    coordinate: float


@dataclass(frozen=True)
class PartSurveys:
    """What all surveys in parts have in common.

    Parameters
    ----------
    surveys : TailedSurveys
        Clustering, mask, galaxies and templates.
    split_dec : float or None
        Declination of the border between two regions, North and South [deg]; None for one region.
    n_bins : int
        Bins in redshift.

    Examples
    --------
    >>> import numpy as np
    >>> surveys = PartSurveys(TailedSurveys.of(8, 0.3, n_sys=2, galaxies_per_pixel=20.0), split_dec=0.0)
    >>> parts = surveys.draw(np.random.SeedSequence(1), {"North": np.array([0.1, 0.0]), "South": np.zeros(2)})
    >>> [(label, part.templates.n_sys) for label, part in parts.items()]
    [('North', 2), ('South', 2)]
    """

    surveys: TailedSurveys
    split_dec: float | None = None
    n_bins: int = 1

    @property
    def labels(self) -> tuple[str, ...]:
        """Parts: regions, bins, or bins of regions."""
        regions = [""] if self.split_dec is None else ["North", "South"]
        bins = [""] if self.n_bins == 1 else [f"z{i + 1}" for i in range(self.n_bins)]
        return tuple(" ".join(filter(None, pair)) or "all" for pair in ((r, z) for r in regions for z in bins))

    def draw(
        self,
        sequence: np.random.SeedSequence,
        a: Mapping[str, np.ndarray] | None = None,
        b: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, SurveyPart]:
        """Draw one survey.

        Parameters
        ----------
        sequence : numpy.random.SeedSequence
            Fixes all of it.
        a, b : mapping of str to ndarray, shape (n_sys,), optional
            True amplitudes of the parts, per rms of the template on the whole footprint; none by default.

        Returns
        -------
        dict of str to SurveyPart
            By :attr:`labels`.

        Raises
        ------
        DataError
            When amplitudes are given for other parts.
        """
        nothing = {label: np.zeros(self.surveys.n_sys) for label in self.labels}
        a, b = ({**nothing, **dict(given or {})} for given in (a, b))
        unknown = [label for label in (*a, *b) if label not in nothing]
        if unknown:
            msg = f"amplitudes came for part {unknown[0]}: the parts are {', '.join(self.labels)}"
            raise DataError(msg)
        placed, found = self.surveys.place(sequence), {}
        for i, of_bin in enumerate(sequence.spawn(self.n_bins)):
            amplitudes = {label: (a[label], b[label]) for label in self.labels[i :: self.n_bins]}
            found |= _observed(placed, self._regions(placed.templates), amplitudes, of_bin, float(i))
        return {label: found[label] for label in self.labels}

    def _regions(self, templates: TemplateSet) -> list[np.ndarray]:
        """Pixels of each region."""
        if self.split_dec is None:
            return [templates.pixels]
        north = hp.pix2ang(templates.nside, templates.pixels, lonlat=True)[1] > self.split_dec
        return [templates.pixels[north], templates.pixels[~north]]


def _observed(
    placed: PlacedSurvey, regions: list[np.ndarray], amplitudes: dict, of_bin: np.random.SeedSequence, coordinate: float
) -> dict[str, SurveyPart]:
    """Parts that share one field."""
    sets = [placed.templates.restricted(pixels) for pixels in regions]
    # per rms on the part, from per rms on the whole footprint
    truths = [
        [pair * own.rms / placed.templates.rms for pair in given]
        for own, given in zip(sets, amplitudes.values(), strict=True)
    ]
    maps = np.zeros((2, len(placed.templates.pixels)))
    for own, truth in zip(sets, truths, strict=True):
        maps[:, placed.templates.footprint.places(own.pixels)] = np.array(truth) @ own.values
    of_field, of_galaxies = (np.random.default_rng(child) for child in of_bin.spawn(2))
    points = placed.seen.draw(placed.surveys.number, of_field, of_galaxies, *maps).galaxies
    galaxies = with_satellites(points, placed.surveys.satellites, of_galaxies)
    return {
        label: SurveyPart(replace(placed.seen, pixels=own.pixels).counted(galaxies), own, *truth, coordinate)
        for label, own, truth in zip(amplitudes, sets, truths, strict=True)
    }
