r"""Contamination taken out of a correlation function, with the noise of the amplitudes and its covariance.

The observed correlation function is :math:`w [1 + \sum b_i b_j \xi_{ij}] + \sum a_i a_j \xi_{ij}` on average
(Berlfein et al. 2024, Eq. 15).  Squares of fitted amplitudes are too large by their noise, which has to come off
before they are subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from ..errors import DataError, ParameterError
from ..methods import Decontamination
from ..two_point import Correlation
from .amplitude_products import amplitude_products, posterior_products
from .observed_covariance import observed_with_removed
from .template_correlations import TemplateCorrelations

N_DRAWS = 1000

_SAME_BINS = 1e-6

_SYMMETRIC = 1e-8

_MIN_GAIN = 0.05


@dataclass(frozen=True, kw_only=True)
class CorrectedCorrelation(Correlation):
    """A correlation function without its contamination.

    Parameters
    ----------
    observed : ndarray, shape (n_theta,)
        Correlation before the correction [1].
    removed : ndarray, shape (n_theta,)
        What the additive contamination adds [1].
    gain : ndarray, shape (n_theta,)
        Factor of the multiplicative contamination [1].
    flagged : ndarray of bool, shape (n_theta,)
        Bins where the correction made a positive correlation negative.
    form : {"matrix", "diagonal rotated", "diagonal"}
        Products of amplitudes that were taken.
    debiased : bool
        Whether the noise of the amplitudes was taken off.
    cov_amplitudes : ndarray, shape (n_theta, n_theta)
        Part of the covariance that comes from the amplitudes and the template correlations.
    """

    observed: np.ndarray
    removed: np.ndarray
    gain: np.ndarray
    flagged: np.ndarray
    form: str
    debiased: bool
    cov_amplitudes: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Amplitudes:
    """Amplitudes that a correction takes, with their errors; :meth:`of` takes them from a fit.

    Parameters
    ----------
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template; no ``b`` means an additive model.
    cov_a, cov_b, cov_ab : ndarray, shape (n_sys, n_sys)
        Their calibrated covariances; ``a`` and ``b`` are independent where ``cov_ab`` is left out.
    cov_a_draws : ndarray, shape (n, n_sys, n_sys), optional
        Equally likely ``cov_a``, where the uncertainty of the errors matters, as on a spectrum that was estimated.
    """

    a: np.ndarray
    cov_a: np.ndarray
    b: np.ndarray | None = None
    cov_b: np.ndarray | None = None
    cov_ab: np.ndarray | None = None
    cov_a_draws: np.ndarray | None = None

    @classmethod
    def of(cls, fit: Decontamination) -> Amplitudes:
        """Amplitudes of a fit, with errors on the clustered sky."""
        return cls(fit.a, fit.cov_a, fit.b, fit.cov_b, fit.cov_ab, fit.cov_a_draws)


def corrected_correlation(
    observed: Correlation,
    correlations: TemplateCorrelations,
    amplitudes: Decontamination | Amplitudes,
    *,
    cov_observed_removed: np.ndarray | None = None,
    form: str = "matrix",
    debias: bool = True,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> CorrectedCorrelation:
    r"""Remove the contamination from a correlation function, without its noise bias.

    Parameters
    ----------
    observed : Correlation
        Contaminated correlation function.
    correlations : TemplateCorrelations
        Template correlations over the same kind of pairs, in the same bins.
    amplitudes : Decontamination or Amplitudes
        Result of a fit, or amplitudes with their errors.
    cov_observed_removed : ndarray, shape (n_theta, n_theta), optional
        Covariance of the observed correlation function (rows) with what is removed from it.  For a fit with a
        spectrum and a correlation function of pixels with a covariance it is that of
        :func:`~.observed_with_removed` by default; otherwise they are taken as independent where it is left out.
    form : {"matrix", "diagonal rotated", "diagonal", "posterior"}
        See :func:`amplitude_products`; ``posterior`` takes the products that are expected after a fit
        (:func:`posterior_products`), which do nothing on a clean sample.
    debias : bool
        Whether the noise of the amplitudes is taken off their squares.
    n_draws : int
        Draws of the amplitudes, for the covariance; none leaves it out.
    seed : int
        Of the draws.

    Returns
    -------
    CorrectedCorrelation
        Corrected, with the covariance of the observed one and of the amplitudes.

    Raises
    ------
    DataError
        When bins or shapes differ, a covariance is not symmetric or not finite, or ``b`` leaves nothing of w.
    ParameterError
        For an unknown form, or a negative number of draws.

    Notes
    -----
    Berlfein et al. (2024), Eqs. 15, 16 and 21:
    :math:`w = [w_{obs} - \sum (a a^t - C_a)_{ij} \xi_{ij}] / [1 + \sum (b b^t - C_b)_{ij} \xi_{ij}]`.

    The noise of products of amplitudes grows with the true amplitudes.  Fitted ones are too large by their
    noise, so the draws for the covariance have them shrunk, to the variance of the contamination that the
    debiased products have at one place.
    """
    check_bins(observed, correlations)
    if form == "posterior" and isinstance(amplitudes, Amplitudes):
        msg = "form is 'posterior' and amplitudes came without the fit whose posterior it is: give the Decontamination"
        raise ParameterError(msg)
    if n_draws < 0:
        msg = f"n_draws is {n_draws}: give 0 for no covariance of the amplitudes, or some hundreds"
        raise ParameterError(msg)
    known = amplitudes
    if not isinstance(amplitudes, Amplitudes):
        known = Amplitudes.of(amplitudes)
        if cov_observed_removed is None and n_draws > 1 and form != "posterior":
            cov_observed_removed = _with_removed(observed, correlations, amplitudes)
    a, cov_a, b, cov_b, cov_ab = _checked_amplitudes(correlations, known)
    options = {"form": form, "debias": debias, "zero_lag": correlations.zero_lag}

    def products(a, b):
        return [amplitude_products(x, cov, **options) for x, cov in ((a, cov_a), (b, cov_b))]

    def parts(of_a, of_b):
        return correlations.contract(of_a), 1.0 + correlations.contract(of_b)

    best = posterior_products(amplitudes) if form == "posterior" else products(a, b)
    removed, gain = parts(*best)
    if np.any(gain < _MIN_GAIN):
        msg = f"b scales w by {np.nanmin(gain):.3g} in a bin: its square less its noise must not be near -1, check b"
        raise DataError(msg)
    sampling = (correlations.contraction_error(best[0]) / gain) ** 2
    of_amplitudes = np.diag(sampling)
    if n_draws > 1:
        rng = np.random.default_rng(seed)
        if form == "posterior":
            drawn = parts(*posterior_products(amplitudes, n_draws, rng))
        else:
            joint = np.block([[cov_a, cov_ab], [cov_ab.T, cov_b]])
            centres = _shrunk(a, cov_a, correlations.zero_lag), _shrunk(b, cov_b, correlations.zero_lag)
            drawn = parts(*products(*_draws(*centres, joint, known.cov_a_draws, n_draws, rng)))
        of_amplitudes = of_amplitudes + np.cov((observed.w - drawn[0]) / drawn[1], rowvar=False)
    w = (observed.w - removed) / gain
    scale = np.outer(gain, gain)
    cov = of_amplitudes if observed.cov is None else of_amplitudes + observed.cov / scale
    if cov_observed_removed is not None:
        cov = cov - _common(cov_observed_removed, observed.cov, of_amplitudes * scale) / scale
    found = {
        "w": w,
        "cov": cov if n_draws > 1 else observed.cov,
        "estimator": f"{observed.estimator}, Eqs. 15-16{_kind(form, debias)}",
        "observed": observed.w,
        "removed": removed,
        "gain": gain,
        "flagged": turned_negative(w, observed.w),
        "form": form,
        "debiased": debias,
        "cov_amplitudes": of_amplitudes,
    }
    # these travel with the curve into its file
    facts = {"form": form, "debiased": debias, "flagged_bins": np.flatnonzero(found["flagged"]).tolist()}
    found["metadata"] = {**observed.metadata, **facts}
    return CorrectedCorrelation(**{f.name: getattr(observed, f.name) for f in fields(Correlation)} | found)


def _kind(form: str, debias: bool) -> str:
    return ", products of the posterior" if form == "posterior" else ", noise-debiased" if debias else ""


def turned_negative(w: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Bins where a correction made a positive correlation negative.

    Parameters
    ----------
    w, observed : ndarray, shape (n_theta,)
        Corrected and observed correlation.

    Returns
    -------
    ndarray of bool, shape (n_theta,)
        True where w < 0 < observed.
    """
    return (w < 0.0) & (observed > 0.0)


