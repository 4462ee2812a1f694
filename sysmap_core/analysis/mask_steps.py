"""Steps of mask and refit: what is left by cuts, and what changes between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f

from ..diagnostics import Verdict, leverage
from ..errors import ParameterError
from ..methods import Decontamination
from ..summaries import Measured, errors_of
from ..templates import Cut, TemplateSet
from ..two_point import Correlation

_SQUARE_DEGREES = (180.0 / np.pi) ** 2


@dataclass(frozen=True)
class LeverageCut:
    """Cut of the pixels that decide most about a linear fit of the templates.

    Parameters
    ----------
    multiple : float
        Largest leverage kept, in units of its mean.

    Raises
    ------
    ParameterError
        When the multiple is not above one.

    Examples
    --------
    >>> print(LeverageCut(10.0))
    leverage <= 10 times its mean
    """

    multiple: float = 10.0

    def __post_init__(self):
        if not self.multiple > 1.0:
            msg = f"multiple is {self.multiple}: give a number above 1, as the mean leverage itself is kept"
            raise ParameterError(msg)

    def keeps(self, templates: TemplateSet) -> np.ndarray:
        """Whether each pixel is kept, bool, shape (n_pix,)."""
        return ~leverage(templates, self.multiple).mask

    def __str__(self):
        return f"leverage <= {self.multiple:g} times its mean"


@dataclass(frozen=True)
class Change:
    """Difference between two steps, against its own error.

    Parameters
    ----------
    difference : ndarray, shape (n,)
        After less before.
    expected : ndarray, shape (n,)
        Its mean over realisations whose density follows the templates in one way everywhere.
    cov : ndarray, shape (n, n)
        Covariance of ``difference - expected``: of one sky through both masks, and of the mean of the realisations.
    p : float
        Probability of a larger difference by chance; NaN for as many values as realisations.
    """

    difference: np.ndarray
    expected: np.ndarray
    cov: np.ndarray
    p: float

    @property
    def error(self) -> np.ndarray:
        """Standard deviation of each value, shape (n,)."""
        return errors_of(self.cov)


@dataclass(frozen=True)
class MaskStep:
    """A fit on what some cuts leave.

    Parameters
    ----------
    cuts : tuple of Cut
        Cuts that were made; none in the first step.
    before : int or None
        Step that it is compared with.
    fit : Decontamination
        Fit on the part that is left, with templates that are standardised there.
    decision : Verdict
        Whether to correct it.
    a, b : Measured, shape (n_sys,)
        Amplitudes per rms of the templates on the footprint **before** all cuts, relative to the mean density that is
        left.
    correlation : Correlation
        Correlation function of the cleaned map, with what the fit took given back, and its covariance.
    """

    cuts: tuple[Cut, ...]
    before: int | None
    fit: Decontamination
    decision: Verdict
    a: Measured
    b: Measured
    correlation: Correlation

    @property
    def label(self) -> str:
        """What is kept, in words."""
        return ", ".join(map(str, self.cuts)) or "no cut"

    @property
    def area(self) -> float:
        """Area that is left [deg^2]."""
        return self.fit.footprint.n_pix * self.fit.footprint.pixel_area * _SQUARE_DEGREES

    @property
    def n_galaxies(self) -> float:
        """Sum of the weights of the galaxies that are left."""
        return self.fit.field.n_galaxies


@dataclass(frozen=True)
class MaskAndRefit:
    """Cuts one after the other, and what each of them changes.

    Parameters
    ----------
    steps : tuple of MaskStep
        Without a cut, with more and more cuts, and with each alone where that was asked for.
    curves : ndarray, shape (n_realisations, n_steps, n_theta)
        Correlation functions of realisations of one sky each, through all masks [1].
    amplitudes : ndarray, shape (n_realisations, n_steps, 2 n_sys)
        Their amplitudes a, then b, in the unit of the steps.
    """

    steps: tuple[MaskStep, ...]
    curves: np.ndarray
    amplitudes: np.ndarray

    def change(self, after: int, before: int | None = None) -> Change:
        """How the correlation function changes between two steps.

        Parameters
        ----------
        after : int
            Step.
        before : int, optional
            Step to compare it with; that of the step itself by default.

        Returns
        -------
        Change
            Of every bin [1].

        Raises
        ------
        ParameterError
            When there is no such step, or it has none to be compared with.
        """
        after, before = self._pair(after, before)
        found = self.steps[after].correlation.w - self.steps[before].correlation.w
        return _change(found, self.curves[:, after] - self.curves[:, before])

    def amplitude_change(self, after: int, before: int | None = None) -> Change:
        """How the amplitudes change between two steps.

        Parameters
        ----------
        after, before : int
            As in :meth:`change`.

        Returns
        -------
        Change
            Of ``a``, for a combined fit followed by ``b``, in the unit of the steps.

        Raises
        ------
        ParameterError
            As in :meth:`change`.
        """
        after, before = self._pair(after, before)
        one, other = (np.concatenate([step.a.value, step.b.value]) for step in (self.steps[after], self.steps[before]))
        free = slice(None) if self.steps[0].fit.model == "combined" else slice(len(one) // 2)
        return _change((one - other)[free], (self.amplitudes[:, after] - self.amplitudes[:, before])[:, free])

    def rows(self) -> list[dict[str, object]]:
        """Steps as rows of a table.

        Returns
        -------
        list of dict
            Cuts, what a step is compared with, area [deg^2], galaxies, contamination over the error of its fit with
            its error, probability that correcting helps, and p of the changes of the amplitudes and of the correlation
            function.
        """
        return [self._row(i) for i in range(len(self.steps))]

    def _row(self, i: int) -> dict[str, object]:
        step = self.steps[i]
        ratio = Measured(step.decision.ratio, step.decision.ratio_error)
        row = {"cuts": step.label, "area": step.area, "galaxies": step.n_galaxies, "ratio": ratio}
        row["probability"] = step.decision.probability
        changes = (np.nan, np.nan) if step.before is None else (self.amplitude_change(i).p, self.change(i).p)
        compared = "" if step.before is None else self.steps[step.before].label
        return row | {"compared with": compared} | dict(zip(("p of amplitudes", "p of w"), changes, strict=True))

    def _pair(self, after: int, before: int | None) -> tuple[int, int]:
        before = self.steps[after].before if before is None and 0 <= after < len(self.steps) else before
        for step in (after, before):
            if step is None or not 0 <= step < len(self.steps):
                msg = f"steps {after} and {before} are to be compared: give two from 0 to {len(self.steps) - 1}"
                raise ParameterError(msg)
        return after, before


def _change(found: np.ndarray, null: np.ndarray) -> Change:
    """Difference against those of realisations, shape (n_realisations, n)."""
    n, m = null.shape
    expected, cov = null.mean(0), np.atleast_2d(np.cov(null, rowvar=False)) * (1.0 + 1.0 / n)
    if not cov.any():
        return Change(found, expected, cov, 1.0)  # nothing was cut
    if n <= m:
        return Change(found, expected, cov, np.nan)
    off = found - expected
    statistic = off @ np.linalg.solve(cov, off)
    return Change(found, expected, cov, float(f.sf(statistic * (n - m) / (m * (n - 1)), m, n - m)))
