"""What template maps are made of: the column of a table, and how its values become those of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..errors import ParameterError, unknown_name
from ..sky import AVERAGES

AGGREGATIONS: Mapping[str, str] = MappingProxyType(
    {
        "mean": "mean of the objects in a pixel",
        "sum": "sum over the objects in a pixel",
        "count": "objects per pixel",
        "density": "objects per square degree",
    }
)
"""How objects become pixel values, by the word of the AGGR card."""

DEPTH_UNITS = ("mag", "nanomaggy-2")
"""Units of columns of depth: magnitude of 5 sigma, or inverse variance of the flux."""

DEPTH_SENTINELS = (0.0, 30.0)
"""Depths [mag] that stand for "not observed"."""

STAR_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"nstar_faint": (14.0, 17.0), "nstar_medium": (10.0, 14.0), "nstar_bright": (-np.inf, 10.0)}
)
"""Magnitudes of the stars counted, the brighter end included."""

FLUX_COLUMNS = ("phot_g_mean_flux", "phot_bp_mean_flux", "phot_rp_mean_flux")
"""Columns of flux of a table of stars; magnitudes are those of the first."""

_PLAUSIBLE_DEPTH = (10.0, 30.0)


@dataclass(frozen=True)
class Quantity:
    """One map to be built.

    Parameters
    ----------
    name : str
        Name of the map, and part of the name of its file.
    column : str
        Column of the table, in any case.
    unit : str
        Unit of the map, FITS spelling.
    aggregation : str
        Row of :data:`AGGREGATIONS`.
    average : str
        Quantity in which a mean is taken, a row of :data:`~.AVERAGES`.
    sentinels : tuple of float
        Values of the column that stand for "not observed"; they are left out and counted.
    limits : tuple of float, optional
        Magnitudes of the objects that are counted, from (included) and to (not included).
    zero_point : float, optional
        Magnitude of flux one; with it the column is a flux and values become magnitudes.
    inverse_variance : bool
        Whether the column is the inverse variance of a flux [nanomaggy^-2], which becomes the
        magnitude of five sigma.
    plausible : tuple of float, optional
        Smallest and largest value that the unit allows.

    Raises
    ------
    ParameterError
        When a name is not a known one, or objects are counted by magnitude without a zero point.
    """

    name: str
    column: str
    unit: str
    aggregation: str = "mean"
    average: str = "linear"
    sentinels: tuple[float, ...] = ()
    limits: tuple[float, float] | None = None
    zero_point: float | None = None
    inverse_variance: bool = False
    plausible: tuple[float, float] | None = None

    def __post_init__(self):
        if self.aggregation not in AGGREGATIONS:
            raise unknown_name("aggregation", self.aggregation, AGGREGATIONS)
        if self.average not in AVERAGES:
            raise unknown_name("average", self.average, AVERAGES)
        if self.limits is not None and self.zero_point is None:
            msg = (
                f"{self.name} counts objects by magnitude: give zero_point, the magnitude of flux one of {self.column}"
            )
            raise ParameterError(msg)

    def converted(self, values: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values of the column as magnitudes where the map needs them.

        Parameters
        ----------
        values : ndarray, shape (n_rows,)
            Values of the column.
        good : ndarray of bool, shape (n_rows,)
            Which are there.

        Returns
        -------
        values : ndarray, shape (n_rows,)
            Magnitudes, or the values as they are.
        good : ndarray of bool, shape (n_rows,)
            Without those that have no magnitude, as they are not positive.
        """
        if self.zero_point is None and not self.inverse_variance:
            return values, good
        good = good & (values > 0)
        positive = np.where(good, values, 1.0)
        if self.inverse_variance:
            return 22.5 - 2.5 * np.log10(5.0 / np.sqrt(positive)), good
        return self.zero_point - 2.5 * np.log10(positive), good

    def cards(self) -> dict[str, object]:
        """Header cards that state all this."""
        cards = {"COLUMN": self.column, "UNIT": self.unit, "AGGR": self.aggregation, "AVERAGE": self.average}
        cards |= {"FROMIVAR": self.inverse_variance}
        cards |= {f"SENTIN{i}": value for i, value in enumerate(self.sentinels, 1)}
        if self.zero_point is not None:
            cards["ZEROPT"] = self.zero_point
        for bounds, low, high in ((self.limits, "MAGLOW", "MAGHIGH"), (self.plausible, "VALLOW", "VALHIGH")):
            cards |= {k: v for k, v in zip((low, high), bounds or (), strict=False) if np.isfinite(v)}
        return cards

    @classmethod
    def from_cards(cls, name: str, cards: Mapping[str, object]) -> Quantity:
        """Quantity that a header states, the inverse of :meth:`cards`."""
        numbers = sorted(k for k in cards if k.startswith("SENTIN"))
        return cls(
            name,
            cards["COLUMN"],
            cards["UNIT"],
            cards["AGGR"],
            cards["AVERAGE"],
            tuple(float(cards[k]) for k in numbers),
            _bounds(cards, "MAGLOW", "MAGHIGH"),
            cards.get("ZEROPT"),
            cards["FROMIVAR"],
            _bounds(cards, "VALLOW", "VALHIGH"),
        )


