"""Everything that users of sys_mapping import by name is there."""

import importlib

import pytest

import sysmap_core
from sysmap_core import sys_mapping

MODULES = {
    "bootstrap": "block_bootstrap_variance",
    "contamination": "n_free_params",
    "correction": "debias_params",
    "diagnostics": "snr_template_ranking",
    "inference": "run_mcmc",
    "likelihood": "make_log_likelihood",
    "maps": "TEMPLATE_FAMILIES",
    "mocks": "MockCatalog",
    "model_selection": "LikelihoodRatioResult",
    "plotting": "METHOD_ORDER",
    "power_spectrum": "measure_pseudo_cl",
    "regression": "run_decontamination",
    "utils": "compute_covariance_matrix",
}


@pytest.mark.parametrize("name", sys_mapping.__all__)
def test_names_are_those_of_the_package(name):
    assert getattr(sys_mapping, name) is not None
    if name not in MODULES and name != "ContaminationScenario":
        assert getattr(sysmap_core, name) is getattr(sys_mapping, name)


@pytest.mark.parametrize(("module", "name"), MODULES.items())
def test_modules_have_the_names_of_the_original(module, name):
    assert getattr(importlib.import_module(f"sysmap_core.sys_mapping.{module}"), name) is getattr(sys_mapping, name)
