r"""Mask and refit: what cuts by the values of templates do to a fit and to the clustering that it leaves.

A fit takes the density to follow a template in one way everywhere.  Where it does not, in the extreme pixels first, a
cut changes the clustering; where it does, a cut costs area and changes nothing but noise.  Samples before and after a
cut share most of their sky, so that the error of the difference is far smaller than that of either curve.  It comes
from realisations of one sky that are fitted through both masks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from ..correction import TemplateCorrelations, cleaned_correlation, from_harmonics
from ..covariance import SpectrumEstimate
from ..diagnostics import verdict
from ..errors import ParameterError
from ..methods import Decontamination, decontaminate
from ..mocks import PixelField, clustered_counts, map_realisations
from ..sky import Field, shared_footprint
from ..summaries import Measured, errors_of
from ..templates import Cut, TemplateSet, kept_pixels
from ..two_point import Correlation, field_correlation
from .mask_steps import MaskAndRefit, MaskStep

N_REALISATIONS = 40


def mask_and_refit(
    field: Field,
    templates: TemplateSet,
    cuts: Sequence[Cut],
    method: str = "GLS",
    *,
    edges_arcmin: np.ndarray,
    by: TemplateSet | None = None,
    each_alone: bool = False,
    n_realisations: int = N_REALISATIONS,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options,
) -> MaskAndRefit:
    r"""Apply cuts one after the other and fit again what is left.

    Parameters
    ----------
    field : Field
        Observed overdensity.
    templates : TemplateSet
        Templates on the same pixels.
    cuts : sequence of Cut
        In their order: :class:`~.TemplateCut`, :class:`~.LeverageCut`.
    method : str
        Row of :data:`~.METHODS`.
    edges_arcmin : ndarray, shape (n_theta + 1,)
        Bin edges, evenly spaced in theta or in its logarithm [arcmin].
    by : TemplateSet, optional
        Maps that the cuts look at, on the same pixels; the templates of the fit by default.
    each_alone : bool
        Whether to make each cut on its own as well, compared with no cut.
    n_realisations, seed : int
        Realisations behind the errors, and what fixes them for any number of workers.
    executor, progress
        As in :func:`~.map_realisations`.
    **options
        Of :func:`~.decontaminate`.

    Returns
    -------
    MaskAndRefit
        With a step without cuts first.

    Raises
    ------
    ParameterError
        When there is no cut, or too few realisations for the bins.
    DataError
        When maps are on different pixels, or cuts leave nothing, or too little for a template to vary.

    Notes
    -----
    Realisations have the spectrum and the amplitudes of the fit behind all cuts, which is the one to trust, carried on
    linearly to the pixels that were cut.  Every one is fitted again through all masks with that spectrum, whose own
    error is left out.  With n of them and m bins,
    :math:`(n - m) / [m (n - 1)]\, \Delta^t S^{-1} \Delta / (1 + 1/n)` follows :math:`F(m, n - m)` (Hotelling 1931),
    :math:`\Delta` being the difference less its mean over realisations and S their covariance.  A method that takes its
    errors from realisations of its own is slow here: give it ``covariance="analytic"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sysmap_core import standardise
    >>> from sysmap_core.mocks import pixel_sample
    >>> from sysmap_core.templates import TemplateCut, synthetic_maps
    >>> field, edges = pixel_sample(16, 0.3, 50.0).draw(1), np.geomspace(300, 1200, 3)
    >>> maps = synthetic_maps(16, ["white_noise"], np.random.default_rng(0))
    >>> depth = standardise(maps, ["depth"], field.footprint)
    >>> cut = TemplateCut("depth", quantiles=(0.0, 0.9))
    >>> found = mask_and_refit(field, depth, [cut], "OLS", edges_arcmin=edges, n_realisations=5)
    >>> [step.label for step in found.steps]
    ['no cut', 'depth between its quantiles 0 and 0.9']
    >>> bool(found.change(1).error[0] < found.steps[1].correlation.error[0])
    True
    """
    cuts, by, n_bins = tuple(cuts), by or templates, len(edges_arcmin) - 1
    shared_footprint(need_place=True, field=field, templates=templates, maps=by)
    if not cuts:
        msg = "cuts are empty: give one cut or more, such as TemplateCut('stars', high=1500.0)"
        raise ParameterError(msg)
    if n_realisations < n_bins + 2:
        msg = f"n_realisations is {n_realisations} for {n_bins} bins: give {n_bins + 2} or more, some tens for an error"
        raise ParameterError(msg)
    plan = [(cuts[:k], k - 1 if k else None) for k in range(len(cuts) + 1)]
    if each_alone:
        plan += [((cut,), 0) for cut in cuts[1:]]
    how = {"seed": seed} | options
    parts = [_Part.of(field, templates, kept_pixels(by, chosen), method, edges_arcmin, how) for chosen, _ in plan]
    data = [part.of_data(field) for part in parts]
    trusted = data[len(cuts)]
    # the spread of likely spectra is of no use in realisations
    known = replace(trusted.spectrum, draws=trusted.spectrum.draws[:0])
    task = _Realised(field, tuple(parts), known, PixelField.of(known), *_law(field, templates, trusted))
    found = list(map_realisations(task, n_realisations, seed, executor=executor, progress=progress))
    curves, amplitudes = (np.array(x) for x in zip(*found, strict=True))
    steps = tuple(
        _step(chosen, before, part, fit, curves[:, i])
        for i, ((chosen, before), part, fit) in enumerate(zip(plan, parts, data, strict=True))
    )
    return MaskAndRefit(steps, curves, amplitudes)


@dataclass(frozen=True)
class _Part:
    """What is left by some cuts, and how it is fitted and measured."""

    templates: TemplateSet
    pairs: TemplateCorrelations
    scale: np.ndarray
    method: str
    edges: np.ndarray
    options: Mapping[str, object]

    @classmethod
    def of(cls, field: Field, templates: TemplateSet, pixels: np.ndarray, method: str, edges, options) -> _Part:
        part = templates.restricted(pixels)
        pairs = from_harmonics(part, edges_arcmin=edges, weights=field.restricted(pixels).expected)
        # in two units, the amplitude per unit of the map is the same
        return cls(part, pairs, templates.rms / part.rms, method, edges, options)

    def of_data(self, field: Field) -> Decontamination:
        return decontaminate(self._left(field), self.templates, self.method, **self.options)

    def of_realisation(self, field: Field, spectrum: SpectrumEstimate) -> tuple[np.ndarray, np.ndarray]:
        """Correlation function and amplitudes of a fit with a known spectrum."""
        options = self.options | {"spectrum": spectrum}
        fit = decontaminate(self._left(field), self.templates, self.method, **options)
        return self.curve(fit).w, np.concatenate([fit.a * self.scale, fit.b * self.scale])

    def curve(self, fit: Decontamination) -> Correlation:
        of_map = field_correlation(fit.field, fit.cleaned, edges_arcmin=self.edges, engine="harmonic")
        return cleaned_correlation(of_map, self.pairs, fit)

    def _left(self, field: Field) -> Field:
        # the footprint of the templates remembers its transforms
        return replace(field.restricted(self.templates.pixels), footprint=self.templates.footprint)


@dataclass(frozen=True)
class _Realised:
    """Curves and amplitudes of one realisation through all masks, from its seed."""

    sky: Field
    parts: tuple[_Part, ...]
    spectrum: SpectrumEstimate
    clustering: PixelField
    additive: np.ndarray
    multiplicative: np.ndarray

    def __call__(self, seed: np.random.SeedSequence) -> tuple[np.ndarray, np.ndarray]:
        contamination = self.additive, self.multiplicative
        drawn = clustered_counts(self.sky, self.clustering, np.random.default_rng(seed), *contamination)
        curves, amplitudes = zip(*(part.of_realisation(drawn, self.spectrum) for part in self.parts), strict=True)
        return np.array(curves), np.array(amplitudes)


def _law(field: Field, templates: TemplateSet, fit: Decontamination) -> tuple[np.ndarray, np.ndarray]:
    """Contamination A and B of a fit on a part, on all pixels and relative to their mean density."""
    shift, scale = (templates.mean - fit.templates.mean) / fit.templates.rms, templates.rms / fit.templates.rms
    values = shift[:, None] + scale[:, None] * templates.values
    density = np.maximum(1.0 + fit.a_mean @ values, 0.0)
    mean = np.average(density, weights=field.expected)
    return density / mean - 1.0, (1.0 + fit.b_mean @ values) / mean - 1.0


def _step(cuts, before, part: _Part, fit: Decontamination, curves) -> MaskStep:
    a, b = (
        Measured(x * part.scale, errors_of(cov) * part.scale) for x, cov in ((fit.a, fit.cov_a), (fit.b, fit.cov_b))
    )
    correlation = replace(part.curve(fit), cov=np.atleast_2d(np.cov(curves, rowvar=False)))
    return MaskStep(tuple(cuts), before, fit, verdict(fit), a, b, correlation)
