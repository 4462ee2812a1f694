"""Fits of parts of a sample, made up for tests of their statistics."""

import numpy as np

from sysmap_core.methods.decontamination import undone_contamination
from sysmap_core.methods.priors import AmplitudePrior, FittedAmplitudes
from sysmap_core.methods.results import Decontamination
from sysmap_core.sky.field import Field
from sysmap_core.sky.footprints import Footprint
from sysmap_core.templates.template_set import TemplateSet

N_PIX = 60


def made(
    a, cov, *, b=None, model="additive", rms=None, mean=None, names=None, draws=None, on_floor=False, before=None
) -> Decontamination:
    """Fit with given amplitudes and errors, on a few pixels without a place."""
    a, n_sys = np.asarray(a, float), len(a)
    b = np.zeros(n_sys) if b is None else np.asarray(b, float)
    cov = np.kron(np.diag([1.0, 0.0]), cov) if model == "additive" else np.asarray(cov)
    on = Footprint(np.arange(N_PIX))
    rng = np.random.default_rng(0)
    names = tuple(f"t{i}" for i in range(n_sys)) if names is None else names
    values = np.linalg.qr(np.column_stack([np.ones(N_PIX), rng.normal(size=(N_PIX, n_sys))]))[0].T[1:] * np.sqrt(N_PIX)
    rms = np.ones(n_sys) if rms is None else np.asarray(rms, float)
    mean = np.zeros(n_sys) if mean is None else np.asarray(mean, float)
    delta = 0.1 * rng.standard_normal(N_PIX)
    of_a, of_b = slice(0, n_sys), slice(n_sys, None)
    given = (
        {}
        if before is None
        else {
            "prior": AmplitudePrior.normal({names[0]: (0.0, 1.0)}, per="rms"),
            "before_prior": FittedAmplitudes(np.asarray(before, float), b, cov, draws),
        }
    )
    return Decontamination(
        method="GLS-comb" if model == "combined" else "GLS",
        model=model,
        field=Field(delta, np.full(N_PIX, 50.0), on),
        templates=TemplateSet(values, names, on, mean, rms),
        a=a,
        b=b,
        a_mean=a,
        b_mean=b,
        shrinkage="none",
        sigma=0.1,
        cov_a=cov[of_a, of_a],
        cov_b=cov[of_b, of_b],
        cov_ab=cov[of_a, of_b],
        cov_a_iid=cov[of_a, of_a],
        cov_b_iid=cov[of_b, of_b],
        cov_a_draws=draws,
        covariance="estimator",
        **undone_contamination(delta, values, a, b),
        spectrum=None,
        details={},
        diagnostics={"on_floor": on_floor},
        seed=0,
        elapsed_s=0.0,
        **given,
    )
