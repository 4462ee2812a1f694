"""Checks a file of weights from the command line: ``python -m sysmap_core.weights check FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..errors import MissingDataError, SysmapError
from ..sky import read_catalogue
from .checks import CHECKS, MAX_NAMES, check
from .files import WeightTable, read_weights
from .memberships import check_pair


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a file of weights from the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``python -m sysmap_core.weights``; those of the command line by default.

    Returns
    -------
    int
        0 when nothing is wrong, 1 when something is, 2 when a file is not there.

    Raises
    ------
    SystemExit
        With 2, for words that are not understood.
    """
    parser = argparse.ArgumentParser("python -m sysmap_core.weights", description="Check files of weights.")
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "check", help="list what is wrong with a file", description="List what is wrong with a file of weights."
    )
    command.add_argument("file", metavar="FILE", help="file of weights of galaxies, of randoms, or of draws")
    command.add_argument("--catalogue", metavar="CAT", help="catalogue that its rows belong to")
    command.add_argument("--randoms", metavar="FILE", help="file of weights of the randoms beside those of galaxies")
    given = parser.parse_args(arguments)
    try:
        tables = {path: read_weights(path) for path in (given.file, given.randoms) if path}
    except SysmapError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, MissingDataError) else 1
    table = tables[given.file]
    try:
        # weights of the catalogue are not looked at, and need not be fit to be read
        needed = {"weight_columns": (), "identifier_column": table.header.get("IDCOL") or None}
        catalogue = read_catalogue(given.catalogue, **needed) if given.catalogue else None
    except (SysmapError, OSError) as error:  # OSError is what astropy makes of other kinds of files
        print(f"--catalogue {given.catalogue}: {error}", file=sys.stderr)
        return 2
    wrong = check(table, catalogue)
    if given.randoms:
        randoms = tables[given.randoms]
        wrong += [f"{given.randoms}: {sentence}" for sentence in check(randoms)] + check_pair(table, randoms)
    origin = _simulated(table, f"{given.file} holds ", ".")
    print("\n".join(filter(None, [origin, *wrong])) if wrong else _passed(given, table))
    return int(bool(wrong))


def _simulated(table: WeightTable, before: str, after: str) -> str:
    if not table.header.get("SIMULATD"):
        return ""
    return f"{before}{'randoms of ' if table.header.get('WEIGHTOF') == 'randoms' else ''}SIMULATED galaxies{after}"


def _passed(given: argparse.Namespace, table: WeightTable) -> str:
    made = [name for name in CHECKS if name != "order" or given.catalogue]
    against = f"against {given.catalogue}" if given.catalogue else "without a catalogue"
    against += f", paired with {given.randoms}" if given.randoms else ""
    columns = list(table.weights)
    shown = ", ".join(columns) if len(columns) <= MAX_NAMES else f"{columns[0]} to {columns[-1]}"
    origin = _simulated(table, "", ", ")
    return f"{given.file}: {origin}{len(table)} rows of {shown} passed {', '.join(made)}, {against}."


if __name__ == "__main__":
    sys.exit(main())
