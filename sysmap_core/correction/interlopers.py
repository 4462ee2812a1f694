r"""Interlopers with a mean: how many of the objects are none of the galaxies, and the clustering of those that are.

Templates are centred on the footprint, and an overdensity is relative to the mean of what was observed.  So a fit sees
how the density of interlopers varies, and nothing of its mean, the share f of the objects: the true overdensity is in
the map as :math:`(1 - f) \delta`, and its two-point functions as :math:`(1 - f)^2` times the true ones.  No weight
undoes that.  The share has to come from elsewhere, or from a template of which none means no interlopers, such as a
density of stars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..methods import Decontamination
from ..summaries import Measured
from ..templates import TemplateSet
from ..two_point import BandPowers, Correlation
from .corrected import CorrectedCorrelation

N_SIGMA = 2.0
"""Errors by which a share may be below zero, or has to be below one."""

MAX_RELATIVE_ERROR = 1.0 / 3.0
"""Largest error of the share of galaxies, relative to it, with which a curve can be divided by its square."""

_SLACK = 1e-9  # of the rms, for zeros of a map

Curve = TypeVar("Curve", Correlation, BandPowers)


@dataclass(frozen=True)
class InterloperFraction:
    """Share of the objects that are none of the galaxies.

    Parameters
    ----------
    value, error : float
        Share and its standard deviation [1]; it may be below zero by chance.
    origin : str
        Where it is known from, such as the survey whose redshifts were compared.

    Raises
    ------
    ParameterError
        When a number is not finite, the error is negative, the share is not below one, or is below zero by more than
        :data:`N_SIGMA` errors.

    Examples
    --------
    >>> known = InterloperFraction(0.05, 0.01, "spectra of 480 objects")
    >>> print(known)
    5.0 ± 1.0 % of the objects are interlopers (spectra of 480 objects)
    >>> print(known.dilution.text(".3f"))
    0.902 ± 0.019
    """

    value: float
    error: float
    origin: str

    def __post_init__(self):
        if not (np.isfinite(self.value) and np.isfinite(self.error) and self.error >= 0.0):
            came = f"the interloper fraction is {self.value} ± {self.error}"
            msg = f"{came}: give a finite share and its error, which is not negative"
            raise ParameterError(msg)
        if not self.value < 1.0:
            msg = f"the interloper fraction is {self.value:g}: give a share below 1, as then there is no galaxy"
            raise ParameterError(msg)
        if self.value < -N_SIGMA * self.error:
            came = f"the interloper fraction is {self.value:.3g} ± {self.error:.2g}"
            msg = (
                f"{came}, below 0 by more than {N_SIGMA:g} errors: it cannot be a share ({self.origin}); check its sign"
            )
            raise ParameterError(msg)

    @property
    def dilution(self) -> Measured:
        """Factor of the two-point functions, (1 - f)^2 [1]."""
        galaxies = 1.0 - self.value
        return Measured(galaxies**2, 2.0 * galaxies * self.error)

    def __str__(self):
        share = Measured(self.value, self.error).percent.text(".1f", " %")
        return f"{share} of the objects are interlopers ({self.origin})"


def fraction_through_zero(
    fit: Decontamination, through_zero: Sequence[str], *, no_selection: Sequence[str] = ()
) -> InterloperFraction:
    r"""Interloper fraction from templates whose zero means no interlopers.

    Parameters
    ----------
    fit : Decontamination
        Fit of templates in their own unit.
    through_zero : sequence of str
        Templates to whose values, **not** centred, the density of interlopers is proportional, such as a density of
        stars.  Interlopers of other templates count as none on average.
    no_selection : sequence of str
        Templates that are declared not to change which galaxies are selected: their ``b`` is zero.  A fit without
        multiplicative amplitudes of its own needs this of all ``through_zero``.

    Returns
    -------
    InterloperFraction
        Extrapolated, with the error of the amplitudes.

    Raises
    ------
    ParameterError
        When no template is named, a name is not known, the fraction is not identifiable from the kind of fit, or what
        is found is not a share.
    DataError
        When a map is negative somewhere, or hardly any galaxy would be selected at its zero.

    Notes
    -----
    With the share g = 1 - f of galaxies where templates are at their mean, objects have the density
    :math:`1 + A = g (1 + B) + I`, relative to the mean of what was observed, so that interlopers have
    :math:`I = f + A - g B`, which is :math:`A - B` where they are few.  At the zero of the maps m of
    ``through_zero`` I vanishes:

    .. math:: 1 - f = \frac{1 - \sum a_i \bar m_i / s_i}{1 - \sum b_i \bar m_i / s_i},

    with mean :math:`\bar m` and rms s: the density of objects is extrapolated to zero, and divided by the efficiency
    there.  Where the coverage is uneven, the mean density is that of its weights.  The law is taken to be linear down
    to zero, which is the farther away the larger :math:`\bar m / s` is, and the error grows with it.  A uniform part
    that does not vanish at zero stays invisible.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core import decontaminate, standardise
    >>> from sysmap_core.mocks import pixel_sample
    >>> from sysmap_core.templates import synthetic_maps
    >>> sample = pixel_sample(16, 0.1, 200.0)
    >>> map_of_stars = np.exp(0.5 * synthetic_maps(16, ["white_noise"], np.random.default_rng(0)))
    >>> stars = standardise(map_of_stars, ["stars"], sample.sky.footprint)
    >>> field = sample.draw(1, additive=0.1 * stars.rms / stars.mean * stars.values[0], multiplicative=-0.1)
    >>> fit = decontaminate(field, stars, "GLS")
    >>> found = fraction_through_zero(fit, ["stars"], no_selection=["stars"])
    >>> bool(abs(found.value - 0.1) < 3 * found.error)
    True
    """
    _check_identifiable(fit, through_zero, no_selection)
    theta, cov = _declared(fit, no_selection)
    distance, offset = _distances(fit.templates, through_zero), _offsets(fit)
    a, b = np.split(theta, 2)
    density, efficiency = 1.0 - a @ (distance + offset), 1.0 - b @ distance
    n_sys = len(a)
    uncertain = np.sqrt(distance @ cov[n_sys:, n_sys:] @ distance)
    if not efficiency > N_SIGMA * uncertain:
        came = f"where {' and '.join(through_zero)} vanish, the efficiency would be {efficiency:.2f} ± {uncertain:.2f}"
        msg = f"{came} of its mean: the interloper fraction is not identifiable from this fit; give one with its error"
        raise DataError(msg)
    galaxies = density / efficiency
    slope = np.concatenate([distance + offset, -galaxies * distance]) / efficiency
    origin = f"{' and '.join(through_zero)} extrapolated to zero, {fit.method}"
    return InterloperFraction(float(1.0 - galaxies), float(np.sqrt(slope @ cov @ slope)), origin)


def without_dilution(curve: Curve, fraction: InterloperFraction) -> Curve:
    r"""Two-point function of the galaxies alone, from that of the objects.

    Parameters
    ----------
    curve : Correlation or BandPowers
        Without the contamination that varies, which is what interlopers add; band powers without shot noise.
    fraction : InterloperFraction
        Share of the objects that are none of the galaxies.

    Returns
    -------
    Correlation or BandPowers
        Of the same type, over :math:`(1 - f)^2`; a covariance has that of the share added.

    Raises
    ------
    ParameterError
        When the curve is of another type.
    DataError
        When shot noise is still in the band powers, or the share is too uncertain for a division.

    Notes
    -----
    The error of the share is common to all bins: it adds :math:`w w^t [2 \sigma_f / (1 - f)]^2`.  Interlopers
    are taken to be unclustered beyond the templates.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core import field_correlation
    >>> from sysmap_core.mocks import pixel_sample
    >>> field = pixel_sample(16, 0.3, 50.0).draw(1)
    >>> observed = field_correlation(field, edges_arcmin=np.geomspace(300, 1200, 3), engine="harmonic")
    >>> galaxies = without_dilution(observed, InterloperFraction(0.1, 0.01, "spectra"))
    >>> np.round(galaxies.w / observed.w, 3)
    array([1.235, 1.235])
    """
    if not isinstance(curve, (Correlation, BandPowers)):
        msg = f"the curve is a {type(curve).__name__}: give a Correlation or BandPowers"
        raise ParameterError(msg)
    relative = fraction.error / (1.0 - fraction.value)
    if relative > MAX_RELATIVE_ERROR:
        msg = (
            f"{fraction}: too uncertain to divide a two-point function by (1 - f)^2; give a share with a smaller error"
        )
        raise DataError(msg)
    factor = fraction.dilution.value
    if isinstance(curve, BandPowers):
        if not curve.noise_subtracted:
            msg = "shot noise is in the band powers, and not diluted: measure them with the noise subtracted"
            raise DataError(msg)
        cl = curve.cl / factor
        return replace(curve, cl=cl, noise=curve.noise / factor, cov=_divided(curve.cov, cl, factor, relative))
    return _galaxies_alone(curve, fraction, factor, relative)


def _galaxies_alone(curve: Correlation, fraction: InterloperFraction, factor: float, relative: float) -> Correlation:
    w, of_type = curve.w / factor, {}
    if isinstance(curve, CorrectedCorrelation):
        # observed less removed, over the gain, is the curve
        cov_amplitudes = _divided(curve.cov_amplitudes, w, factor, relative)
        of_type = {"gain": curve.gain * factor, "cov_amplitudes": cov_amplitudes}
    return replace(
        curve,
        w=w,
        cov=None if curve.cov is None else _divided(curve.cov, w, factor, relative),
        estimator=f"{curve.estimator}, over (1 - f)^2 of interlopers",
        metadata={**curve.metadata, "interloper_fraction": vars(fraction)},
        **of_type,
    )


def _divided(cov: np.ndarray, values: np.ndarray, factor: float, relative: float) -> np.ndarray:
    """Covariance of values that were divided by the square of a share with this relative error."""
    return cov / factor**2 + np.outer(values, values) * (2.0 * relative) ** 2


def _check_identifiable(fit: Decontamination, through_zero: Sequence[str], no_selection: Sequence[str]) -> None:
    for kind, names in (("through_zero", through_zero), ("no_selection", no_selection)):
        if isinstance(names, str):
            msg = f"{kind} is {names!r}: give a list of templates, such as [{names!r}]"
            raise ParameterError(msg)
        for name in names:
            if name not in fit.names:
                raise unknown_name("template", name, fit.names)
    if not through_zero:
        msg = (
            "through_zero is empty, and a uniform part of interlopers is in no template: their fraction is not "
            "identifiable; name templates of which none means no interlopers, or give an InterloperFraction"
        )
        raise ParameterError(msg)
    unknown = [name for name in through_zero if name not in no_selection]
    if fit.model == "multiplicative":
        msg = f"{fit.method} takes all contamination for selection: fit an additive or a combined method"
        raise ParameterError(msg)
    if unknown and (fit.model != "combined" or fit.on_floor):
        told = f"does not tell interlopers from galaxies that {' and '.join(unknown)} selects"
        if fit.on_floor:
            who, advice = f"{fit.method} held the efficiency at its floor and", "fit fewer templates"
        else:
            who, advice = fit.method, "fit a combined method such as GLS-comb"
        msg = f"{who} {told}: their fraction is not identifiable; {advice}, or declare no_selection={unknown}"
        raise ParameterError(msg)


def _declared(fit: Decontamination, no_selection: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes (a, b) and their covariance, given that b of some templates is zero."""
    theta, cov, n_sys = np.concatenate([fit.a, fit.b]), fit.cov, len(fit.a)
    if fit.model != "combined":
        return theta * np.repeat([1.0, 0.0], n_sys), np.kron(np.diag([1.0, 0.0]), fit.cov_a)
    zero = [n_sys + fit.names.index(name) for name in dict.fromkeys(no_selection)]
    gain = np.linalg.solve(cov[np.ix_(zero, zero)], cov[zero]).T
    return theta - gain @ theta[zero], cov - gain @ cov[zero]


def _distances(templates: TemplateSet, through_zero: Sequence[str]) -> np.ndarray:
    """Distances of the zero of the maps from their mean, zero for other templates, shape (n_sys,) [rms]."""
    distance = np.zeros(templates.n_sys)
    for name in through_zero:
        i = templates.names.index(name)
        distance[i] = templates.mean[i] / templates.rms[i]
        negative = int(np.sum(templates.values[i] < -distance[i] - _SLACK))
        if negative:
            msg = (
                f"{name} is negative in {negative} pixels of {templates.values.shape[1]} and cannot go through zero: "
                "give the map in its own unit, neither centred nor in magnitudes"
            )
            raise DataError(msg)
    return distance


def _offsets(fit: Decontamination) -> np.ndarray:
    """Means of the templates as the mean density has them, by expected counts, shape (n_sys,) [rms]."""
    expected = fit.field.expected
    weights = expected if np.all(np.isfinite(expected)) else np.ones_like(expected)
    return np.average(fit.templates.values, axis=1, weights=weights)
