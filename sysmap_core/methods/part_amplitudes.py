r"""Amplitudes of several parts of a sample in one unit, such as those of regions and of bins in redshift.

Every part is fitted on its own, and its amplitudes belong to the rms of a template on that part.  A response of the
density to observing conditions is one number per unit of the map: amplitudes of parts compare in that unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DataError
from .results import Decontamination

KINDS = ("a", "b")


@dataclass(frozen=True)
class PartAmplitudes:
    r"""Amplitudes of all parts, one after the other, each relative to a common rms of its template.

    Parameters
    ----------
    parts, names : tuple of str
        Parts, and the templates of any of them.
    rms : ndarray, shape (n_names,)
        Common rms of each template: the root of its mean variance within the parts that have it, in the unit of
        the map.
    part, name, kind : ndarray of int, shape (n,)
        Part, template, and 0 for ``a`` or 1 for ``b``, of every amplitude.
    values : ndarray, shape (n,)
        Amplitudes per common rms [1].
    cov : ndarray, shape (n, n)
        Their covariance on the clustered sky.
    scale : ndarray, shape (n,)
        Amplitude per common rms over that per rms of the template on the part.
    cov_draws : ndarray, shape (n_draws, n, n), or None
        Covariances for spectra of the parts that are as likely as the estimated ones: they change the errors of ``a``;
        None where a part has none.
    """

    parts: tuple[str, ...]
    names: tuple[str, ...]
    rms: np.ndarray
    part: np.ndarray
    name: np.ndarray
    kind: np.ndarray
    values: np.ndarray
    cov: np.ndarray
    scale: np.ndarray
    cov_draws: np.ndarray | None

    def chosen(self, keep: np.ndarray) -> PartAmplitudes:
        """Some of the amplitudes, whatever the others are; ``keep`` is boolean, shape (n,)."""
        rows = {k: getattr(self, k)[keep] for k in ("part", "name", "kind", "values", "scale")}
        draws = None if self.cov_draws is None else self.cov_draws[:, keep][:, :, keep]
        return replace(self, cov=self.cov[np.ix_(keep, keep)], cov_draws=draws, **rows)

    @property
    def columns(self) -> np.ndarray:
        """Kinds and templates that there are, shape (n_columns, 2)."""
        return np.unique(np.stack([self.kind, self.name], axis=1), axis=0)

    @property
    def design(self) -> np.ndarray:
        """Which amplitudes would be the same if all parts were: one column each, shape (n, n_columns) [0 or 1]."""
        of_rows = np.stack([self.kind, self.name], axis=1)
        return np.all(of_rows[:, None] == self.columns[None], axis=2).astype(float)

    def shared(self) -> tuple[np.ndarray, np.ndarray]:
        """Combination of the parts by their inverse covariance, as if all had the same amplitudes.

        Returns
        -------
        values : ndarray, shape (n_columns,)
            Amplitudes of :attr:`columns`, per common rms [1].
        cov : ndarray, shape (n_columns, n_columns)
            Their covariance.
        """
        weighted = np.linalg.solve(self.cov, self.design).T
        cov = np.linalg.inv(weighted @ self.design)
        return cov @ weighted @ self.values, cov


def part_amplitudes(results: Mapping[str, Decontamination], correlation: np.ndarray | None = None) -> PartAmplitudes:
    r"""Bring the amplitudes of parts into one unit.

    Parameters
    ----------
    results : mapping of str to Decontamination
        Fits of the parts by one method, at least two.
    correlation : ndarray, shape (n_parts, n_parts), optional
        Correlation of the errors between parts, in their order; independent by default.

    Returns
    -------
    PartAmplitudes
        What the maps of the parts say, without any prior; where the efficiency of a combined fit was held at its
        floor, ``b`` of that part is left out and ``a`` is that for ``b = 0``.

    Raises
    ------
    DataError
        When there are fewer than two parts, their methods differ, or the correlation is not one or came for parts
        whose templates differ.

    Notes
    -----
    A density that follows :math:`1 + \alpha (t - m)` is seen in part k, relative to its own mean density and for a
    template of mean :math:`m_k` and rms :math:`s_k` there, as :math:`a_k = \alpha s_k / [1 + \alpha (m_k - m)]`.  The
    denominator is left out here.
    """
    fits = dict(results)
    _check_parts(fits)
    names = tuple(dict.fromkeys(name for fit in fits.values() for name in fit.names))
    found = [_of_part(fit) for fit in fits.values()]
    rms, sizes = _common_rms(fits, names), [len(one.values) for one in found]
    own = np.concatenate([fit.templates.rms[one.name] for fit, one in zip(fits.values(), found, strict=True)])
    name = np.concatenate(
        [[names.index(fit.names[i]) for i in one.name] for fit, one in zip(fits.values(), found, strict=True)]
    )
    kind, values = (np.concatenate([getattr(one, field) for one in found]) for field in ("kind", "values"))
    scale = rms[name] / own
    cov = _together([one.cov for one in found], _checked_correlation(correlation, fits))
    draws, unit = _likely(cov, found), np.outer(scale, scale)
    return PartAmplitudes(
        parts=tuple(fits),
        names=names,
        rms=rms,
        part=np.repeat(np.arange(len(found)), sizes),
        name=name,
        kind=kind,
        values=scale * values,
        cov=unit * cov,
        scale=scale,
        cov_draws=None if draws is None else unit * draws,
    )


@dataclass(frozen=True)
class _Own:
    """What a part knows of its amplitudes: templates, kinds, values, covariance, and what likely spectra make of a."""

    name: np.ndarray
    kind: np.ndarray
    values: np.ndarray
    cov: np.ndarray
    mixing: np.ndarray | None


def _of_part(fit: Decontamination) -> _Own:
    """Amplitudes before any prior; where b is not known, a for b = 0."""
    n_sys, before = len(fit.names), fit.before_prior
    a, b, cov, draws = (fit.a, fit.b, fit.cov, fit.cov_a_draws) if before is None else vars(before).values()
    places, none = np.arange(n_sys), np.zeros(n_sys, int)
    of_a = cov[:n_sys, :n_sys]
    mixing = None if draws is None else np.linalg.cholesky(draws) @ np.linalg.inv(np.linalg.cholesky(of_a))
    if fit.model != "combined":
        return _Own(places, none, a, of_a, mixing)
    if not fit.on_floor:
        return _Own(np.tile(places, 2), np.append(none, none + 1), np.append(a, b), cov, mixing)
    slope = np.linalg.solve(cov[n_sys:, n_sys:], cov[n_sys:, :n_sys]).T
    return _Own(places, none, a - slope @ b, of_a - slope @ cov[n_sys:, :n_sys], mixing)


def _likely(cov: np.ndarray, found: list[_Own]) -> np.ndarray | None:
    """Covariances of all parts for likely spectra of each, shape (n_draws, n, n)."""
    if any(one.mixing is None for one in found):
        return None
    n_draws, start = min(len(one.mixing) for one in found), 0
    mixing = np.broadcast_to(np.eye(len(cov)), (n_draws, *cov.shape)).copy()
    for one in found:
        of_a = slice(start, start + one.mixing.shape[1])
        mixing[:, of_a, of_a] = one.mixing[:n_draws]
        start += len(one.values)
    return mixing @ cov @ np.swapaxes(mixing, 1, 2)


def _common_rms(results: dict[str, Decontamination], names: tuple[str, ...]) -> np.ndarray:
    def of(name):
        having = [fit.templates for fit in results.values() if name in fit.names]
        return np.sqrt(np.mean([templates.rms[templates.names.index(name)] ** 2 for templates in having]))

    return np.array([of(name) for name in names])


def _together(blocks: list[np.ndarray], correlation: np.ndarray) -> np.ndarray:
    """Covariance of all parts; errors of two parts go together template by template."""
    roots = [np.linalg.cholesky(block) for block in blocks]

    def crossed(left, right):
        # where one part has no b, what both have comes first
        both = min(len(left), len(right))
        return left[:, :both] @ right[:, :both].T

    return np.block(
        [
            [share * crossed(a, b) for b, share in zip(roots, row, strict=True)]
            for a, row in zip(roots, correlation, strict=True)
        ]
    )


def _checked_correlation(correlation: np.ndarray | None, fits: dict[str, Decontamination]) -> np.ndarray:
    n = len(fits)
    if correlation is None:
        return np.eye(n)
    matrix = np.asarray(correlation, float)
    good = matrix.shape == (n, n) and np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1.0)
    if not good or np.linalg.eigvalsh(matrix)[0] <= 0:
        msg = f"correlation of {n} parts has shape {matrix.shape} or is none: give a positive matrix, diagonal one"
        raise DataError(msg)
    if len({fit.names for fit in fits.values()}) > 1:
        msg = "correlation came for parts whose templates differ: give all the same templates, in one order"
        raise DataError(msg)
    return matrix


def _check_parts(results: dict[str, Decontamination]) -> None:
    if len(results) < 2:
        msg = f"{len(results)} part came, {', '.join(results) or 'none'}: give the results of at least two"
        raise DataError(msg)
    methods = sorted({fit.method for fit in results.values()})
    if len(methods) > 1:
        msg = f"parts were fitted by {' and '.join(methods)}: give results of one method"
        raise DataError(msg)
