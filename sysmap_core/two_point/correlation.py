"""Angular correlation functions as results: values and their file."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..errors import DataError, MissingDataError
from ..files import replacing

_COUNTS = ("pairs", "dd", "dr", "rr", "rr_weighted")

_COLUMNS = {
    "theta_low": ("arcmin", "lower edge"),
    "theta_high": ("arcmin", "upper edge"),
    "theta_nominal": ("arcmin", "centre of the bin"),
    "theta_mean": ("arcmin", "mean separation of the pairs"),
    "w": ("", "correlation function"),
    "cov": ("", "rows of its covariance"),
    "pairs": ("", "pairs of objects or pixels"),
    "dd": ("", "weighted pairs"),
    "dr": ("", "weighted pairs with randoms"),
    "rr": ("", "pairs of randoms with the weights of the survey"),
    "rr_weighted": ("", "pairs of randoms with all weights"),
}


@dataclass(frozen=True)
class Correlation:
    """An angular correlation function with its binning.

    Parameters
    ----------
    theta_edges : ndarray, shape (n_theta + 1,)
        Bin edges [arcmin].
    theta_nominal : ndarray, shape (n_theta,)
        Bin centres, in theta or in its logarithm as the bins are even [arcmin].
    theta_mean : ndarray, shape (n_theta,)
        Mean separation of the pairs [arcmin]; NaN in empty bins.
    w : ndarray, shape (n_theta,)
        Correlation [1]; NaN in empty bins.
    cov : ndarray, shape (n_theta, n_theta), or None
        Covariance, where one was asked for; NaN for empty bins.
    pairs : ndarray, shape (n_theta,)
        Pairs of galaxies or pixels, each counted once.
    estimator : str
        What was measured, in words.
    dd, dr, rr, rr_weighted : ndarray, shape (n_theta,), optional
        Sums of products of weights over pairs [1]: of galaxies or pixels; of galaxies with randoms; of
        randoms with the weights of the survey alone, and with those against contamination too.
    metadata : mapping of str to object
        Engine and its tolerance, metric, numbers of objects and sums of their weights, where the covariance
        comes from, versions of packages.
    """

    theta_edges: np.ndarray
    theta_nominal: np.ndarray
    theta_mean: np.ndarray
    w: np.ndarray
    cov: np.ndarray | None
    pairs: np.ndarray
    estimator: str
    dd: np.ndarray | None = None
    dr: np.ndarray | None = None
    rr: np.ndarray | None = None
    rr_weighted: np.ndarray | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def error(self) -> np.ndarray:
        """Standard deviation per bin; NaN without a covariance."""
        return np.full(len(self.w), np.nan) if self.cov is None else np.sqrt(np.diag(self.cov))

    @property
    def poisson_error(self) -> np.ndarray:
        """Standard deviation per bin of unclustered objects, (1 + w) / sqrt(pairs); infinite in empty bins."""
        with np.errstate(divide="ignore"):
            return (1.0 + np.nan_to_num(self.w)) / np.sqrt(self.pairs)

    def save(self, path: str | Path) -> Path:
        """Write everything to a text table (ECSV), from which :func:`read_correlation` restores every digit.

        Parameters
        ----------
        path : str or Path
            File to write; it appears complete or not at all.

        Returns
        -------
        Path
            The file.
        """
        columns = {
            "theta_low": self.theta_edges[:-1],
            "theta_high": self.theta_edges[1:],
            "theta_nominal": self.theta_nominal,
            "theta_mean": self.theta_mean,
            "w": self.w,
            "cov": self.cov,
        }
        columns |= {name: getattr(self, name) for name in _COUNTS}
        table = Table({name: np.asarray(v, float) for name, v in columns.items() if v is not None})
        for name in table.colnames:
            table[name].unit, table[name].description = _COLUMNS[name]
        facts = {"estimator": self.estimator, "metadata": _plain(self.metadata)}
        table.meta = facts | {"checksum": _checksum(table, facts)}
        with replacing(path) as partial:
            table.write(partial, format="ascii.ecsv", overwrite=True)
        return Path(path)


def read_correlation(path: str | Path) -> Correlation:
    """Read a correlation function.

    Parameters
    ----------
    path : str or Path
        File that :meth:`Correlation.save` wrote.

    Returns
    -------
    Correlation
        Equal to the one that was saved, to the last digit.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When it is no ECSV table, is cut short, or is a table of something else.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{str(path)!r} is not a file: check the name and the folder"
        raise MissingDataError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = Table.read(path, format="ascii.ecsv")
            return _from_table(table)
    # a damaged header can fail in YAML, in a unit, in a data type or in a shape
    except Exception as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        msg = f"{path} holds no correlation function ({reason}): give a file that Correlation.save wrote"
        raise DataError(msg) from None


def _plain(value):
    """Metadata in types that YAML has."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


def _checksum(table: Table, facts: Mapping) -> str:
    """Digest of all values, so that a file that was cut or edited is found."""
    # a YAML header keeps neither the order of keys nor tuples, at any depth
    digest = hashlib.sha256(json.dumps(facts["metadata"], sort_keys=True).encode())
    digest.update(str(facts["estimator"]).encode())
    for name in table.colnames:
        digest.update(name.encode() + np.ascontiguousarray(table[name], "<f8").tobytes())
    return digest.hexdigest()[:16]


def _from_table(table: Table) -> Correlation:
    if not {"estimator", "metadata", "checksum"} <= set(table.meta):
        msg = "its header is of something else"
        raise DataError(msg)
    if _checksum(table, table.meta) != table.meta["checksum"]:
        msg = "values do not match their checksum"
        raise DataError(msg)
    values = {name: np.array(table[name], float) for name in table.colnames}
    edges = np.append(values.pop("theta_low"), values.pop("theta_high")[-1])
    facts = {"estimator": table.meta["estimator"], "metadata": dict(table.meta["metadata"])}
    return Correlation(edges, **({"cov": None} | values), **facts)
