"""Parts of a sample that are fitted on their own: photometric regions, and bins in redshift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sample import Sample


@dataclass(frozen=True)
class SamplePart:
    """A region, a bin in redshift, or both, of a sample.

    Parameters
    ----------
    sample : Sample
        The part, with its own counts, coverage and catalogues.
    region : str
        Name of its region; empty where there is one for all.
    z_range : tuple of float or None
        Smallest redshift, and the one that galaxies stay below; None for all.
    z_bin : int
        Number of the bin from 1; zero where there is one for all.
    galaxy_rows, random_rows : ndarray of bool or None, shapes (n_gal,) and (n_rand,)
        Which objects of the whole sample are its own; None where that has no catalogue of them.
    """

    sample: Sample
    region: str = ""
    z_range: tuple[float, float] | None = None
    z_bin: int = 0
    galaxy_rows: np.ndarray | None = None
    random_rows: np.ndarray | None = None

    @property
    def label(self) -> str:
        """Name of the part, for tables and figures; ``all`` for a whole sample."""
        of_z = "" if self.z_range is None else f"z {self.z_range[0]:g}-{self.z_range[1]:g}"
        return ", ".join(word for word in (self.region, of_z) if word) or "all"


def whole(sample: Sample) -> SamplePart:
    """A sample as its only part.

    Parameters
    ----------
    sample : Sample
        The sample.

    Returns
    -------
    SamplePart
        With all objects.
    """
    rows = [None if c is None else np.ones(len(c), bool) for c in (sample.galaxies, sample.randoms)]
    return SamplePart(sample, galaxy_rows=rows[0], random_rows=rows[1])
