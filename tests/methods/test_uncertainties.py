from dataclasses import replace

import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core.covariance.estimated_spectrum import SpectrumEstimate
from sysmap_core.covariance.sandwich import combined_covariance, linear_covariance, linear_covariance_draws
from sysmap_core.harmonic.spectra import pixel_window, variance
from sysmap_core.methods.decontamination import decontaminate
from sysmap_core.methods.uncertainties import MAX_ABSORBED, absorbed_share
from sysmap_core.templates.template_set import standardise


def steep_sky() -> ClusteredSky:
    """A sky whose largest modes hold much of the variance."""
    sky = ClusteredSky(nside=8, rms=0.3, nbar=60.0, families=("power_neg2",) * 4)
    ell = np.arange(24)
    cl = np.where(ell > 0, np.maximum(ell, 1.0) ** -3.0, 0.0) * pixel_window(8, 23) ** 2
    sky.spectrum = cl * 0.09 / variance(cl)
    return sky


def test_absorbed_share_is_what_a_fit_takes_from_clean_fields():
    sky = ClusteredSky(nside=16, rms=0.3, nbar=1e6)
    cov = linear_covariance(sky.field(0), sky.templates, sky.spectrum).cov
    fields = [sky.field(seed) for seed in range(60)]
    taken = [
        np.var(decontaminate(f, sky.templates, "OLS", spectrum=sky.spectrum).a @ sky.templates.values) for f in fields
    ]
    share = np.array(taken) / variance(sky.spectrum)
    error = share.std() / np.sqrt(len(share))
    assert absorbed_share(sky.templates, cov, sky.spectrum) == pytest.approx(share.mean(), abs=3 * error)


def test_realisations_where_a_few_modes_decide():
    sky = steep_sky()
    fit = decontaminate(sky.field(0), sky.templates, "MCMC-comb", spectrum=sky.spectrum)
    assert absorbed_share(sky.templates, fit.cov_a, sky.spectrum) > MAX_ABSORBED
    assert fit.covariance == "realisations"
    linear = decontaminate(sky.field(0), sky.templates, "OLS", spectrum=sky.spectrum)
    assert linear.covariance == "analytic"


def test_joint_covariance_of_a_and_b():
    sky = ClusteredSky(nside=16, rms=0.3, nbar=60.0)
    field = sky.field(0, a=[0.1, 0, 0], b=[0.1, 0, 0])
    fit = decontaminate(field, sky.templates, "MCMC-comb", spectrum=sky.spectrum, covariance="analytic")
    wanted = combined_covariance(field, sky.templates, sky.spectrum, fit.a, fit.b, fit.sigma).cov[:6, :6]
    np.testing.assert_allclose(fit.cov, wanted, rtol=1e-8)
    assert np.abs(fit.cov_ab).max() > 0


def test_realisations_keep_how_a_and_b_vary_together():
    sky = ClusteredSky(nside=8, rms=0.3, nbar=60.0)
    options = {"spectrum": sky.spectrum, "covariance": "realisations"}
    fit = decontaminate(sky.field(0), sky.templates, "MCMC-comb", **options)
    assert np.all(np.linalg.eigvalsh(fit.cov) > 0)
    assert np.abs(fit.cov_ab).max() > 0
    standins = standardise(np.array([sky.coverage * np.arange(768)]), ["ramp"], sky.pixels)
    assert decontaminate(sky.field(0), standins, "OLS", **options).covariance == "realisations"


def test_likely_covariances_hold_what_a_spectrum_does_not_resolve():
    """Of the linear fit: those of the spectra themselves, with the same variance beyond."""
    sky = ClusteredSky(nside=16)
    known = SpectrumEstimate.known(sky.spectrum, 16)
    estimate = replace(known, draws=np.array([2.0 * sky.spectrum]), beyond=0.05)
    fit = decontaminate(sky.field(0), sky.templates, "OLS", spectrum=estimate)
    wanted = linear_covariance_draws(fit.field, sky.templates, estimate.draws, fit.a, fit.b, unresolved=0.05)
    np.testing.assert_allclose(fit.cov_a_draws, wanted, rtol=1e-8)