def check_bins(one, other) -> None:
    """Stop when two results are in different bins.

    Parameters
    ----------
    one, other : object
        Results with ``theta_edges`` [arcmin].

    Raises
    ------
    DataError
        When the edges differ.
    """
    edges, others = (np.asarray(x.theta_edges, float) for x in (one, other))
    if edges.shape != others.shape or not np.allclose(edges, others, rtol=_SAME_BINS):
        came = f"{len(edges) - 1} bins of {edges[0]:.4g} to {edges[-1]:.4g} arcmin and {len(others) - 1}"
        msg = f"{came} of {others[0]:.4g} to {others[-1]:.4g} do not agree: measure both in the same bins"
        raise DataError(msg)


def _with_removed(observed: Correlation, correlations: TemplateCorrelations, fit: Decontamination):
    """Covariance of what a fit removes with the correlation function of its pixels; None where there is none."""
    of_pixels = "pixels" in observed.estimator and observed.cov is not None
    if not of_pixels or fit.spectrum is None:
        return None
    return observed_with_removed(fit.field, fit.templates, correlations, fit.spectrum, a=fit.a, cov_a=fit.cov_a)


def _checked_amplitudes(correlations, known: Amplitudes):
    n_sys, b, cov_b, cov_ab = correlations.n_sys, known.b, known.cov_b, known.cov_ab
    none = np.zeros((n_sys, n_sys))
    if b is not None and cov_b is None:
        msg = "b came without cov_b: give its calibrated covariance, its square is too large by it"
        raise DataError(msg)
    b, cov_b = (np.zeros(n_sys), none) if b is None else (b, cov_b)
    given = {"a": known.a, "b": b, "cov_a": known.cov_a, "cov_b": cov_b, "cov_ab": none if cov_ab is None else cov_ab}
    given = {name: np.asarray(value, float) for name, value in given.items()}
    for name, value in given.items():
        wanted = (n_sys,) * (2 if name.startswith("cov") else 1)
        if value.shape != wanted or not np.isfinite(value).all():
            msg = f"{name} has shape {value.shape} or is not finite: give {wanted}, one per template correlation"
            raise DataError(msg)
    for name in ("cov_a", "cov_b"):
        cov = given[name]
        if np.abs(cov - cov.T).max() > _SYMMETRIC * np.abs(cov).max() or np.any(np.diag(cov) < 0):
            msg = f"{name} is not symmetric, or a variance is negative: give the covariance, not its root or inverse"
            raise DataError(msg)
    return tuple(given[name] for name in ("a", "cov_a", "b", "cov_b", "cov_ab"))


