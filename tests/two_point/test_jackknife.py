import numpy as np
import pytest

from sysmap_core.errors import DataError
from sysmap_core.two_point.jackknife import check_patches, patch_centres, patch_numbers


def strip(number, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-30, 30, number), np.degrees(np.arcsin(rng.uniform(0, 0.4, number)))


def test_patches_are_compact_and_about_equal():
    randoms = strip(20_000, 0)
    centres = patch_centres(randoms, 30)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1.0)
    numbers = np.bincount(patch_numbers(randoms, centres), minlength=30)
    assert numbers.min() > 0.6 * 20_000 / 30
    assert numbers.max() < 1.5 * 20_000 / 30


def test_every_object_is_in_the_patch_of_the_nearest_centre():
    centres, galaxies = patch_centres(strip(5_000, 0), 12), strip(300, 1)
    phi, latitude = np.radians(galaxies)
    vectors = np.stack([np.cos(latitude) * np.cos(phi), np.cos(latitude) * np.sin(phi), np.sin(latitude)], -1)
    np.testing.assert_array_equal(patch_numbers(galaxies, centres), np.argmax(vectors @ centres.T, axis=1))


def test_a_seed_fixes_the_patches():
    randoms = strip(5_000, 0)
    np.testing.assert_array_equal(patch_centres(randoms, 10, seed=3), patch_centres(randoms, 10, seed=3))
    assert not np.array_equal(patch_centres(randoms, 10, seed=3), patch_centres(randoms, 10, seed=4))


def test_number_of_patches():
    assert check_patches({"galaxies": np.array([0, 2, 1]), "randoms": np.array([0, 0, 1, 2])}) == 3


@pytest.mark.parametrize("number", [0, 1, 6])
def test_patches_that_cannot_be(number):
    with pytest.raises(DataError, match=f"n_patches is {number} for 10 positions: take 2 or more"):
        patch_centres(strip(10, 0), number)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([[0, 0, 1], [0, 2, 1]], "patch 2 of 3 holds no galaxies: number patches from 0 without gaps"),
        ([[0, 2, 2], [0, 2, 2]], "patch 1 of 3 holds no galaxies"),
        ([[0, 0], [0, 0]], "there is one patch only"),
        ([[0, -1], [0, 1]], "patches are no whole numbers from 0"),
        ([[0.0, 1.0], [0.0, 1.0]], "patches are no whole numbers from 0"),
    ],
)
def test_numbers_of_patches_with_gaps(numbers, message):
    galaxies, randoms = (np.array(n) for n in numbers)
    with pytest.raises(DataError, match=message):
        check_patches({"galaxies": galaxies, "randoms": randoms})
