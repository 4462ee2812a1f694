"""A part of a sample: what contaminates it, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..diagnostics import RatioTest, Verdict, examine, likelihood_ratio, verdict
from ..errors import DataError
from ..methods import AmplitudePrior, Decontamination, Method, run_methods
from ..samples import Sample, SamplePart
from ..sky import Field, footprint, overdensity
from ..templates import TemplateCut, TemplateSet, kept_pixels, standardise
from ..weights import FittedPart, recommendation, recommended


@dataclass(frozen=True)
class PartResult:
    """What was found in a part of a sample.

    Parameters
    ----------
    part : SamplePart
        The part, with the templates that were fitted.
    field : Field
        Its overdensity.
    templates : TemplateSet
        Its templates, standardised on its own footprint.
    near_duplicates : tuple of tuple of str
        Templates that are nearly the same; the first of each group is fitted, unless all were asked for.
    left_out : tuple of str
        Those that are not fitted.
    results : dict of str to Decontamination
        By method.
    test : RatioTest or None
        Test for multiplicative contamination; None where the coverage has too few randoms for one.
    notes : tuple of str
        What could not be done.
    """

    part: SamplePart
    field: Field
    templates: TemplateSet
    near_duplicates: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]
    results: dict[str, Decontamination]
    test: RatioTest | None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name of the part."""
        return self.part.label

    @property
    def sample(self) -> Sample:
        """The part as a sample."""
        return self.part.sample

    @property
    def redshift(self) -> float:
        """Where its bin lies: mean of the edges, or the number of a bin without edges."""
        return float(sum(self.part.z_range) / 2.0 if self.part.z_range else self.part.z_bin)

    @property
    def best(self) -> Decontamination:
        """Result behind WEIGHT_SYS."""
        return recommended(self.results)

    @property
    def recommendation(self) -> str:
        """Why it is that one, in a sentence."""
        return recommendation(self.results)

    @cached_property
    def verdict(self) -> Verdict:
        """What to do with the part."""
        return verdict(self.best, self.test)

    @property
    def fitted(self) -> FittedPart:
        """The part as files of weights take it."""
        return FittedPart(self.part, self.results, self.test, self.verdict)


def fit_part(
    part: SamplePart,
    methods: Sequence[Method],
    *,
    likelihood: str = "shot-noise",
    shrinkage: str = "hierarchical",
    keep_near_duplicates: bool = False,
    prior: AmplitudePrior | None = None,
    cuts: Sequence[TemplateCut] = (),
    seed: int = 0,
) -> PartResult:
    """Fit the contamination of a part of a sample.

    Parameters
    ----------
    part : SamplePart
        The part.
    methods : sequence of Method
        Rows of :data:`~.METHODS`.
    likelihood, shrinkage, keep_near_duplicates, prior, cuts, seed
        As in :func:`run_sample`.

    Returns
    -------
    PartResult
        Methods that also fit ``b`` are left out, with a note, where the coverage was counted with too few randoms.

    Raises
    ------
    DataError
        When the part cannot be fitted, with its name.
    """
    try:
        sky, field, templates, alike, left_out = _prepared(part, keep_near_duplicates, cuts)
        how = {"likelihood": likelihood, "seed": seed}
        results, test, notes = _fits(field, templates, methods, shrinkage, prior, how)
    except DataError as error:
        if part.label == "all":
            raise
        raise DataError(f"part {part.label!r}: {error}") from None
    return PartResult(replace(part, sample=sky), field, templates, alike, left_out, results, test, notes)


def _prepared(part: SamplePart, keep_near_duplicates: bool, cuts: Sequence[TemplateCut]):
    """Sample with the templates that are fitted, its overdensity, these templates, and what was left out."""
    covered = footprint(part.sample.coverage)
    alike = _near_duplicates(part.sample, covered)
    left_out = () if keep_near_duplicates else tuple(name for _, *others in alike for name in others)
    sky = part.sample.without_templates(left_out)
    templates = standardise(sky.maps, sky.template_names, covered, missing=sky.missing)
    field = overdensity(sky.galaxy_counts, sky.coverage, templates.pixels)
    if cuts:
        pixels = kept_pixels(templates, cuts)
        field, templates = field.restricted(pixels), templates.restricted(pixels)
    return sky, field, templates, alike, left_out


def _fits(field: Field, templates: TemplateSet, methods: Sequence[Method], shrinkage: str, prior, how: dict):
    """Results by method, the test of b, and notes on what could not be done."""
    names, notes = [method.name for method in methods], ()
    few = _too_few_randoms(field)
    if few:
        dropped = [method.name for method in methods if method.model == "combined"]
        names = [name for name in names if name not in dropped] or ["GLS"]
        notes = (f"{' and '.join(dropped) or 'The test of b'} left out: {few}.",)
    results = run_methods(field, templates, names, shrinkage=shrinkage, prior=prior, **how)
    test = None if few else likelihood_ratio(field, templates, spectrum=recommended(results).spectrum, **how)
    return results, test, notes


def _near_duplicates(sample: Sample, covered) -> tuple[tuple[str, ...], ...]:
    """Groups of templates, each in the order of the sample, which decides what is kept."""
    if len(sample.template_names) < 2:
        return ()
    groups = examine(sample.maps, sample.template_names, covered).relations.groups
    return tuple(tuple(sorted(group, key=sample.template_names.index)) for group in groups)


def _too_few_randoms(field: Field) -> str:
    try:
        field.noise.check_randoms()
    except DataError as error:
        return str(error)
    return ""
