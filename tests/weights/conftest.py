"""A simulated sample with everything that is written about it."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pytest
from skies import ClusteredSky

from sysmap_core import METHODS, likelihood_ratio, overdensity, run_methods, standardise, verdict, write_all
from sysmap_core.samples import Sample, SamplePart, Truth
from sysmap_core.sky import Catalogue, scatter_galaxies, uniform_randoms
from sysmap_core.weights.files import WeightTable, position_checksum
from sysmap_core.weights.header import CARDS
from sysmap_core.weights.parts import FittedPart


@pytest.fixture(scope="session")
def run():
    """A simulated sample with everything that is written."""
    sky = ClusteredSky(nside=16)
    field = sky.field(0, a=0.1, b=0.1)
    rng = np.random.default_rng(0)
    counts = np.zeros(sky.coverage.size, int)
    counts[field.pixels] = np.round(field.expected * (1 + field.delta)).astype(int)
    counts[np.flatnonzero(sky.coverage == 0)[:3]] = 1  # three galaxies off the footprint
    sample = Sample(
        identifier="TEST",
        title="test",
        nside=16,
        galaxy_counts=counts.astype(float),
        coverage=sky.coverage,
        maps=np.zeros((3, counts.size)),
        template_names=sky.templates.names,
        galaxies=scatter_galaxies(counts, 16, rng),
        randoms=uniform_randoms(sky.coverage > 0, 5_000, rng),
        simulated=True,
        truth=Truth(np.full(3, 0.1), np.full(3, 0.1), np.zeros(counts.size), sky.spectrum),
        sources={"galaxies": "simulated, seed 0"},
        missing="error",
        notes=(),
    )
    results = run_methods(field, sky.templates, list(METHODS))
    test = likelihood_ratio(field, sky.templates, spectrum=sky.spectrum)
    return sample, results, test, verdict(results["MCMC-comb"], test)


@pytest.fixture
def written(run, tmp_path):
    return write_all(tmp_path, *run)


@pytest.fixture(scope="session")
def good():
    """A thousand weights with nothing wrong: several objects in a pixel, four off the footprint."""
    n_rows, n_outside, nside = 1000, 4, 8
    rng = np.random.default_rng(3)
    objects = uniform_randoms(np.ones(12 * nside**2, bool), n_rows, rng)
    pixels = hp.ang2pix(nside, objects.ra, objects.dec, lonlat=True)
    inside = pixels != np.flatnonzero(np.bincount(pixels) == n_outside)[0]
    columns = {"RA": objects.ra, "DEC": objects.dec, "IN_FIT": inside, "WEIGHT_IN": rng.uniform(1, 3, n_rows)}
    for name in ("WEIGHT_ALONE", "WEIGHT_ADD", "WEIGHT_SYS"):
        columns[name] = np.where(inside, rng.uniform(0.8, 1.2, 12 * nside**2)[pixels], 1.0)
    columns["WEIGHT"] = columns["WEIGHT_IN"] * columns["WEIGHT_ALONE"]
    header = dict.fromkeys(CARDS, "")
    header |= {"NSIDE": nside, "NSYS": 2, "NGAL": n_rows, "NRAND": 9, "WEIGHTOF": "galaxies", "SIMULATD": False}
    header |= {"NPARTS": 1, "NOUTSIDE": n_outside, "NNOPART": 0}
    header |= {"CLIPFRAC": 0.0, "WFLOOR": 0.01, "CATSUM": position_checksum(columns)}
    header |= {f"{key}{i:03d}": "" for key in ("TMPL", "TSUM", "A_SYS", "B_SYS") for i in (1, 2)}
    return WeightTable(columns, header, {})


@pytest.fixture(scope="session")
def split_run():
    """A sample with two regions and two bins in redshift, and its four fitted parts."""
    sky, rng = ClusteredSky(nside=8), np.random.default_rng(1)
    north = hp.pix2vec(8, np.arange(sky.coverage.size))[2] > 0
    randoms = uniform_randoms(sky.coverage > 0, 4_000, rng)
    drawn = []
    for z_bin in (1, 2):
        field = sky.field(z_bin, a=0.1 * z_bin, b=0.1)
        counts = np.zeros(sky.coverage.size, int)
        counts[field.pixels] = np.round(field.expected * (1 + field.delta)).astype(int)
        counts[np.flatnonzero(sky.coverage == 0)[:2]] = 1  # two galaxies off the footprint
        drawn.append(scatter_galaxies(counts, 8, rng))
    ra, dec = (np.concatenate([getattr(one, which) for one in drawn]) for which in ("ra", "dec"))
    z = np.concatenate([np.full(len(one), 0.2 * z_bin) for z_bin, one in enumerate(drawn, 1)])
    z[:7] = 2.0  # in no bin
    order = rng.permutation(len(ra))
    names = np.arange(len(ra), dtype=np.uint64) + np.uint64(2**63 + 1)
    galaxies = Catalogue(ra, dec, rng.uniform(1, 2, len(ra)), {"Z": z, "TARGETID": names}).restricted(order)
    sample = Sample(
        identifier="SPLIT",
        title="test",
        nside=8,
        galaxy_counts=sky.coverage,
        coverage=sky.coverage,
        maps=np.zeros((3, sky.coverage.size)),
        template_names=sky.templates.names,
        galaxies=galaxies,
        randoms=randoms,
        simulated=True,
        truth=None,
        sources={"galaxies": "simulated, seed 1"},
        missing="error",
        notes=(),
    )
    return sample, [_fitted_part(sky, sample, north, *place) for place in PLACES]


PLACES = [("N", 1), ("N", 2), ("S", 1), ("S", 2)]


def _fitted_part(sky, sample, north, region, z_bin):
    inside = north if region == "N" else ~north
    rows = {}
    for kind, objects in (("galaxies", sample.galaxies), ("randoms", sample.randoms)):
        rows[kind] = inside[hp.ang2pix(8, objects.ra, objects.dec, lonlat=True)]
    rows["galaxies"] &= np.isclose(sample.galaxies.columns["Z"], 0.2 * z_bin)
    own = {kind: getattr(sample, kind).restricted(rows[kind]) for kind in rows}
    counts = np.bincount(hp.ang2pix(8, own["galaxies"].ra, own["galaxies"].dec, lonlat=True), minlength=inside.size)
    pixels = sky.pixels[inside[sky.pixels]]
    maps = np.zeros((3, inside.size))
    maps[:, sky.pixels] = sky.templates.values
    field = overdensity(counts.astype(float), sky.coverage, pixels)
    results = run_methods(field, standardise(maps, sky.templates.names, pixels), ["OLS", "ISD-1", "GLS-comb"])
    z_range = (0.2 * z_bin - 0.1, 0.2 * z_bin + 0.1)
    part = SamplePart(replace(sample, **own), region, z_range, z_bin, rows["galaxies"], rows["randoms"])
    return FittedPart(part, results, verdict=verdict(results["GLS-comb"]))
