r"""Amplitudes to put into weights: posterior means under a hierarchical prior.

A fitted amplitude is the best estimate of that amplitude, and the wrong thing to put into a weight: on a clean map
every method would add the error of its fit.  The amplitudes of a survey tell how large amplitudes are there.  With the
calibrated covariance of a fit and normal amplitudes of a common, unknown size, the posterior mean loses least on
average; detections, p-values and intervals stay those of the fit itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

SHRINKAGES = ("hierarchical", "none")
"""What the weights are made of: posterior means, or the fitted amplitudes as they are."""

NODES = 24
"""Sizes of the amplitudes that are summed over, for each kind of contamination."""

RANGE = (0.03, 30.0)
"""Smallest and largest size, in units of the errors: one is not to be seen, the other needs no shrinkage."""


@dataclass(frozen=True)
class AmplitudePosterior:
    r"""Posterior of amplitudes whose sizes are not known: a mixture of normal distributions.

    Parameters
    ----------
    weights : ndarray, shape (n_nodes,)
        Probability of each pair of sizes :math:`(\tau_a, \tau_b)`, with sum one.
    means : ndarray, shape (n_nodes, n)
        Mean of the amplitudes for these sizes.
    covariances : ndarray, shape (n_nodes, n, n)
        Their covariances.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over all sizes, shape (n,)."""
        return self.weights @ self.means

    @property
    def cov(self) -> np.ndarray:
        """Covariance over all sizes, shape (n, n)."""
        off = self.means - self.mean
        return np.tensordot(self.weights, self.covariances, 1) + (off * self.weights[:, None]).T @ off

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One draw of the amplitudes, shape (n,)."""
        node = rng.choice(len(self.weights), p=self.weights)
        size, axes = np.linalg.eigh(self.covariances[node])
        # the symmetric root is unique, where eigenvectors depend on the library that found them
        root = (axes * np.sqrt(np.maximum(size, 0.0))) @ axes.T
        return self.means[node] + root @ rng.standard_normal(len(size))

    def probability_nearer(self, one: np.ndarray, other: np.ndarray, metric: np.ndarray) -> float:
        r"""Probability that one choice of amplitudes is nearer to the truth than another.

        Parameters
        ----------
        one, other : ndarray, shape (n,)
            Amplitudes.
        metric : ndarray, shape (n, n)
            Matrix G of the squared distance :math:`(\theta - \theta')^t G (\theta - \theta')`.

        Returns
        -------
        float
            Between zero and one; one half where both are the same.
        """
        direction = metric @ (one - other)
        margin = self.means @ direction - 0.5 * (one @ metric @ one - other @ metric @ other)
        spread = np.sqrt(np.einsum("i,nij,j->n", direction, self.covariances, direction))
        return float(self.weights @ norm.cdf(margin / np.maximum(spread, np.finfo(float).tiny)))

    def loss(self, amplitudes: np.ndarray, metric: np.ndarray) -> float:
        """Expected squared distance of amplitudes from the truth, as in :meth:`probability_nearer`."""
        off = amplitudes - self.mean
        return float(off @ metric @ off + np.sum(self.cov * metric))


