r"""What is known of amplitudes before a fit: normal priors, by the name of the template.

A prior multiplies the calibrated normal likelihood of a fit, :math:`N(\hat\theta; \theta, C)`.  It counts as one more
measurement of the amplitudes that it names, whose errors have nothing to do with those of the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, ParameterError, unknown_name
from ..templates import TemplateSet

UNITS = ("rms", "unit")
"""What amplitudes of a prior belong to: the rms of the template on the fitted footprint, or the unit of its map."""


@dataclass(frozen=True)
class AmplitudePrior:
    r"""Normal prior of some amplitudes.

    Parameters
    ----------
    of_a, of_b : tuple of str
        Templates whose additive and multiplicative amplitudes it is about; all others are left as they are.
    mean : ndarray, shape (n,)
        Means: of ``of_a``, followed by ``of_b``, in their order.
    cov : ndarray, shape (n, n)
        Covariance.
    per : {"rms", "unit"}
        Amplitudes per rms of the template on the fitted footprint, or per unit of its map.

    Raises
    ------
    ParameterError
        For another word of ``per``.
    DataError
        When a template is named twice, shapes differ, or the covariance is not one.

    Examples
    --------
    >>> known = AmplitudePrior.normal(a={"SEEING": (0.0, 0.02)}, b={"SEEING": (0.0, 0.02)}, per="rms")
    >>> known.of_a, known.sigma
    (('SEEING',), array([0.02, 0.02]))
    """

    of_a: tuple[str, ...]
    of_b: tuple[str, ...]
    mean: np.ndarray
    cov: np.ndarray
    per: str

    def __post_init__(self):
        if self.per not in UNITS:
            raise unknown_name("per of a prior", self.per, UNITS)
        n = len(self.of_a) + len(self.of_b)
        mean, cov = np.asarray(self.mean, float), np.asarray(self.cov, float)
        if n == 0 or mean.shape != (n,) or cov.shape != (n, n):
            msg = f"a prior of {n} amplitudes has mean {mean.shape} and cov {cov.shape}: give ({n},) and ({n}, {n})"
            raise DataError(msg if n else "a prior names no template: give those of a, of b, or of both")
        for kind, names in (("a", self.of_a), ("b", self.of_b)):
            if len(set(names)) < len(names):
                msg = f"the prior of {kind} names {', '.join(names)}: give every template once"
                raise DataError(msg)
        _check_covariance(mean, cov)
        for name, value in (("of_a", tuple(self.of_a)), ("of_b", tuple(self.of_b)), ("mean", mean), ("cov", cov)):
            object.__setattr__(self, name, value)

    @classmethod
    def normal(
        cls,
        a: Mapping[str, tuple[float, float]] | None = None,
        b: Mapping[str, tuple[float, float]] | None = None,
        *,
        per: str,
    ) -> AmplitudePrior:
        """Independent priors, each with its mean and sigma.

        Parameters
        ----------
        a, b : mapping of str to (float, float), optional
            Mean and sigma of the amplitudes, by template.
        per : {"rms", "unit"}
            What the amplitudes belong to.

        Returns
        -------
        AmplitudePrior
            With a diagonal covariance.

        Raises
        ------
        ParameterError
            When a sigma is not positive, or for another word of ``per``.
        DataError
            When no template is named, or a mean is not finite.
        """
        a, b = dict(a or {}), dict(b or {})
        for kind, given in (("a", a), ("b", b)):
            for name, (_, sigma) in given.items():
                if not 0.0 < sigma < np.inf:
                    msg = f"sigma of the prior of {kind} of {name} is {sigma}: give a positive number"
                    raise ParameterError(msg)
        pairs = np.array([*a.values(), *b.values()], float).reshape(-1, 2)
        return cls(tuple(a), tuple(b), pairs[:, 0], np.diag(pairs[:, 1] ** 2), per)

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviations, shape (n,)."""
        return np.sqrt(np.diag(self.cov))

    def places(self, templates: TemplateSet) -> np.ndarray:
        """Where its amplitudes stand among those of a fit.

        Parameters
        ----------
        templates : TemplateSet
            Of the fit.

        Returns
        -------
        ndarray of int, shape (n,)
            Indices in ``a`` followed by ``b``.

        Raises
        ------
        ParameterError
            When a template is not one of the fit.
        """
        return np.array([i + k * templates.n_sys for i, k in self._named(templates)])

    def named(self, templates: TemplateSet) -> np.ndarray:
        """Which amplitudes of a fit, ``a`` followed by ``b``, it is about, shape (2 n_sys,)."""
        return np.isin(np.arange(2 * templates.n_sys), self.places(templates))

    def per_rms(self, templates: TemplateSet) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance, per rms of the templates of a fit.

        Parameters
        ----------
        templates : TemplateSet
            Of the fit, standardised on its footprint.

        Returns
        -------
        mean : ndarray, shape (n,)
            As in the prior.
        cov : ndarray, shape (n, n)
            Its covariance.

        Raises
        ------
        ParameterError
            When a template is not one of the fit.
        """
        rms = np.array([templates.rms[i] for i, _ in self._named(templates)])
        scale = rms if self.per == "unit" else np.ones(len(rms))
        return scale * self.mean, np.outer(scale, scale) * self.cov

    def _named(self, templates: TemplateSet) -> list[tuple[int, int]]:
        """Template and kind of each amplitude."""
        unknown = [name for name in (*self.of_a, *self.of_b) if name not in templates.names]
        if unknown:
            raise unknown_name("template of the prior", unknown[0], templates.names)
        kinds = ((self.of_a, 0), (self.of_b, 1))
        return [(templates.names.index(name), kind) for names, kind in kinds for name in names]


@dataclass(frozen=True)
class FittedAmplitudes:
    """Amplitudes of a fit before a prior was used.

    Parameters
    ----------
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template.
    cov : ndarray, shape (2 n_sys, 2 n_sys)
        Joint covariance of (a, b) on the clustered sky.
    cov_a_draws : ndarray, shape (n_draws, n_sys, n_sys), or None
        Covariances of ``a`` that are as likely.
    """

    a: np.ndarray
    b: np.ndarray
    cov: np.ndarray
    cov_a_draws: np.ndarray | None


def with_prior(prior: AmplitudePrior, templates: TemplateSet, a: np.ndarray, b: np.ndarray, errors: Mapping) -> dict:
    r"""Amplitudes and errors of a fit together with a prior.

    Parameters
    ----------
    prior : AmplitudePrior
        What is known of some of the amplitudes.
    templates : TemplateSet
        Of the fit.
    a, b : ndarray, shape (n_sys,)
        Amplitudes of the fit, per rms of the template.
    errors : mapping
        Covariances of :func:`~.amplitude_errors`.

    Returns
    -------
    dict
        ``a``, ``b``, and all ``errors`` of them.

    Raises
    ------
    ParameterError
        When the prior names another template.

    Notes
    -----
    With the prior :math:`S \theta \sim N(m, P)`, S the choice of its amplitudes, the gain is
    :math:`K = C S^t (S C S^t + P)^{-1}` and :math:`\hat\theta' = \hat\theta + K (m - S \hat\theta)`,
    :math:`C' = (1 - K S) C`.  Where C has an inverse this is :math:`C' = (C^{-1} + S^t P^{-1} S)^{-1}`; amplitudes that
    a model keeps at zero stay there, whatever their prior.  For any other covariance D of the fit, such as those of
    independent pixels and of spectra that are as likely, the same estimator has the covariance
    :math:`(1 - K S) D (1 - K S)^t + K P K^t`.  Independent pixels are taken without covariance of a with b.
    """
    chosen = np.eye(2 * len(a))[prior.places(templates)]
    mean, spread = prior.per_rms(templates)
    cov, fitted = _joint(errors["cov_a"], errors["cov_b"], errors["cov_ab"]), np.concatenate([a, b])
    gain = np.linalg.solve(chosen @ cov @ chosen.T + spread, chosen @ cov).T
    kept = np.eye(len(cov)) - gain @ chosen
    of_prior = gain @ spread @ gain.T

    def updated(other):
        return kept @ other @ kept.T + of_prior

    n_sys, found, crossed = len(a), fitted + gain @ (mean - chosen @ fitted), np.zeros_like(errors["cov_ab"])
    together, alone = updated(cov), updated(_joint(errors["cov_a_iid"], errors["cov_b_iid"], crossed))
    draws = errors["cov_a_draws"]
    if draws is not None:
        draws = np.array([updated(joint)[:n_sys, :n_sys] for joint in _joint_draws(cov, draws)])
    of_a, of_b = slice(0, n_sys), slice(n_sys, None)
    return dict(errors) | {
        "a": found[of_a],
        "b": found[of_b],
        "cov_a": together[of_a, of_a],
        "cov_b": together[of_b, of_b],
        "cov_ab": together[of_a, of_b],
        "cov_a_iid": alone[of_a, of_a],
        "cov_b_iid": alone[of_b, of_b],
        "cov_a_draws": draws,
    }


def _joint_draws(cov: np.ndarray, draws_a: np.ndarray) -> np.ndarray:
    """Joint covariances where the errors of a are those of the draws; correlations with b and errors of b stay."""
    n_sys = draws_a.shape[-1]
    to_draws = np.linalg.cholesky(draws_a) @ np.linalg.inv(np.linalg.cholesky(cov[:n_sys, :n_sys]))
    mixing = np.broadcast_to(np.eye(len(cov)), (len(draws_a), *cov.shape)).copy()
    mixing[:, :n_sys, :n_sys] = to_draws
    return mixing @ cov @ np.swapaxes(mixing, 1, 2)


def _joint(of_a: np.ndarray, of_b: np.ndarray, crossed: np.ndarray) -> np.ndarray:
    return np.block([[of_a, crossed], [crossed.T, of_b]])


def _check_covariance(mean: np.ndarray, cov: np.ndarray) -> None:
    """Stop at what is no normal distribution."""
    good = np.all(np.isfinite(mean)) and np.all(np.isfinite(cov)) and np.all(np.diag(cov) > 0)
    if good:
        unit = cov / np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
        good = np.allclose(unit, unit.T, atol=1e-10) and np.linalg.eigvalsh(unit)[0] > -1e-10
    if not good:
        msg = "mean or covariance of a prior is not finite, or the latter not symmetric and positive: give sigma^2 > 0"
        raise DataError(msg)
