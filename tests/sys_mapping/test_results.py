import numpy as np
from skies import independent_counts

from sysmap_core.inference.posterior import fit_model
from sysmap_core.sys_mapping.results import SamplerSummary, single_weight


def test_weight_has_a_range():
    np.testing.assert_allclose(single_weight(np.array([-1.0, 0.01, 0.5, 1.0, 30.0])), [20.0, 20.0, 2.0, 1.0, 0.05])


def test_summary_of_a_sampler():
    delta, templates, _ = independent_counts(30, 0.05, 0.1, n_pix=500, n_sys=1)
    fit = fit_model(delta, templates, "additive", draws=100)
    assert SamplerSummary.of(fit) == SamplerSummary("closed-form", 1.0, 1.0, 100.0, 0)
