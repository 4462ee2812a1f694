"""A simulated sample with everything that is written about it."""

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core import METHODS, likelihood_ratio, run_methods, verdict, write_all
from sysmap_core.samples import Sample, Truth
from sysmap_core.sky import scatter_galaxies, uniform_randoms


@pytest.fixture(scope="session")
def run():
    """A simulated sample with everything that is written."""
    sky = ClusteredSky(nside=16)
    field = sky.field(0, a=0.1, b=0.1)
    rng = np.random.default_rng(0)
    counts = np.zeros(sky.coverage.size, int)
    counts[field.pixels] = np.round(field.expected * (1 + field.delta)).astype(int)
    counts[np.flatnonzero(sky.coverage == 0)[:3]] = 1  # three galaxies off the footprint
    sample = Sample(
        identifier="TEST",
        title="test",
        nside=16,
        galaxy_counts=counts.astype(float),
        coverage=sky.coverage,
        maps=np.zeros((3, counts.size)),
        template_names=sky.templates.names,
        galaxies=scatter_galaxies(counts, 16, rng),
        randoms=uniform_randoms(sky.coverage > 0, 5_000, rng),
        simulated=True,
        truth=Truth(np.full(3, 0.1), np.full(3, 0.1), np.zeros(counts.size), sky.spectrum),
        sources={"galaxies": "simulated, seed 0"},
        missing="error",
        notes=(),
    )
    results = run_methods(field, sky.templates, list(METHODS))
    test = likelihood_ratio(field, sky.templates, spectrum=sky.spectrum)
    return sample, results, test, verdict(results["MCMC-comb"], test)


@pytest.fixture
def written(run, tmp_path):
    return write_all(tmp_path, *run)