def _common(crossed, cov_observed, cov_removed):
    """Twice the symmetric part of a cross covariance, which cannot be larger than what both have for themselves."""
    if cov_observed is None or np.shape(crossed) != cov_removed.shape:
        came = (
            f"cov_observed_removed has shape {np.shape(crossed)}, and observed {'no' if cov_observed is None else 'a'}"
        )
        msg = f"{came} covariance: give {cov_removed.shape}, beside the covariance of the observed correlation function"
        raise DataError(msg)
    axes = [np.linalg.eigh(cov) for cov in (cov_observed, cov_removed)]
    roots = [(vectors * np.sqrt(np.maximum(size, 0.0))) @ vectors.T for size, vectors in axes]
    inverse = [np.linalg.pinv(root, hermitian=True) for root in roots]
    left, correlation, right = np.linalg.svd(inverse[0] @ crossed @ inverse[1])
    possible = roots[0] @ (left * np.minimum(correlation, 1.0)) @ right @ roots[1]
    return possible + possible.T


def _shrunk(amplitudes, cov, zero_lag):
    """Amplitudes whose contamination has the variance that is left of the fitted one after its noise."""
    fitted = amplitudes @ zero_lag @ amplitudes
    left = fitted - np.sum(cov * zero_lag)
    return amplitudes * np.sqrt(left / fitted) if left > 0.0 else np.zeros_like(amplitudes)


def _draws(a, b, joint, cov_a_draws, n_draws: int, rng):
    """Amplitudes from their joint normal distribution, the errors of a as uncertain as their draws say."""
    size, axes = np.linalg.eigh(joint)
    root = (axes * np.sqrt(np.maximum(size, 0.0))) @ axes.T
    noise = rng.standard_normal((n_draws, len(root))) @ root
    of_a, of_b = noise[:, : len(a)], noise[:, len(a) :]
    if cov_a_draws is not None:
        if np.shape(cov_a_draws)[1:] != (len(a), len(a)):
            msg = f"cov_a_draws has shape {np.shape(cov_a_draws)}: give (n_draws, {len(a)}, {len(a)})"
            raise DataError(msg)
        back = np.linalg.inv(np.linalg.cholesky(joint[: len(a), : len(a)]))
        roots = np.linalg.cholesky(cov_a_draws) @ back
        of_a = np.einsum("dij,dj->di", roots[np.arange(n_draws) % len(roots)], of_a)
    return a + of_a, b + of_b
