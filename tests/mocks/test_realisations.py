from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from sysmap_core.mocks.lognormal import PixelField
from sysmap_core.mocks.realisations import BATCH, clustered_counts, null_realisations, pixel_sample

NSIDE = 16

SAMPLE = pixel_sample(NSIDE, 0.4, 40.0)


def test_realisations_do_not_depend_on_who_draws_them():
    n = 2 * BATCH + 3
    alone = list(null_realisations(SAMPLE.sky, SAMPLE.spectrum, n, seed=3))
    done = []
    with ThreadPoolExecutor(2) as pool:
        shared = list(
            null_realisations(
                SAMPLE.sky,
                SAMPLE.spectrum,
                n,
                seed=3,
                executor=pool,
                progress=lambda i, total: done.append((i, total)),
            )
        )
    first = next(null_realisations(SAMPLE.sky, SAMPLE.spectrum, 1, seed=3))
    assert done == [(i + 1, n) for i in range(n)]
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one.delta, other.delta)
    np.testing.assert_array_equal(first.delta, alone[0].delta)
    assert (alone[0].delta != alone[1].delta).any()
    assert first.delta @ first.expected == pytest.approx(0.0, abs=1e-8)


def test_contamination_of_realisations():
    additive = np.where(np.arange(SAMPLE.sky.n_pix) % 2, 0.2, -0.2)
    drawn = null_realisations(SAMPLE.sky, SAMPLE.spectrum, 10, seed=3, additive=additive, multiplicative=additive)
    slope = np.mean([field.delta @ additive for field in drawn]) / (additive @ additive)
    assert slope == pytest.approx(1.0, abs=0.05)


def test_truth_of_a_sample_of_pixels():
    """With very many galaxies the counts are the true field."""
    sample = pixel_sample(16, 0.4, 1e8)
    truth = sample.truth(3)
    wanted = (1.0 + truth) / np.mean(1.0 + truth) - 1.0
    np.testing.assert_allclose(sample.draw(3).delta, wanted, atol=3e-3)
    assert np.std(sample.truth(4) - truth) > 0.1


def test_noise_of_realisations_is_that_of_the_sample():
    """Weighted galaxies on a coverage that was counted: variance without clustering, Monte Carlo error 1 %."""
    sample = pixel_sample(16, 1e-3, 10.0)
    sky = replace(sample.sky, object_weight=2.5, coverage_noise=np.full(sample.sky.n_pix, 0.04))
    rng = np.random.default_rng(0)
    deltas = np.array([clustered_counts(sky, PixelField(0.0 * sample.spectrum), rng).delta for _ in range(30)])
    assert np.mean(sky.noise.variance()) == pytest.approx(0.25 + 0.04)
    assert np.mean(deltas**2) == pytest.approx(0.29, rel=4 * np.sqrt(2 / deltas.size))


def test_realisations_keep_the_noise_of_the_sample():
    sample = pixel_sample(8, 0.3, 10.0)
    sky = replace(sample.sky, object_weight=2.5, coverage_noise=np.full(sample.sky.n_pix, 0.04))
    for drawn in null_realisations(sky, sample.spectrum, 2, seed=1):
        np.testing.assert_allclose(drawn.noise.coverage, 0.04)
        np.testing.assert_allclose(drawn.noise.galaxies, 2.5 / drawn.expected)
        weights = (1.0 + drawn.delta) * drawn.expected / 2.5
        np.testing.assert_allclose(weights, np.round(weights), atol=1e-9)
