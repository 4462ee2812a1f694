"""Parameters of the notebooks: their types, their checks, and the meaning of the names they share.

The parameters cell of a notebook is the schema.  Each of its lines reads
``name: type = default  # meaning, unit``; every way of setting a parameter (the command line,
a params file, a page of the book) is checked against it before anything runs.
"""

from __future__ import annotations

import ast
import functools
import io
import operator
import tokenize
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ..errors import ParameterError, unknown_name

TYPES = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list[int]": list[int],
    "list[float]": list[float],
    "list[str]": list[str],
    "dict": dict,
    "None": None,
}
"""Types a parameter may have, alone or joined by ``|``."""


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Parameters
    ----------
    name : str
        Name of the variable.
    annotation : str
        Its type as written, e.g. ``"float | None"``; empty when none is written, and any value will do.
    default : object
        Its value in the notebook.
    help : str
        The comment behind it: meaning and unit.
    """

    name: str
    annotation: str
    default: Any
    help: str

    def accept(self, value: object) -> Any:
        """Value in the type of the parameter.

        Numbers become text where text is wanted, and comma-separated text becomes a list where a
        list is wanted: the command line knows neither.

        Parameters
        ----------
        value : object
            What was given.

        Returns
        -------
        object
            The same value, in the type of the parameter.

        Raises
        ------
        ParameterError
            When the value is not of that type.
        """
        import pydantic

        if not self.annotation:
            return value
        validator = _validator(self.annotation)
        wanted = {part.strip() for part in self.annotation.split("|")}
        listed = _as_list(value) if all(part == "None" or part.startswith("list[") for part in wanted) else value
        try:
            if isinstance(value, bool) and "bool" not in wanted:
                raise self._refusal(value)
            return validator.validate_python(listed)
        except pydantic.ValidationError:
            raise self._refusal(value) from None

    def _refusal(self, value: object) -> ParameterError:
        meaning = f" ({self.help})" if self.help else ""
        return ParameterError(f"parameter {self.name} is {value!r}: give a value of type {self.annotation}{meaning}")


@functools.cache
def _validator(annotation: str):
    """Validator of a written type."""
    import pydantic

    parts = [part.strip() for part in annotation.split("|")]
    if not set(parts) <= set(TYPES):
        msg = f"type {annotation!r} is not one of a parameter: join some of {', '.join(TYPES)} with |"
        raise ParameterError(msg)
    union = functools.reduce(operator.or_, [TYPES[part] for part in parts])
    return pydantic.TypeAdapter(union, config=pydantic.ConfigDict(coerce_numbers_to_str=True, allow_inf_nan=False))


def _as_list(value: object) -> object:
    """List from what stands for one on a command line."""
    if isinstance(value, str):
        parts = value.strip().removeprefix("[").removesuffix("]").split(",")
        return [part.strip(" '\"") for part in parts if part.strip()]
    return [value] if isinstance(value, (int, float)) else value


def _assignments(source: str) -> dict[str, ast.Assign | ast.AnnAssign]:
    """Assignments of a cell to plain names."""
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        msg = f"the parameters cell is not plain Python ({error.msg}): write `name: type = default  # meaning, unit`"
        raise ParameterError(msg) from None
    found = {}
    for node in body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(target, ast.Name):
            found[target.id] = node
    return found


def _comments(source: str) -> dict[int, str]:
    """Comment of every line that has one, by line number from 1."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}


def _default(name: str, node: ast.Assign | ast.AnnAssign) -> Any:
    try:
        return ast.literal_eval(node.value)
    except ValueError:
        msg = f"parameter {name} has no plain value as its default: write a number, text, list, True, False or None"
        raise ParameterError(msg) from None


def read_cell(source: str) -> dict[str, Parameter]:
    """Parameters that a parameters cell declares.

    Parameters
    ----------
    source : str
        Code of the cell.

    Returns
    -------
    dict of str to Parameter
        In the order of the cell.

    Raises
    ------
    ParameterError
        When the cell is not plain Python or a default is not a plain value.
    """
    comments = _comments(source) if _assignments(source) else {}
    found = {}
    for name, node in _assignments(source).items():
        written = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        meaning = comments.get(node.end_lineno) or comments.get(node.lineno, "")
        found[name] = Parameter(name, written, _default(name, node), meaning)
    return found


