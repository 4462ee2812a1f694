"""What a method found: one type of result for all of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..covariance import SpectrumEstimate
from ..files import plain, restored
from ..sky import Field, Footprint
from ..templates import TemplateSet
from .priors import AmplitudePrior, FittedAmplitudes
from .shrinkage import AmplitudePosterior, amplitude_posterior

_MAPS = ("galaxy_weights", "random_weights", "cleaned", "spectrum", "cov_a_draws", "details", "pooled")
_INPUTS = ("field", "templates")
_VALUES = {
    "spectrum": SpectrumEstimate,
    "prior": AmplitudePrior,
    "before_prior": FittedAmplitudes,
    "pooled": AmplitudePosterior,
}


@dataclass(frozen=True)
class Decontamination:
    """What a method found, where, and the weights that follow from it.

    Parameters
    ----------
    method, model : str
        Row of :data:`~.METHODS`, and the contamination model it estimates.
    field, templates : Field and TemplateSet
        What was fitted; everything below belongs to their footprint.
    a, b : ndarray, shape (n_sys,)
        Amplitudes, per rms of the template; ``b`` is zero for additive methods.  They and their covariances hold the
        ``prior``, where there is one.
    a_mean, b_mean : ndarray, shape (n_sys,)
        Those that the weights are made of: posterior means under a hierarchical prior, see ``shrinkage``.
    shrinkage : {"hierarchical", "none", "pooled"}
        Where they come from; without shrinkage they are the amplitudes of the fit, and pooled ones are posterior
        means over several parts of a sample.
    sigma : float
        rms of the field [1].
    cov_a, cov_b : ndarray, shape (n_sys, n_sys)
        Covariances on the clustered sky, see ``covariance``.
    cov_ab : ndarray, shape (n_sys, n_sys)
        Covariance of ``a`` (rows) with ``b`` (columns).
    cov_a_iid, cov_b_iid : ndarray, shape (n_sys, n_sys)
        Covariances that independent pixels would have.
    cov_a_draws : ndarray, shape (n_draws, n_sys, n_sys), or None
        ``cov_a`` for spectra that are as likely as the estimated one, for probabilities that know the
        uncertainty of the errors; None where the spectrum was given, or there is none.
    covariance : {"analytic", "realisations", "estimator", "independent pixels"}
        Where ``cov_a`` and ``cov_b`` come from: the sandwich, mocks, the estimator's own, or no
        clustering at all.
    galaxy_weights, random_weights : ndarray, shape (n_pix,)
        Weights of the galaxies and of the randoms in each pixel; together they undo the
        contamination of ``a_mean`` and ``b_mean`` exactly.
    cleaned : ndarray, shape (n_pix,)
        Overdensity without the contamination.
    clipped : float
        Fraction of pixels whose weight sits on the floor.
    spectrum : SpectrumEstimate, or None
        Signal spectrum behind the covariances [sr]; None without pixels.
    details : dict
        What else the method found.
    diagnostics : dict
        Numbers that the method reports about itself.
    seed : int
        Of its random numbers, where there are any.
    elapsed_s : float
        Wall time of the fit, without the covariance [s].
    prior : AmplitudePrior, optional
        What was known of some amplitudes beside the map; None where nothing was.
    before_prior : FittedAmplitudes, optional
        What the map alone says; None without a prior.
    pooled : AmplitudePosterior, optional
        Posterior behind the weights where it comes from several parts of a sample, see :func:`~.pooled`.
    """

    method: str
    model: str
    field: Field = dataclasses.field(repr=False)
    templates: TemplateSet = dataclasses.field(repr=False)
    a: np.ndarray
    b: np.ndarray
    a_mean: np.ndarray
    b_mean: np.ndarray
    shrinkage: str
    sigma: float
    cov_a: np.ndarray
    cov_b: np.ndarray
    cov_ab: np.ndarray
    cov_a_iid: np.ndarray
    cov_b_iid: np.ndarray
    cov_a_draws: np.ndarray | None = dataclasses.field(repr=False)
    covariance: str
    galaxy_weights: np.ndarray = dataclasses.field(repr=False)
    random_weights: np.ndarray = dataclasses.field(repr=False)
    cleaned: np.ndarray = dataclasses.field(repr=False)
    clipped: float
    spectrum: SpectrumEstimate | None = dataclasses.field(repr=False)
    details: dict = dataclasses.field(repr=False)
    diagnostics: dict
    seed: int
    elapsed_s: float
    prior: AmplitudePrior | None = None
    before_prior: FittedAmplitudes | None = dataclasses.field(default=None, repr=False)
    pooled: AmplitudePosterior | None = dataclasses.field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Templates."""
        return self.templates.names

    @property
    def footprint(self) -> Footprint:
        """Pixels of the fit."""
        return self.field.footprint

    @property
    def cov(self) -> np.ndarray:
        """Joint covariance of (a, b) on the clustered sky, shape (2 n_sys, 2 n_sys)."""
        return np.block([[self.cov_a, self.cov_ab], [self.cov_ab.T, self.cov_b]])

    def posterior(self) -> AmplitudePosterior:
        """Posterior of the amplitudes behind the weights, under the hierarchical prior.

        Returns
        -------
        AmplitudePosterior
            Of ``a``, for the combined model followed by ``b``.  Amplitudes with a prior of their own have that alone;
            pooled ones are those of all parts.
        """
        if self.pooled is not None:
            return self.pooled
        known = None if self.prior is None else self.prior.named(self.templates)
        return amplitude_posterior(self.model, self.a, self.b, self.cov, on_floor=self.on_floor, known=known)

    @property
    def on_floor(self) -> bool:
        """Whether the efficiency of a combined fit was held at its floor: then ``b`` is left out of the weights."""
        return bool(self.diagnostics.get("on_floor", False))

    @property
    def status(self) -> str:
        """How the fit ended, in words."""
        return self.diagnostics.get("status", "exact")

    @property
    def density(self) -> np.ndarray:
        """Mean density that the weights expect in every pixel, 1 + A, shape (n_pix,) [1]."""
        return self.random_weights / self.galaxy_weights

    def corrected(self, density: np.ndarray) -> np.ndarray:
        """Overdensity of a density of galaxies under both weights.

        Parameters
        ----------
        density : ndarray, shape (n_pix,)
            Contaminated density, without Poisson noise where only the error of the fit is to be seen [any unit].

        Returns
        -------
        ndarray, shape (n_pix,)
            Weighted density over the unweighted mean, less the weight of the randoms [1].
        """
        return self.galaxy_weights * density / np.mean(density) - self.random_weights

    def to_dict(self, *, maps: bool = True) -> dict:
        """Everything in plain Python types, for a JSON file.

        Parameters
        ----------
        maps : bool
            Whether to keep what has a value per pixel, multipole or draw, the field and templates among it, and the
            details.

        Returns
        -------
        dict
            :meth:`from_dict` needs the maps.
        """
        content = {k: v for k, v in vars(self).items() if k not in _INPUTS and (maps or k not in _MAPS)}
        content |= {k: vars(content[k]) for k in _VALUES if content.get(k) is not None}
        if not maps:
            return plain({"names": self.names} | content)
        place = {"pixels": self.footprint.pixels, "nside": self.footprint.nside}
        sky = {k: v for k, v in vars(self.field).items() if k != "footprint"}
        scales = {name: getattr(self.templates, name) for name in ("values", "names", "mean", "rms")}
        return plain(content | {"footprint": place, "field": sky, "templates": scales})

    @classmethod
    def from_dict(cls, content: dict) -> Decontamination:
        """Result from what :meth:`to_dict` gave.

        Parameters
        ----------
        content : dict
            With the maps.

        Returns
        -------
        Decontamination
            Equal to the one that was stored.

        Raises
        ------
        DataError
            When something is missing.
        """
        # results that were stored before there were priors and parts have none
        given = {"prior": None, "before_prior": None, "pooled": None} | content
        if {"footprint", *_INPUTS} <= given.keys():
            place = restored(Footprint, given["footprint"], "footprint")
            given["field"] = restored(Field, given["field"] | {"footprint": place}, "field")
            given["templates"] = restored(TemplateSet, given["templates"] | {"footprint": place}, "templates")
        for name, kind in _VALUES.items():
            if given.get(name) is not None:
                given[name] = restored(kind, given[name], name.replace("_", " "))
        return restored(cls, given, "result")
