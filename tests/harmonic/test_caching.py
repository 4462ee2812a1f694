import numpy as np

from sysmap_core.harmonic.caching import Content, coverage_pattern


def test_a_key_is_its_content():
    values = np.arange(6.0)
    key, again = Content(values, values[:2]), Content(values.copy(), values[:2].copy())
    assert key == again
    assert hash(key) == hash(again)
    assert key != Content(values + 1e-15, values[:2])
    values[0] = 7.0  # a key that changes is no longer found
    assert key != again


def test_pattern_is_that_of_all_realisations():
    expected = np.random.default_rng(0).uniform(1.0, 3.0, 1000)
    patterns = [coverage_pattern(expected * scale) for scale in (1.0, 1 / 3, 0.7, 1e3)]
    for pattern in patterns:
        np.testing.assert_array_equal(pattern, patterns[0])
    np.testing.assert_allclose(patterns[0], expected / expected.mean(), rtol=1e-11)
