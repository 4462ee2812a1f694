r"""Amplitudes weighted by the clustering of the field.

Least squares over pixels takes every pixel as new information; on a clustered sky its errors are
far larger than they need be.  Here the pixels are weighted by the inverse of their covariance:
of the overdensity for additive contamination, and of the overdensity and its square for both kinds.

The mean of the field over the footprint is fitted along and left free: the overdensity
is measured against the mean of the footprint, and so tells nothing about it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..covariance import PixelMoments, SpectrumEstimate, checked_spectrum, moment_spectra
from ..errors import DataError, ParameterError
from ..harmonic import PixelCovariance, Solution, solve, variance
from ..inference import MIN_DENSITY, MIN_EFFICIENCY
from ..sky import Field
from ..templates import TemplateSet

_FIRST_PASS = 1e-2

_INNER_STEPS = 5

_MAX_CORRELATION = 0.9

_MIN_VARIANCE = 0.01

_MAX_MOVE = 1.0


@dataclass(frozen=True)
class GeneralisedFit:
    """Additive amplitudes, weighted by the clustering of the field.

    Parameters
    ----------
    a : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    cov : ndarray, shape (n_sys, n_sys)
        Their covariance on the clustered sky.
    diagnostics : dict
        ``steps`` of the conjugate gradients, final relative ``residual``, ``converged``, and
        ``status`` in words.
    """

    a: np.ndarray
    cov: np.ndarray
    diagnostics: dict


@dataclass(frozen=True)
class TwoMomentFit:
    """Additive and multiplicative amplitudes, weighted by the clustering of the field.

    Parameters
    ----------
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    sigma : float
        rms of the field [1].
    cov : ndarray, shape (2 n_sys + 1, 2 n_sys + 1)
        Covariance of ``(a, b, sigma)`` on the clustered sky.
    diagnostics : dict
        ``steps`` of the conjugate gradients in all, final relative ``residual``, ``converged``,
        ``status`` in words, ``last_move`` of an amplitude between the last two evaluations of
        the covariance in units of its error, smallest fitted ``min_efficiency``, whether a step ended ``on_floor``, and
        ``clipped``, the multipoles and pixels where the kernels were made positive.
    """

    a: np.ndarray
    b: np.ndarray
    sigma: float
    cov: np.ndarray
    diagnostics: dict


def generalised_least_squares(
    field: Field,
    templates: TemplateSet,
    spectrum: np.ndarray | SpectrumEstimate | None = None,
    *,
    a: np.ndarray | None = None,
    beyond: float | None = None,
    tolerance: float = 1e-6,
) -> GeneralisedFit:
    r"""Generalised least squares on a clustered sky.

    Parameters
    ----------
    field : Field
        Observed overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,) or longer, or SpectrumEstimate, optional
        Spectrum of the pixel averages, without shot noise [sr]; estimated from the field by default.
    a : ndarray, shape (n_sys,), optional
        Amplitudes that set the expected density in the shot noise; by default those of a
        first, loose pass.
    beyond : float, optional
        Variance of the pixel averages at larger multipoles than those of the spectrum [1], which counts as noise;
        by default that of the estimate, and none for an array.
    tolerance : float
        Relative residual at which the conjugate gradients stop.

    Returns
    -------
    GeneralisedFit
        Amplitudes and covariance.

    Raises
    ------
    DataError
        When the maps are on different pixels, or the spectrum has another length or is not one.
    ParameterError
        When the tolerance is not between 0 and 1.

    Notes
    -----
    :math:`a = (T \Xi^{-1} T^t)^{-1} T \Xi^{-1} d` with a constant among the templates,
    :math:`\Xi_{pp'} = \xi(\theta_{pp'}) + \delta_{pp'} [\lambda_p \nu_p + \lambda_p^2 \rho_p + \sigma^2_{beyond}]`
    and :math:`\lambda = 1 + A`.
    """
    spectrum, beyond = _checked(field, templates, spectrum, beyond, tolerance)
    values = templates.values
    responses = np.vstack([values, np.ones(field.n_pix)])[:, None]
    amplitudes, start, steps = np.zeros(templates.n_sys) if a is None else np.asarray(a, float), None, 0
    for accuracy in (tolerance,) if a is not None else (max(tolerance, _FIRST_PASS), tolerance):
        density = np.maximum(1.0 + amplitudes @ values, MIN_DENSITY)
        matrix = _field_covariance(field, spectrum, density, beyond)
        solution = solve(matrix, responses, tolerance=accuracy, start=start)
        found, cov = _estimate(solution, responses, field.delta[None])
        amplitudes, start, steps = found[:-1], solution.values, steps + solution.steps
    return GeneralisedFit(amplitudes, cov[:-1, :-1], _diagnostics(solution, steps, tolerance))


def two_moment_fit(
    field: Field,
    templates: TemplateSet,
    spectrum: np.ndarray | SpectrumEstimate | None = None,
    *,
    beyond: float | None = None,
    tolerance: float = 1e-5,
    steps: int = 3,
) -> TwoMomentFit:
    r"""Both amplitudes, from the overdensity and its square on a clustered lognormal field.

    Parameters
    ----------
    field : Field
        Observed overdensity with its expected counts.
    templates : TemplateSet
        Templates on the same pixels.
    spectrum : ndarray, shape (3 nside,) or longer, or SpectrumEstimate, optional
        Spectrum of the pixel averages, without shot noise [sr]; estimated from the field by default.
    beyond : float
        Their variance at larger multipoles [1], without correlations between pixels.
    tolerance : float
        Relative residual at which the conjugate gradients stop.  The covariance is that of
        the weights reached, and these lose information only as the square of the residual: 1e-3 is half the
        work, but rounding then moves amplitudes by up to a hundredth of their errors.
    steps : int
        Evaluations of the covariance: at the clean field, then at the fit.

    Returns
    -------
    TwoMomentFit
        Amplitudes, width and covariance.

    Raises
    ------
    DataError
        When the maps are on different pixels, the coverage was counted with too few randoms, or the spectrum has
        another length, is not one, or is zero.
    ParameterError
        When the tolerance is not between 0 and 1, or there is no step.

    Notes
    -----
    :math:`z = (e, e^2 - V)` with :math:`e = d - A`; its covariance C has the kernels of
    :func:`~.combined_covariance`, its response to the parameters is
    :math:`R = (\partial A, \partial V)`.  Weights :math:`W = C^{-1} R^t` give
    the parameters where :math:`W^t z = 0`, with covariance :math:`(R C^{-1} R^t)^{-1}`.  Width and mean of
    the field are free.  The monopole of the spectrum is raised to the dipole, as a band-limited spectrum
    without a monopole contradicts a lognormal field; while b is zero, the free mean takes all of it.
    Where else the kernels contradict one another (spectra cut off sharply, or hardly any shot noise),
    the correlation of the two moments is bounded.
    """
    spectrum, beyond = _checked(field, templates, spectrum, beyond, tolerance)
    field.noise.check_randoms()
    if steps < 1:
        msg = f"steps is {steps}: give at least 1"
        raise ParameterError(msg)
    sigma2 = variance(spectrum) + beyond
    if not variance(spectrum) > 0:
        msg = "the spectrum is zero everywhere and b scales the field: give the spectrum of the field"
        raise DataError(msg)
    n_sys = templates.n_sys
    at = _Moments(np.concatenate([np.zeros(2 * n_sys + 1), [sigma2]]), templates.values, field)
    start, used = None, 0
    for step in range(steps):
        matrix, clipped = _moment_covariance(field, spectrum, sigma2, at)
        # weights that the next step replaces need not be as good
        accuracy = tolerance if step == steps - 1 else min(10.0 * tolerance, 0.1)
        weights = solve(matrix, at.responses, tolerance=accuracy, start=start)
        start, used = weights.values, used + weights.steps
        # the covariance belongs to the parameters at which kernels and responses were taken
        # as the kernels do, errors take the width of the spectrum: that of one field scatters
        typical = replace(at, theta=np.append(at.theta[:-1], sigma2))
        cov, before = _estimate(weights, typical.responses, at.residual)[1], at.theta
        state, held = _root(at, weights.values)
        # fits overshoot the change of their kernels: half way converges where the whole way swings
        at = replace(state, theta=0.5 * (state.theta + before)) if step else state
    return _two_moment_result(state, cov, sigma2, before, weights, used, tolerance, held, clipped)


def _two_moment_result(state, cov, sigma2, before, weights, used, tolerance, held, clipped):
    n_sys = len(state.templates)
    move = float(np.max(np.abs(state.theta - before)[: 2 * n_sys] / np.sqrt(np.diag(cov))[: 2 * n_sys]))
    # from (a, b, mean, sigma^2) to (a, b, sigma)
    kept = np.r_[: 2 * n_sys, 2 * n_sys + 1]
    scale = np.r_[np.ones(2 * n_sys), 0.5 / np.sqrt(sigma2)]
    diagnostics = _diagnostics(weights, used, tolerance)
    if held:
        status = "the efficiency 1 + B was held at its floor: b is left out of the weights"
        diagnostics |= {"converged": False, "status": status}
    elif move > _MAX_MOVE and weights.converged:
        status = f"an amplitude still moved by {move:.1f} errors in the last step: take more steps"
        diagnostics |= {"converged": False, "status": status}
    diagnostics |= {
        "last_move": move,
        "min_efficiency": float(state.efficiency.min()),
        "on_floor": held,
        "clipped": clipped,
    }
    cov = cov[np.ix_(kept, kept)] * np.outer(scale, scale)
    sigma = float(np.sqrt(state.theta[-1]))
    return TwoMomentFit(state.theta[:n_sys], state.theta[n_sys : 2 * n_sys], sigma, cov, diagnostics)


def _checked(field, templates, spectrum, beyond, tolerance) -> tuple[np.ndarray, float]:
    """Spectrum with what pixels fold back, and the variance beyond it."""
    if not 0.0 < tolerance < 1.0:
        msg = f"tolerance is {tolerance!r}: give a number between 0 and 1, e.g. 1e-6"
        raise ParameterError(msg)
    known = checked_spectrum(field, templates, spectrum)
    return known.with_aliased, known.beyond if beyond is None else beyond


def _estimate(solution: Solution, responses, residual):
    """Parameters of a linear model from its weights, and their covariance."""
    weights = solution.values.reshape(len(responses), -1)
    inverse = np.linalg.inv(weights @ responses.reshape(len(responses), -1).T)
    middle = weights @ solution.products.reshape(len(responses), -1).T
    cov = inverse @ middle @ inverse.T
    return inverse @ (weights @ residual.ravel()), 0.5 * (cov + cov.T)


def _diagnostics(solution: Solution, steps: int, tolerance: float) -> dict:
    status = "converged"
    if not solution.converged:
        status = (
            f"the conjugate gradients stopped at a relative residual of {solution.residual:.1e} and not "
            f"{tolerance:.0e}: errors are those of the weights reached, larger than they could be"
        )
    return {"steps": steps, "residual": solution.residual, "converged": solution.converged, "status": status}


def _field_covariance(field, spectrum, density, beyond):
    one = np.ones((1, 1, field.n_pix))
    raised = np.concatenate([[_monopole(spectrum)], spectrum[1:]])
    local = one * (field.noise.variance(density) + beyond)
    return PixelCovariance(raised[:, None, None], one, local, field.footprint)


def _monopole(spectrum):
    """Power of the mean of the sky: any does, as the mean is free, and that of the dipole solves easily."""
    return max(spectrum[0], spectrum[1])


@dataclass(frozen=True)
class _Moments:
    """First two moments of the overdensity, at parameters (a, b, mean, sigma^2)."""

    theta: np.ndarray
    templates: np.ndarray
    field: Field

    @property
    def efficiency(self):
        n_sys = len(self.templates)
        return 1.0 + self.theta[n_sys : 2 * n_sys] @ self.templates

    @property
    def additive(self):
        return self.theta[: len(self.templates)] @ self.templates + self.theta[-2]

    @property
    def density(self):
        return np.maximum(1.0 + self.additive, MIN_DENSITY)

    @property
    def residual(self):
        """z, shape (2, n_pix)."""
        e = self.field.delta - self.additive
        noise = self.field.noise
        variance = self.theta[-1] * self.efficiency**2 * (1.0 + noise.coverage) + noise.variance(self.density)
        return np.stack([e, e**2 - variance])

    @property
    def responses(self):
        """R, shape (2 n_sys + 2, 2, n_pix)."""
        t, q, noise = self.templates, self.efficiency, self.field.noise
        share = 1.0 + noise.coverage
        basis = np.vstack([t, np.zeros_like(t), np.ones_like(q), np.zeros_like(q)])
        square = basis * noise.slope(self.density)
        square[len(t) : 2 * len(t)] = 2.0 * self.theta[-1] * q * share * t
        square[-1] = q**2 * share
        return np.stack([basis, square], 1)


def _moment_covariance(field, spectrum, sigma2, state: _Moments):
    """Covariance of (e, e^2 - V), and how many of its parts had to be made positive."""
    slope, q = field.noise.slope(state.density), state.efficiency
    first, second, third = moment_spectra(spectrum, sigma2)
    spectra = np.array([[first, second], [second, third]]).transpose(2, 0, 1)
    moments = PixelMoments(sigma2, field.noise, state.density, q)
    # e is q delta and e^2 - V is (1 + rho) q^2 delta^2 + q (slope of the noise) delta, on average over the counts
    mixing = np.array([[q, q * slope], [np.zeros_like(q), q**2 * (1.0 + field.noise.coverage)]])
    second, third = moments.second(), moments.third()
    local = np.array([[second, third], [third, moments.fourth() - second**2]])
    # what the spectra hold at zero separation gives way to the moments of one pixel
    zero = np.array([[variance(spectra[:, i, j]) for j in (0, 1)] for i in (0, 1)])
    local -= np.einsum("jip,jk,klp->ilp", mixing, zero, mixing)
    spectra[0, 0, 0] = _monopole(spectrum)
    clipped = _make_positive(spectra.transpose(1, 2, 0)) + _make_positive(local)
    return PixelCovariance(spectra, mixing, local, field.footprint), clipped


def _make_positive(matrices):
    """Bound the correlations of 2 x 2 matrices, shape (2, 2, n), in place; how many were changed."""
    bound = _MAX_CORRELATION * np.sqrt(np.maximum(matrices[0, 0], 0.0) * np.maximum(matrices[1, 1], 0.0))
    beyond = np.abs(matrices[0, 1]) > bound
    matrices[0, 1] = matrices[1, 0] = np.clip(matrices[0, 1], -bound, bound)
    return int(beyond.sum())


def _root(state: _Moments, weights):
    """Parameters where weighted residuals vanish, and whether the efficiency was held at its floor."""
    flat, held = weights.reshape(len(weights), -1), False
    for _ in range(_INNER_STEPS):
        information = flat @ state.responses.reshape(len(weights), -1).T
        step = np.linalg.solve(information, flat @ state.residual.ravel())
        share = _allowed(state, step)
        held = share < 1.0
        state = replace(state, theta=state.theta + share * step)
    return state, held


def _allowed(state: _Moments, step):
    """Largest share of a step, up to one, that keeps efficiencies and width above their floors."""
    n_sys = len(state.templates)
    change = step[n_sys : 2 * n_sys] @ state.templates
    room = np.append(state.efficiency - MIN_EFFICIENCY, (1.0 - _MIN_VARIANCE) * state.theta[-1])
    drop = np.append(-change, -step[-1])
    return float(np.clip(np.min(room[drop > 0] / drop[drop > 0], initial=1.0), 0.0, 1.0))
