"""Surveys of known truth that share nothing with the methods that are compared on them.

Galaxies are points of lognormal fields that are drawn at four times the resolution of the analysis, on a ragged
footprint, some with satellites; the coverage is counted with finite randoms; templates have heavy tails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..mocks import MockSurvey, mock_survey, with_satellites
from ..sky import Field, to_nside
from ..templates import FAMILIES, TemplateSet, standardise, synthetic_maps

TAIL = 0.6
"""Templates are exponentials of Gaussian maps of this rms."""


@dataclass(frozen=True)
class TailedSurveys:
    """What all surveys of a comparison have in common.

    Parameters
    ----------
    survey : MockSurvey
        Clustering and mask.
    n_sys : int
        Templates.
    galaxies_per_pixel : float
        Mean number of galaxies in a whole pixel, before satellites.
    randoms_per_galaxy : float
        Randoms.
    satellites : float
        Share of galaxies that have a satellite.

    Examples
    --------
    >>> import numpy as np
    >>> surveys = TailedSurveys.of(8, 0.3, n_sys=2, galaxies_per_pixel=20.0)
    >>> seen = surveys.place(np.random.SeedSequence(1))
    >>> field, truth = seen.observe(0.1 * seen.templates.values[0])
    >>> len(truth) == field.n_pix
    True
    """

    survey: MockSurvey
    n_sys: int
    galaxies_per_pixel: float
    randoms_per_galaxy: float
    satellites: float

    @classmethod
    def of(
        cls,
        nside: int,
        rms: float,
        *,
        n_sys: int,
        galaxies_per_pixel: float,
        randoms_per_galaxy: float = 5.0,
        satellites: float = 0.2,
    ) -> TailedSurveys:
        """Surveys with the clustering of LS10 galaxies, of a given rms in a pixel [1]; nothing is drawn yet."""
        return cls(mock_survey(nside, rms), n_sys, galaxies_per_pixel, randoms_per_galaxy, satellites)

    @property
    def number(self) -> float:
        """Galaxies wanted on average over fields."""
        return self.galaxies_per_pixel * self.survey.coverage.sum()

    def place(self, sequence: np.random.SeedSequence, hidden: int = 0) -> PlacedSurvey:
        """Draw templates and randoms of one survey.

        Parameters
        ----------
        sequence : numpy.random.SeedSequence
            Fixes the survey, its galaxies included.
        hidden : int
            Templates that are made beside those that a fit is given.

        Returns
        -------
        PlacedSurvey
            Its galaxies are drawn by :meth:`PlacedSurvey.observe`.
        """
        of_templates, of_randoms, of_amplitudes, of_field, of_galaxies = sequence.spawn(5)
        shapes = [list(FAMILIES)[i % len(FAMILIES)] for i in range(self.n_sys + hidden)]
        gaussian = synthetic_maps(self.survey.nside, shapes, np.random.default_rng(of_templates))
        maps = np.exp(TAIL * gaussian / gaussian.std(1, keepdims=True))
        seen = self.survey.with_randoms(int(self.randoms_per_galaxy * self.number), np.random.default_rng(of_randoms))
        names = [f"{shape} {i}" for i, shape in enumerate(shapes)]
        known = standardise(maps[: self.n_sys], names[: self.n_sys], seen.pixels)
        unknown = standardise(maps, names, seen.pixels).values[self.n_sys :]
        rng = np.random.default_rng(of_amplitudes)
        return PlacedSurvey(self, seen, known, unknown, rng, of_field, of_galaxies)


@dataclass(frozen=True)
class PlacedSurvey:
    """One survey before its galaxies are drawn.

    Parameters
    ----------
    surveys : TailedSurveys
        What it has in common with others.
    seen : MockSurvey
        With the coverage of its randoms.
    templates : TemplateSet
        Those that a fit is given.
    hidden : ndarray, shape (n_hidden, n_pix)
        Templates that it is not given, standardised.
    rng : numpy.random.Generator
        For true amplitudes.
    of_field, of_galaxies : numpy.random.SeedSequence
        The same for all contaminations of this survey.
    """

    surveys: TailedSurveys
    seen: MockSurvey
    templates: TemplateSet
    hidden: np.ndarray
    rng: np.random.Generator
    of_field: np.random.SeedSequence
    of_galaxies: np.random.SeedSequence

    def observe(
        self, additive: np.ndarray | None = None, multiplicative: np.ndarray | None = None
    ) -> tuple[Field, np.ndarray]:
        """Galaxies of this survey with a contamination.

        Parameters
        ----------
        additive, multiplicative : ndarray, shape (n_pix,), optional
            A and B of the pixels; none by default [1].

        Returns
        -------
        field : Field
            What is observed.
        truth : ndarray, shape (n_pix,)
            True overdensity, relative to the mean of the survey [1].
        """
        rngs = np.random.default_rng(self.of_field), np.random.default_rng(self.of_galaxies)
        mock = self.seen.draw(self.surveys.number, *rngs, additive=additive, multiplicative=multiplicative)
        field = self.seen.counted(with_satellites(mock.galaxies, self.surveys.satellites, rngs[1]))
        return field, field.contrast(1.0 + to_nside(mock.delta, self.seen.nside)[field.pixels])
