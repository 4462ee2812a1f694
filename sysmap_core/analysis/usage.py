"""How the files of a run are used in the programs that measure clustering: code to copy, for one part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import unknown_name
from ..samples import SamplePart

READ = """\
from astropy.table import Table

galaxies = Table.read("{galaxies}"{table})
randoms = Table.read("{randoms}"{table})
galaxies = galaxies[galaxies["IN_FIT"]{which}]
randoms = randoms[randoms["IN_FIT{bin}"]{region}]
of_galaxies = galaxies["WEIGHT_IN"] * galaxies["WEIGHT_SYS"]
of_randoms = randoms["WEIGHT_IN"] * randoms["WEIGHT_SYS{bin}"]
n_galaxies, n_randoms = galaxies["WEIGHT_IN"].sum(), randoms["WEIGHT_IN"].sum()
"""
"""What comes first in every program."""

PROGRAMS: Mapping[str, str] = {
    "TreeCorr": """\
import treecorr


def pairs(*weighted):
    places = {"ra_units": "deg", "dec_units": "deg"}
    catalogues = [treecorr.Catalog(ra=t["RA"], dec=t["DEC"], w=weights, **places) for t, weights in weighted]
    counts = treecorr.NNCorrelation(min_sep=6, max_sep=180, nbins=10, sep_units="arcmin", bin_slop=0.05)
    counts.process(*catalogues)
    return counts.weight * (2 if len(weighted) == 1 else 1)  # pairs within a catalogue are counted once


data, shifted, uniform = (galaxies, of_galaxies), (randoms, of_randoms), (randoms, randoms["WEIGHT_IN"])
w = pairs(data) / n_galaxies**2 - 2 * pairs(data, shifted) / n_galaxies / n_randoms + pairs(shifted) / n_randoms**2
w = w / (pairs(uniform) / n_randoms**2)
""",
    "Corrfunc": """\
import numpy as np
from Corrfunc.mocks import DDtheta_mocks

edges = np.geomspace(0.1, 3.0, 11)  # deg


def pairs(one, weights, other=None, other_weights=None):
    columns = [np.array(x, float) for x in (one["RA"], one["DEC"], weights)]
    places = {"weights1": columns[2], "weight_type": "pair_product"}
    if other is not None:
        places |= {"RA2": np.array(other["RA"], float), "DEC2": np.array(other["DEC"], float)}
        places["weights2"] = np.array(other_weights, float)
    counts = DDtheta_mocks(other is None, 2, edges, *columns[:2], **places)
    return counts["npairs"] * counts["weightavg"]


dd = pairs(galaxies, of_galaxies) / n_galaxies**2
ds = pairs(galaxies, of_galaxies, randoms, of_randoms) / n_galaxies / n_randoms
ss, rr = (pairs(randoms, weights) / n_randoms**2 for weights in (of_randoms, randoms["WEIGHT_IN"]))
w = (dd - 2 * ds + ss) / rr
""",
    "NaMaster": """\
import healpy as hp
import numpy as np
import pymaster

nside = {nside}
pixels = [hp.ang2pix(nside, t["RA"], t["DEC"], lonlat=True) for t in (galaxies, randoms)]
counts = [np.bincount(p, w, 12 * nside**2) for p, w in zip(pixels, (of_galaxies, of_randoms))]
mask = np.bincount(pixels[1], randoms["WEIGHT_IN"], 12 * nside**2) / n_randoms
delta = np.divide(counts[0] / n_galaxies - counts[1] / n_randoms, mask, out=np.zeros(12 * nside**2), where=mask > 0)
field = pymaster.NmtField(mask, [delta])
cl = pymaster.compute_full_master(field, field, pymaster.NmtBin.from_nside_linear(nside, 8))[0]
""",
}
"""Code by the name of the program, after :data:`READ`."""


def usage(program: str, galaxies: str | Path, randoms: str | Path, part: SamplePart) -> str:
    """Code that measures a part with its weights.

    Parameters
    ----------
    program : str
        Row of :data:`PROGRAMS`.
    galaxies, randoms : str or Path
        Files of weights of the run.
    part : SamplePart
        The part to measure.

    Returns
    -------
    str
        Python, with the names of the files and of the part.

    Raises
    ------
    ParameterError
        For a program that is not in the table.

    Notes
    -----
    :math:`w = (DD - 2 D R_s + R_s R_s) / RR` with the pair of weights on galaxies and shifted randoms, and none of them
    in RR.
    """
    if program not in PROGRAMS:
        raise unknown_name("program", program, PROGRAMS)
    region = f' & (randoms["REGION"] == "{part.region}")' if part.region else ""
    which = region.replace("randoms", "galaxies") + (f' & (galaxies["ZBIN"] == {part.z_bin})' if part.z_bin else "")
    # a file of FITS also has the table of the parts
    table = "" if str(galaxies).endswith(".parquet") else ', hdu="WEIGHTS"'
    filled = {"table": table, "galaxies": galaxies, "randoms": randoms, "which": which, "region": region}
    filled |= {"bin": f"_Z{part.z_bin}" if part.z_bin else "", "nside": part.sample.nside}
    code = READ + "\n" + PROGRAMS[program]
    for name, value in filled.items():
        code = code.replace(f"{{{name}}}", str(value))
    return code