def check_given(source: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values that were given for a notebook, checked and brought to their types.

    Parameters
    ----------
    source : str
        Code of the notebook's parameters cell.
    given : mapping
        Names and values, e.g. of a params file.

    Returns
    -------
    dict
        The given names with their checked values.

    Raises
    ------
    ParameterError
        When a name is not in the cell, or a value has another type or is outside its convention.
    """
    declared = read_cell(source)
    for name in given:
        if name not in declared:
            raise unknown_name("parameter", name, declared)
    return vars(check(**{name: declared[name].accept(value) for name, value in given.items()}))


def fill(source: str, values: Mapping[str, Any]) -> str:
    """Parameters cell with other values, its types and comments kept.

    Parameters
    ----------
    source : str
        Code of the parameters cell.
    values : mapping
        Values by name, checked; other parameters keep their defaults.

    Returns
    -------
    str
        Code of the cell.
    """
    code = source.encode()  # ast counts columns in bytes
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for name, node in reversed(_assignments(source).items()):
        if name in values:
            begin = starts[node.value.lineno - 1] + node.value.col_offset
            end = starts[node.value.end_lineno - 1] + node.value.end_col_offset
            code = code[:begin] + repr(values[name]).encode() + code[end:]
    return code.decode()


def _canonical(kind: str, name: object, known: Iterable[str]) -> str:
    """Name in the spelling of its table, whatever its case."""
    spelling = {k.lower(): k for k in known}
    if str(name).lower() not in spelling:
        raise unknown_name(kind, name, spelling.values())
    return spelling[str(name).lower()]


def _nside(value: object) -> int:
    from ..sky import check_nside

    return check_nside(value)


def _seed(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"seed is {value!r}: give a whole number that is not negative"
        raise ParameterError(msg)
    return value


def _sample(value: object) -> str:
    from ..samples import find_sample

    return find_sample(value).identifier


def _methods(value: object) -> list[str]:
    from ..methods import METHODS

    names = _as_list(value)
    if not names:
        msg = f"methods is {value!r}: name at least one of {', '.join(METHODS)}"
        raise ParameterError(msg)
    return list(dict.fromkeys(_canonical("method", name, METHODS) for name in names))


def _likelihood(value: object) -> str:
    from ..inference import LIKELIHOODS

    return _canonical("likelihood", value, LIKELIHOODS)


def _shrinkage(value: object) -> str:
    from ..methods import SHRINKAGES

    return _canonical("shrinkage", value, SHRINKAGES)


def _estimator(value: object) -> str:
    from ..weights import CATALOGUE_CHOICES

    return _canonical("estimator", value, CATALOGUE_CHOICES)


CONVENTIONS: dict[str, Callable[[Any], Any]] = {
    "nside": _nside,
    "seed": _seed,
    "sample": _sample,
    "methods": _methods,
    "likelihood": _likelihood,
    "shrinkage": _shrinkage,
    "estimator": _estimator,
}
"""What a parameter of a given name may be, in every notebook: a function that returns its normal form."""


def at_least(least: float, **values: float) -> None:
    """Refuse parameters that are too small.

    Parameters
    ----------
    least : float
        Smallest value allowed.
    **values : float
        Parameters by name; a list stands for its length.

    Raises
    ------
    ParameterError
        Which one is too small.

    Examples
    --------
    >>> from sysmap_core import parameters
    >>> parameters.at_least(2, n_fields=100, edges=[2, 10, 20])
    """
    for name, value in values.items():
        if (len(value) if isinstance(value, (list, tuple)) else value) < least:
            msg = f"{name} is {value}: give {least} or more"
            raise ParameterError(msg)


def equally_many(**values: list) -> None:
    """Refuse lists that belong together and differ in length, or are empty.

    Parameters
    ----------
    **values : list
        Parameters by name.

    Raises
    ------
    ParameterError
        How long they are.
    """
    lengths = [len(value) for value in values.values()]
    if len(set(lengths)) > 1 or not lengths[0]:
        msg = f"{', '.join(values)} hold {', '.join(map(str, lengths))} values: give equally many"
        raise ParameterError(msg)


def check(**values: Any) -> SimpleNamespace:
    """Values of parameters in their normal form, for the cell below the parameters.

    Parameters
    ----------
    **values : object
        Parameters by name.  Names without a convention, and None, pass as they are.

    Returns
    -------
    types.SimpleNamespace
        The same names, with an nside that exists, the full identifier of the sample, and so on.

    Raises
    ------
    ParameterError
        When a value is outside the convention of its name.

    Examples
    --------
    >>> from sysmap_core import parameters
    >>> parameters.check(nside=64, seed=1)
    namespace(nside=64, seed=1)
    """
    normal = {n: v if v is None or n not in CONVENTIONS else CONVENTIONS[n](v) for n, v in values.items()}
    return SimpleNamespace(**normal)
