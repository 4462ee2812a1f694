"""What a galaxy sample is: what is published about it, its maps and catalogues, its truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import unknown_name
from ..sky import Catalogue, Counts


@dataclass(frozen=True)
class SampleInfo:
    """What is published about a sample.

    Parameters
    ----------
    identifier : str
        Name of the sample and of its files.
    title : str
        For people.
    finest_nside : int
        Finest resolution with at least 25 galaxies per pixel.
    n_galaxies, n_randoms : int
        Objects in its catalogues; no randoms for a sample of pixel counts.
    log_mass : float, optional
        Threshold of the stellar mass, log10 [solar masses].
    z_max : float, optional
        Largest redshift.
    sigma_32, sigma_64 : float, optional
        Rms of the overdensity in pixels at NSIDE 32 and 64, without shot noise [1].
    """

    identifier: str
    title: str
    finest_nside: int
    n_galaxies: int
    n_randoms: int = 0
    log_mass: float | None = None
    z_max: float | None = None
    sigma_32: float | None = None
    sigma_64: float | None = None


@dataclass(frozen=True)
class Truth:
    """What went into a simulated sample.

    Parameters
    ----------
    a, b : ndarray, shape (n_sys,)
        Additive and multiplicative amplitudes, per rms of the template [1].
    delta : ndarray, shape (12 nside^2,)
        True overdensity, full sky, averaged over the pixels of the run [1].
    spectrum : ndarray, shape (lmax + 1,)
        Power spectrum of the true field, without a pixel window [sr].
    """

    a: np.ndarray
    b: np.ndarray
    delta: np.ndarray
    spectrum: np.ndarray


@dataclass(frozen=True)
class Sample:
    """A galaxy sample in pixels, with its templates.

    Parameters
    ----------
    identifier, title : str
        Name of the sample, and the name for people.
    nside : int
        Resolution of all maps.
    galaxy_counts : Counts, or ndarray, shape (12 nside^2,)
        Galaxies per pixel, RING, equatorial; Counts where they have weights.
    coverage : Counts, or ndarray, shape (12 nside^2,)
        Randoms, or observed fraction, per pixel.
    maps : ndarray, shape (n_sys, 12 nside^2)
        Template maps in the unit of each, UNSEEN where missing.
    template_names : tuple of str, length n_sys
        Their names.
    galaxies, randoms : Catalogue or None
        Positions, where the sample has them.
    simulated : bool
        Whether the galaxies are simulated.
    truth : Truth or None
        What went in, for a simulated sample.
    sources : dict
        File or origin of every ingredient, with its SHA-256 or a sentence.
    missing : {"error", "drop"}
        What to do with footprint pixels without template values.
    notes : tuple of str
        Sentences about the data that belong on a page that shows them.
    part : str
        Name of the part of a sample that it is; empty for a whole one.
    seen : tuple of (ndarray of bool or None), shapes (n_gal,) and (n_rand,)
        Which galaxies and randoms lie in observed pixels of a coverage that is finer than those of the run; None where
        all do.
    """

    identifier: str
    title: str
    nside: int
    galaxy_counts: np.ndarray | Counts
    coverage: np.ndarray | Counts
    maps: np.ndarray
    template_names: tuple[str, ...]
    galaxies: Catalogue | None
    randoms: Catalogue | None
    simulated: bool
    truth: Truth | None
    sources: dict[str, str]
    missing: str
    notes: tuple[str, ...]
    part: str = ""
    seen: tuple[np.ndarray | None, np.ndarray | None] = (None, None)

    @property
    def counted_coverage(self) -> bool:
        """Whether its own randoms measure the coverage, which else is known."""
        known = isinstance(self.coverage, Counts) and not np.any(self.coverage.squares)
        return self.randoms is not None and not known

    @property
    def origin(self) -> str:
        """Whether the galaxies are simulated or real, in words."""
        return "simulated galaxies" if self.simulated else "real galaxies"

    @property
    def caption(self) -> str:
        """Sample, resolution and origin, which every figure of the sample shows."""
        part = f", {self.part}" if self.part else ""
        return f"{self.identifier}{part}, NSIDE {self.nside}: {self.origin}"

    def without_templates(self, names: Sequence[str]) -> Sample:
        """The same sample with some of its templates left out.

        Parameters
        ----------
        names : sequence of str
            Templates to leave out.

        Returns
        -------
        Sample
            With a note on them; the sample itself where there are none.

        Raises
        ------
        ParameterError
            When it has no template of such a name.
        """
        for name in names:
            if name not in self.template_names:
                raise unknown_name("template", name, self.template_names)
        if not names:
            return self
        kept = np.array([name not in names for name in self.template_names])
        truth = self.truth
        if truth is not None:
            truth = replace(truth, a=truth.a[kept], b=truth.b[kept])
        return replace(
            self,
            maps=self.maps[kept],
            template_names=tuple(name for name in self.template_names if name not in names),
            truth=truth,
            sources={name: origin for name, origin in self.sources.items() if name not in names},
            notes=(*self.notes, f"Templates left out: {', '.join(names)}."),
        )


@dataclass(frozen=True)
class PixelMaps:
    """Counts, coverage and templates on the full sky.

    Parameters
    ----------
    counts : ndarray, shape (12 nside^2,)
        Galaxies per pixel, RING, equatorial.
    coverage : ndarray, shape (12 nside^2,)
        Observed fraction of every pixel [1].
    maps : ndarray, shape (n_sys, 12 nside^2)
        Templates in the unit of each, UNSEEN where they are not defined.
    names : tuple of str, length n_sys
        Names of the templates.
    path : Path
        The file.
    """

    counts: np.ndarray
    coverage: np.ndarray
    maps: np.ndarray
    names: tuple[str, ...]
    path: Path