def hierarchical_posterior(
    estimate: np.ndarray, cov: np.ndarray, n_kinds: int = 1, *, known: np.ndarray | None = None
) -> AmplitudePosterior:
    r"""Posterior of amplitudes under a prior whose widths are not known.

    Parameters
    ----------
    estimate : ndarray, shape (n,)
        Fitted amplitudes per rms of the template: additive ones, with two kinds followed by as many multiplicative
        ones [1].
    cov : ndarray, shape (n, n)
        Their calibrated covariance.
    n_kinds : {1, 2}
        Kinds of amplitudes, each with a width of its own.
    known : ndarray of bool, shape (n,), optional
        Amplitudes whose prior is in the estimate already; this one is that of the others.

    Returns
    -------
    AmplitudePosterior
        Over a grid of widths.

    Notes
    -----
    With :math:`\theta \sim N(0, P)`, :math:`P = {\rm diag}(\tau_a^2, \ldots, \tau_b^2, \ldots)` and
    :math:`\hat\theta \sim N(\theta, C)`, the mean for given widths is :math:`P (P + C)^{-1} \hat\theta`.  The widths
    have the probability :math:`N(\hat\theta; 0, P + C)\, p(\tau)`, with p flat in :math:`\ln\tau` over :data:`RANGE`
    times the geometric mean of the errors.

    Examples
    --------
    >>> import numpy as np
    >>> found = hierarchical_posterior(np.array([0.1, 3.0]), np.eye(2))
    >>> bool(np.all(np.abs(found.mean) < [0.1, 3.0]))
    True
    """
    if known is not None and np.any(known):
        return _beside_known(estimate, cov, n_kinds, np.asarray(known, bool))
    return _mixture(estimate, cov, [len(estimate) // n_kinds] * n_kinds)


def _mixture(estimate: np.ndarray, cov: np.ndarray, sizes: list[int]) -> AmplitudePosterior:
    """Posterior of kinds of amplitudes that follow one another."""
    parts = np.split(np.sqrt(np.diag(cov)), np.cumsum(sizes)[:-1])
    scales = [np.exp(np.mean(np.log(errors))) for errors in parts]
    nodes = np.geomspace(*RANGE, NODES)
    grid = np.stack([x.ravel() for x in np.meshgrid(*[nodes] * len(sizes), indexing="ij")], axis=-1)
    prior = np.repeat(grid * scales, sizes, axis=1) ** 2
    total = cov + prior[:, :, None] * np.eye(len(estimate))
    gain = np.swapaxes(np.linalg.solve(total, prior[:, :, None] * np.eye(len(estimate))), 1, 2)
    means = gain @ estimate
    log_weights = -0.5 * (np.linalg.slogdet(total)[1] + np.linalg.solve(total, estimate[:, None])[..., 0] @ estimate)
    weights = np.exp(log_weights - log_weights.max())
    covariances = prior[:, :, None] * np.eye(len(estimate)) - gain * prior[:, None, :]
    return AmplitudePosterior(weights / weights.sum(), means, 0.5 * (covariances + np.swapaxes(covariances, 1, 2)))


def _beside_known(estimate: np.ndarray, cov: np.ndarray, n_kinds: int, known: np.ndarray) -> AmplitudePosterior:
    """Posterior where some amplitudes have a prior of their own: they follow those that are shrunk."""
    sizes = [int(np.sum(~part)) for part in np.split(known, n_kinds)]
    if not any(sizes):
        return AmplitudePosterior(np.ones(1), estimate[None], cov[None])
    free = np.ix_(~known, ~known)
    alone = _mixture(estimate[~known], cov[free], [size for size in sizes if size])
    follow = np.linalg.solve(cov[free], cov[~known]).T
    means = estimate + (alone.means - estimate[~known]) @ follow.T
    covariances = cov + follow @ (alone.covariances - cov[free]) @ follow.T
    return AmplitudePosterior(alone.weights, means, 0.5 * (covariances + np.swapaxes(covariances, 1, 2)))


def amplitude_posterior(
    model: str,
    a: np.ndarray,
    b: np.ndarray,
    cov: np.ndarray,
    *,
    on_floor: bool = False,
    known: np.ndarray | None = None,
) -> AmplitudePosterior:
    """Posterior of the amplitudes that a contamination model leaves free.

    Parameters
    ----------
    model : {"additive", "multiplicative", "combined"}
        Contamination model.
    a, b : ndarray, shape (n_sys,)
        Fitted amplitudes, per rms of the template.
    cov : ndarray, shape (2 n_sys, 2 n_sys)
        Their joint covariance.
    on_floor : bool
        Whether the efficiency of the fit was held at its floor.  Then ``b`` is not known, and taken to be zero.
    known : ndarray of bool, shape (2 n_sys,), optional
        Amplitudes, ``a`` followed by ``b``, whose prior is in them already.

    Returns
    -------
    AmplitudePosterior
        Of ``a``, for the combined model of ``a`` followed by ``b``.
    """
    n_sys = len(a)
    of_a = cov[:n_sys, :n_sys]
    known = np.zeros(2 * n_sys, bool) if known is None else np.asarray(known, bool)
    if model != "combined":
        return hierarchical_posterior(a, of_a, known=known[:n_sys])
    if not on_floor:
        return hierarchical_posterior(np.concatenate([a, b]), cov, 2, known=known)
    slope = np.linalg.solve(cov[n_sys:, n_sys:], cov[n_sys:, :n_sys]).T
    alone = hierarchical_posterior(a - slope @ b, of_a - slope @ cov[n_sys:, :n_sys], known=known[:n_sys])
    means = np.hstack([alone.means, np.zeros_like(alone.means)])
    covariances = np.zeros((len(means), 2 * n_sys, 2 * n_sys))
    covariances[:, :n_sys, :n_sys] = alone.covariances
    return AmplitudePosterior(alone.weights, means, covariances)
