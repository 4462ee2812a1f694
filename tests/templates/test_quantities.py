"""Quantities of maps: what their headers state comes back, and magnitudes are those of the columns."""

import numpy as np
import pytest

from sysmap_core.errors import ParameterError
from sysmap_core.templates.quantities import Quantity, random_quantities, star_quantities

ALL = (
    *random_quantities(),
    *random_quantities(("R",), depth_unit="nanomaggy-2", depth_average="inverse variance")[1:2],
    *star_quantities(25.0),
    *star_quantities(25.5, counts="count", flux="sum"),
)


@pytest.mark.parametrize("quantity", ALL, ids=lambda q: f"{q.name}-{q.aggregation}")
def test_header_states_the_quantity(quantity):
    assert Quantity.from_cards(quantity.name, quantity.cards()) == quantity
    assert all(len(key) <= 8 for key in quantity.cards())
    assert all(np.isfinite(v) for v in quantity.cards().values() if isinstance(v, float))


def test_maps_of_randoms():
    by_name = {q.name: q for q in random_quantities()}
    assert list(by_name) == ["EBV", *(f"{k}_{b}" for k in ("GALDEPTH", "PSFSIZE", "NOBS") for b in "GRZ")]
    assert {q.aggregation for q in by_name.values()} == {"mean"}
    assert by_name["GALDEPTH_Z"].sentinels == (0.0, 30.0)
    assert by_name["GALDEPTH_Z"].average == "magnitude"
    assert by_name["EBV"].average == "linear"
    assert by_name["NOBS_R"].sentinels == ()


def test_maps_of_stars():
    by_name = {q.name: q for q in star_quantities(25.0)}
    assert by_name["nstar_faint"].limits == (14.0, 17.0)
    assert by_name["nstar_medium"].limits == (10.0, 14.0)
    assert by_name["nstar_bright"].limits == (-np.inf, 10.0)
    assert {by_name[n].unit for n in by_name if n.startswith("nstar")} == {"deg-2"}
    assert by_name["phot_bp_mean_flux"].aggregation == "mean"
    assert {q.unit for q in star_quantities(25.0, counts="count")[:3]} == {"count"}


def test_inverse_variance_becomes_the_magnitude_of_five_sigma():
    depth = random_quantities(depth_unit="nanomaggy-2")[1]
    # 5 sigma = 1 nanomaggy = 22.5 mag
    values, good = depth.converted(np.array([25.0, 2500.0, -1.0]), np.array([True, True, True]))
    np.testing.assert_allclose(values[:2], [22.5, 25.0], rtol=1e-14)
    assert good.tolist() == [True, True, False]


def test_magnitude_of_a_flux():
    stars = star_quantities(25.0)[0]
    values, good = stars.converted(np.array([1.0, 100.0, 0.0, 5.0]), np.array([True, True, True, False]))
    np.testing.assert_allclose(values[:2], [25.0, 20.0], rtol=1e-14)
    assert good.tolist() == [True, True, False, False]


def test_words_that_are_not_known():
    with pytest.raises(ParameterError, match="unknown depth_unit 'magnitude': did you mean 'mag'"):
        random_quantities(depth_unit="magnitude")
    with pytest.raises(
        ParameterError, match=r"unknown depth_average 'linear'.*known: magnitude, inverse variance, limit"
    ):
        random_quantities(depth_average="linear")
    with pytest.raises(ParameterError, match="unknown counts 'densty': did you mean 'density'"):
        star_quantities(25.0, counts="densty")
    with pytest.raises(ParameterError, match="unknown flux 'median'"):
        star_quantities(25.0, flux="median")
    with pytest.raises(ParameterError, match="unknown aggregation 'average'"):
        Quantity("EBV", "EBV", "mag", "average")
    with pytest.raises(ParameterError, match="unknown average 'ivar'"):
        Quantity("EBV", "EBV", "mag", average="ivar")


def test_zero_point_and_ranges():
    for value in (None, np.nan, "25"):
        with pytest.raises(ParameterError, match=r"zero_point is .*: give the magnitude of flux one"):
            star_quantities(value)
    with pytest.raises(ParameterError, match=r"range of nstar is 17\.0 to 14\.0: give the smaller magnitude first"):
        star_quantities(25.0, ranges={"nstar": (17.0, 14.0)})
    with pytest.raises(ParameterError, match="nstar counts objects by magnitude: give zero_point"):
        Quantity("nstar", "flux", "deg-2", "density", limits=(14.0, 17.0))
