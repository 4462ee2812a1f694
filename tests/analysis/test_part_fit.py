"""A part of a sample: its templates, methods and notes."""

from dataclasses import replace

import numpy as np
import pytest
from skies import catalogued_run, catalogued_spec

from sysmap_core.analysis.part_fit import fit_part
from sysmap_core.analysis.sample_run import run_sample
from sysmap_core.errors import DataError
from sysmap_core.methods import METHODS, AmplitudePrior
from sysmap_core.sky import Counts
from sysmap_core.templates import TemplateCut


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two regions with two bins."""
    return catalogued_run(tmp_path_factory.mktemp("run"))


def test_templates_that_are_nearly_the_same_are_fitted_once(tmp_path):
    found = catalogued_run(tmp_path, parts=False, twin=True)
    assert found.parts[0].near_duplicates == (("first", "twin"),)
    assert found.parts[0].left_out == ("twin",)
    assert found.parts[0].best.names == ("first", "second")
    both = catalogued_run(tmp_path, parts=False, twin=True, keep_near_duplicates=True)
    assert both.parts[0].best.names == ("first", "second", "twin")


def test_few_randoms_leave_out_what_needs_many(tmp_path):
    spec = replace(catalogued_spec(tmp_path, n_randoms=1500), regions="", z_edges=())
    found = run_sample(spec, methods=["GLS", "GLS-comb"])
    (part,) = found.parts
    assert list(part.results) == ["GLS"]
    assert part.test is None
    assert part.notes[0].startswith("GLS-comb left out: the coverage was counted with ")


def test_error_of_a_part_names_it(done):
    part = done.parts[0].part
    nothing = replace(part, sample=replace(part.sample, galaxy_counts=Counts(*np.zeros((2, 12 * 8**2)))))
    with pytest.raises(DataError, match=r"part 'N, z 0.2-0.5': no galaxy of 0 lies on the \d+ pixels"):
        fit_part(nothing, [METHODS["OLS"]])


def test_cuts_leave_out_pixels_of_every_part(tmp_path, done):
    found = catalogued_run(tmp_path, methods=["OLS"], cuts=[TemplateCut("first", quantiles=(0.0, 0.9))])
    for own, cut in zip(done.parts, found.parts, strict=True):
        assert cut.field.n_pix == pytest.approx(0.9 * own.field.n_pix, abs=2)
        kept = np.isin(own.field.pixels, cut.field.pixels)
        assert own.templates.values[0][kept].max() < own.templates.values[0][~kept].min()
        np.testing.assert_allclose(cut.templates.values.mean(1), 0.0, atol=1e-12)


def test_prior_moves_amplitudes_of_its_template_only_through_their_correlation(tmp_path, done):
    prior = AmplitudePrior.normal(a={"first": (0.0, 1e-6)}, per="rms")
    found = catalogued_run(tmp_path, prior=prior)
    for part in found.parts:
        assert abs(part.best.a[0]) < 1e-5
        np.testing.assert_array_equal(part.best.before_prior.a, done[part.label].best.a)


def test_bin_lies_in_the_middle_of_its_edges(done):
    assert [part.redshift for part in done.parts] == pytest.approx([0.35, 0.65, 0.35, 0.65])
