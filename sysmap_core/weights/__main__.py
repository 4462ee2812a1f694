"""Checks a file of weights from the command line: ``python -m sysmap_core.weights check FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..errors import MissingDataError, SysmapError
from ..sky import read_catalogue
from .checks import CHECKS, MAX_NAMES, check
from .files import read_weights


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
    command.add_argument("--catalogue", metavar="CAT", help="FITS catalogue that its rows belong to")
    given = parser.parse_args(arguments)
    try:
        catalogue = read_catalogue(given.catalogue) if given.catalogue else None
    except (SysmapError, OSError) as error:  # OSError is what astropy makes of other kinds of files
        print(f"--catalogue {given.catalogue}: {error}", file=sys.stderr)
        return 2
    try:
        table = read_weights(given.file)
    except SysmapError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, MissingDataError) else 1
    wrong = check(table, catalogue)
    if wrong:
        print("\n".join(wrong))
    if not wrong:
        made = [name for name in CHECKS if name != "order" or catalogue is not None]
        against = f"against {given.catalogue}" if given.catalogue else "without a catalogue"
        columns = list(table.weights)
        shown = ", ".join(columns) if len(columns) <= MAX_NAMES else f"{columns[0]} to {columns[-1]}"
        print(f"{given.file}: {len(table)} rows of {shown} passed {', '.join(made)}, {against}.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
