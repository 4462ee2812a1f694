"""What a user says of a sample: its files, its columns, and the parts that are fitted on their own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from ..errors import MissingDataError, ParameterError
from ..sky import check_nside

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class SampleSpec:
    """A galaxy sample: files of any survey, or one of the samples that have a name.

    Parameters
    ----------
    nside : int
        Resolution of the run.
    data, randoms : str or Path
        Catalogues of galaxies and of randoms: FITS, Parquet, HDF5, CSV or ECSV.
    coverage : str or Path
        Map of the observed fraction of every pixel, HEALPix or HealSparse of any resolution; or a list of cells of one
        degree.  Beside randoms it replaces their counts, and has to agree with them.
    template_dir : str, Path or sequence of them
        Folder of template maps, or the maps, see :func:`~.read_templates`.
    foregrounds : sequence of str
        Of EBV and NHI: maps of Galactic dust and gas that need no file.
    identifier : str
        Name of the sample, and of the files that are written; that of the data file by default.
    title : str
        The name for people.
    simulated : bool
        Whether the galaxies are simulated: then everything that is made of them says so.
    ra_column, dec_column, position_unit, identifier_column, extension : str
        Where names, units or tables in the files are not understood, see :func:`~.read_catalogue`.
    weight_columns, random_weight_columns : sequence of str
        Columns whose product weights every galaxy, and every random.
    z_column : str
        Redshift; found by name by default.
    z_edges : sequence of float
        Edges of the redshift bins; one bin of all galaxies without.
    bin_column : str
        Number of the redshift bin of every galaxy, in place of edges.
    regions : str
        Photometric regions: a rule of :data:`~sysmap_core.samples.regions.REGION_RULES`, a column of the catalogues,
        or a HEALPix map of labels.
    templates : mapping of str to mapping
        What is to be known of single files of maps, see :func:`~.read_templates`.
    ordering, frame : str
        Ordering and frame of maps whose headers do not say.
    missing : {"error", "drop"}
        What to do with footprint pixels without template values.
    sample, data_dir : str
        Name of one of :data:`~.SAMPLES` in place of files, and the folder with its catalogues, see
        :func:`~.load_sample`.
    seed : int
        Of a simulation.

    Examples
    --------
    >>> SampleSpec(64, data="galaxies.fits", randoms="randoms.fits", template_dir="maps").name
    'galaxies'
    """

    nside: int
    data: str | Path = ""
    randoms: str | Path = ""
    coverage: str | Path = ""
    template_dir: str | Path | Sequence[str | Path] = ""
    foregrounds: Sequence[str] = ()
    identifier: str = ""
    title: str = ""
    simulated: bool = False
    ra_column: str = ""
    dec_column: str = ""
    position_unit: str = ""
    identifier_column: str = ""
    extension: str = ""
    weight_columns: Sequence[str] = ()
    random_weight_columns: Sequence[str] = ()
    z_column: str = ""
    z_edges: Sequence[float] = ()
    bin_column: str = ""
    regions: str = ""
    templates: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    ordering: str = ""
    frame: str = ""
    missing: str = "error"
    sample: str = ""
    data_dir: str | Path = ""
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of the sample and its files."""
        return self.identifier or _STRANGE.sub("-", _stem(self.data)).strip("-.") or "sample"

    def checked(self) -> SampleSpec:
        """The same, when it can be meant, with the variables of the environment in its paths filled in.

        Returns
        -------
        SampleSpec
            Ready to be read.

        Raises
        ------
        ParameterError
            Which of its words contradict each other, or what is lacking.
        MissingDataError
            When a file is not there.
        """
        check_nside(self.nside)
        check_identifier(self.name)
        if bool(self.sample) == bool(self.data):
            came = f"sample {self.sample!r} and data {str(self.data)!r}" if self.data else "neither sample nor data"
            msg = f"{came} came: give the name of a sample, or the catalogue of one"
            raise ParameterError(msg)
        self._check_bins()
        if self.sample:
            self._refuse(("randoms", "coverage", "regions", "bin_column"), f"sample {self.sample!r} has its own files")
            return self
        if not (self.randoms or self.coverage):
            msg = "neither randoms nor coverage came: give a catalogue of randoms, or a map of the observed fraction"
            raise ParameterError(msg)
        if not (self.template_dir or self.foregrounds):
            msg = "neither template_dir nor foregrounds came: give maps that may contaminate the sample"
            raise ParameterError(msg)
        self._refuse(("data_dir",), "data names the catalogue itself")
        paths = {which: _existing(getattr(self, which), which) for which in ("data", "randoms", "coverage")}
        maps = [self.template_dir] if isinstance(self.template_dir, (str, Path)) else list(self.template_dir)
        maps = [filled_in(one) for one in maps]
        maps = maps[0] if len(maps) == 1 else maps  # one may be a folder
        return replace(self, template_dir=maps, **paths)

    def _check_bins(self) -> None:
        edges = list(self.z_edges)
        if self.bin_column and (edges or self.z_column):
            msg = f"bin_column {self.bin_column!r} came beside z_edges or z_column: give the bins in one way"
            raise ParameterError(msg)
        if len(edges) == 1 or any(high <= low for low, high in pairwise(edges)):
            msg = f"z_edges are {edges}: give two or more redshifts, each larger than the one before"
            raise ParameterError(msg)

    def _refuse(self, names: Sequence[str], reason: str) -> None:
        given = [name for name in names if getattr(self, name)]
        if given:
            msg = f"{' and '.join(given)} came and {reason}: leave it out"
            raise ParameterError(msg)


def check_identifier(name: str) -> str:
    """Name of a sample, if files can have it on every machine.

    Parameters
    ----------
    name : str
        Name to check.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ParameterError
        When it has other characters than letters, digits and ``._-``, or starts with one of these.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        msg = (
            f"identifier is {name!r}: give a name for files, of letters, digits and ._- that starts with none of these"
        )
        raise ParameterError(msg)
    return name


def filled_in(path: str | Path) -> str:
    """Path with ``~`` and the variables of the environment filled in.

    Parameters
    ----------
    path : str or Path
        E.g. ``$SYSMAP_DATA/maps``.

    Returns
    -------
    str
        The path.

    Raises
    ------
    MissingDataError
        When a variable is not set.
    """
    full = os.path.expandvars(Path(path).expanduser()) if str(path) else ""
    if "$" in full:
        msg = f"path {str(path)!r} names a variable of the environment that is not set: set it, or give the whole path"
        raise MissingDataError(msg)
    return full


def _existing(path: str | Path, what: str) -> str:
    full = filled_in(path)
    if full and not Path(full).is_file():
        msg = f"{what} is {full!r}, which is not a file: check the name, it is taken from {Path.cwd()}"
        raise MissingDataError(msg)
    return full


def _stem(path: str | Path) -> str:
    """Name of a file without its endings, of which a compressed one has two."""
    name = Path(path).name
    for suffix in (".gz", ".fz", ".fits", ".fit", ".FITS", ".parquet", ".hdf5", ".h5", ".csv", ".ecsv"):
        name = name.removesuffix(suffix)
    return name