def random_quantities(
    bands: Sequence[str] = ("G", "R", "Z"),
    *,
    depth_unit: str = "mag",
    depth_average: str = "magnitude",
    depth_sentinels: Sequence[float] | None = None,
) -> tuple[Quantity, ...]:
    """Maps of a table of randoms: reddening, and depth, seeing and exposures of every band.

    Parameters
    ----------
    bands : sequence of str
        Bands of GALDEPTH_*, PSFSIZE_* and NOBS_*.
    depth_unit : {"mag", "nanomaggy-2"}
        Unit of the columns of depth: magnitude of five sigma, or inverse variance of the flux.
    depth_average : {"magnitude", "inverse variance", "limiting flux"}
        Quantity in which depths are averaged; the map is in magnitudes either way.
    depth_sentinels : sequence of float, optional
        Values of these columns that stand for "not observed"; 0 and 30 mag, or 0 nanomaggy^-2, by
        default.

    Returns
    -------
    tuple of Quantity
        EBV [mag], GALDEPTH_* [mag], PSFSIZE_* [arcsec], NOBS_* [exposures].

    Raises
    ------
    ParameterError
        When a unit or an average is not a known one.

    Notes
    -----
    All means are linear in the quantity that galaxies respond to: extinction is linear in E(B-V), and
    completeness near the limit is linear in the limiting magnitude to first order, see
    :data:`~.AVERAGES`.  A seeing of zero is "not observed", an
    exposure number of zero is a value.
    """
    depth_averages = [k for k in AVERAGES if k != "linear"]
    if depth_unit not in DEPTH_UNITS:
        raise unknown_name("depth_unit", depth_unit, DEPTH_UNITS)
    if depth_average not in depth_averages:
        raise unknown_name("depth_average", depth_average, depth_averages)
    from_ivar = depth_unit == "nanomaggy-2"
    if depth_sentinels is None:
        depth_sentinels = (0.0,) if from_ivar else DEPTH_SENTINELS
    depth = {
        "average": depth_average,
        "sentinels": tuple(float(s) for s in depth_sentinels),
        "inverse_variance": from_ivar,
        "plausible": _PLAUSIBLE_DEPTH,
    }
    return (
        Quantity("EBV", "EBV", "mag"),
        *(Quantity(f"GALDEPTH_{b}", f"GALDEPTH_{b}", "mag", **depth) for b in bands),
        *(Quantity(f"PSFSIZE_{b}", f"PSFSIZE_{b}", "arcsec", sentinels=(0.0,)) for b in bands),
        *(Quantity(f"NOBS_{b}", f"NOBS_{b}", "count") for b in bands),
    )


def star_quantities(
    zero_point: float,
    *,
    ranges: Mapping[str, tuple[float, float]] = STAR_RANGES,
    counts: str = "density",
    flux: str = "mean",
    flux_unit: str = "electron s-1",
) -> tuple[Quantity, ...]:
    """Maps of a table of stars: numbers per range of magnitude, and fluxes.

    Parameters
    ----------
    zero_point : float
        Magnitude of phot_g_mean_flux one [mag]; that of the release of the table.
    ranges : mapping of str to (float, float)
        Magnitudes of the stars counted, by name of the map, from (included) and to (not included).
    counts : {"density", "count"}
        Stars per square degree, or per pixel.
    flux : {"mean", "sum"}
        Mean of the fluxes in a pixel, or their sum, which is the flux of the brightest star in
        disguise and has heavy tails.
    flux_unit : str
        Unit of the fluxes, FITS spelling.

    Returns
    -------
    tuple of Quantity
        One per range, and phot_g_mean_flux, phot_bp_mean_flux, phot_rp_mean_flux.

    Raises
    ------
    ParameterError
        When the zero point is not a number, a range is empty, or a word is not a known one.
    """
    if isinstance(zero_point, bool) or not isinstance(zero_point, (int, float)) or not np.isfinite(zero_point):
        msg = f"zero_point is {zero_point!r}: give the magnitude of flux one, that of the release of the table"
        raise ParameterError(msg)
    if counts not in ("density", "count"):
        raise unknown_name("counts", counts, ("density", "count"))
    if flux not in ("mean", "sum"):
        raise unknown_name("flux", flux, ("mean", "sum"))
    for name, (low, high) in ranges.items():
        if not low < high:
            msg = f"range of {name} is {low} to {high}: give the smaller magnitude first"
            raise ParameterError(msg)
    unit = "deg-2" if counts == "density" else "count"
    return (
        *(
            Quantity(name, FLUX_COLUMNS[0], unit, counts, limits=tuple(limits), zero_point=float(zero_point))
            for name, limits in ranges.items()
        ),
        *(Quantity(column, column, flux_unit, flux) for column in FLUX_COLUMNS),
    )


def _bounds(cards: Mapping[str, object], low: str, high: str) -> tuple[float, float] | None:
    if low not in cards and high not in cards:
        return None
    return float(cards.get(low, -np.inf)), float(cards.get(high, np.inf))
