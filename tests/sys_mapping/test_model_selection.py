import numpy as np
import pytest
from skies import independent_counts

from sysmap_core.errors import ParameterError
from sysmap_core.inference.contamination import pack_params
from sysmap_core.inference.posterior import fit_model
from sysmap_core.sys_mapping.model_selection import likelihood_ratio_test


@pytest.fixture(scope="module")
def pixels():
    delta, templates, _ = independent_counts(200, 0.1, 0.1, n_pix=5_000)
    return delta, templates


def packed(fit):
    best = fit.maximum
    b = best.b if fit.model == "combined" else None
    return pack_params(best.a, b, best.sigma, model=fit.model)


def test_likelihood_ratio_of_maxima(pixels):
    fits = {m: fit_model(*pixels, m, "gaussian") for m in ("additive", "combined")}
    thetas = packed(fits["additive"]), packed(fits["combined"])
    test = likelihood_ratio_test(*pixels, *thetas, "additive", "combined")
    wanted = 2 * (fits["combined"].maximum.lnl - fits["additive"].maximum.lnl)
    assert test.lambda_lr == pytest.approx(wanted, rel=1e-6)
    assert test.n_dof == 3
    assert test.reject_null
    assert test.p_value < 1e-6
    none = np.concatenate([thetas[0][:3], np.full(3, 0.2), thetas[0][3:]])
    with pytest.warns(UserWarning, match="theta_alt is no maximum of the combined model"):
        negative = likelihood_ratio_test(*pixels, thetas[0], none, "additive", "combined")
    assert negative.lambda_lr < 0
    assert negative.p_value == 1.0
    assert not negative.reject_null
    with pytest.raises(ParameterError, match="'additive' must have more free amplitudes than null_model 'combined'"):
        likelihood_ratio_test(*pixels, *thetas[::-1], "combined", "additive")
    with pytest.raises(ParameterError, match="significance is 5"):
        likelihood_ratio_test(*pixels, *thetas, "additive", "combined", significance=5)
