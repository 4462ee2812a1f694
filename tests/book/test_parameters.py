"""A parameters cell is a schema, and a convention means the same in every notebook."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from sysmap_core.book import parameters
from sysmap_core.errors import ParameterError

CELL = """\
# one run
nside: int = 32  # HEALPix resolution
seed: int = 1  # seed of all random numbers
strength: float = 1.0  # rms of the contamination, rms of the field
name: str = "σ"  # any text
quick: bool = True  # fewer draws
scales: list[float] = [0.1, 1.0]  # angular scales, arcmin
labels: list[str] = [
    "a",
    "b",
]  # names of the templates
cut: float | None = None  # largest weight, or None
anything = 3
"""


@pytest.fixture
def tables(monkeypatch):
    """Small tables of samples, methods and likelihoods in place of the real ones."""

    def find_sample(name):
        return SimpleNamespace(identifier=f"LS10_{name}")

    contents = {
        "samples": {"find_sample": find_sample},
        "methods": {"METHODS": {"OLS": None, "MCMC-comb": None}},
        "inference": {"LIKELIHOODS": {"gaussian": None, "shot-noise": None}},
    }
    for name, names in contents.items():
        module = ModuleType(f"sysmap_core.{name}")
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_cell_declares_names_types_defaults_and_help():
    declared = parameters.read_cell(CELL)
    assert list(declared) == ["nside", "seed", "strength", "name", "quick", "scales", "labels", "cut", "anything"]
    assert declared["nside"] == parameters.Parameter("nside", "int", 32, "HEALPix resolution")
    assert declared["labels"].default == ["a", "b"]
    assert declared["labels"].help == "names of the templates"
    assert declared["cut"].annotation == "float | None"


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("nside", 64, 64),
        ("nside", 64.0, 64),
        ("strength", 2, 2.0),
        ("name", 10.5, "10.5"),
        ("name", 64, "64"),
        ("quick", False, False),
        ("labels", "OLS,MCMC-comb", ["OLS", "MCMC-comb"]),
        ("labels", "['a', b]", ["a", "b"]),
        ("labels", "[]", []),
        ("labels", ["x", 2], ["x", "2"]),
        ("labels", 10.5, ["10.5"]),
        ("scales", "0.5, 60", [0.5, 60.0]),
        ("scales", 5, [5.0]),
        ("cut", None, None),
        ("cut", 3, 3.0),
        ("anything", "at all", "at all"),
    ],
)
def test_value_is_brought_to_its_type(name, given, taken):
    accepted = parameters.check_given(CELL, {name: given})
    assert accepted == {name: taken}
    assert type(accepted[name]) is type(taken)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("nside", "abc"),
        ("nside", 64.5),
        ("nside", True),
        ("nside", None),
        ("nside", [64]),
        ("strength", "much"),
        ("strength", float("nan")),
        ("name", True),
        ("name", ["a"]),
        ("quick", 7),
        ("scales", "wide"),
        ("scales", True),
        ("cut", "none"),
    ],
)
def test_wrong_type_is_refused(name, given):
    with pytest.raises(ParameterError, match=rf"parameter {name} is .*: give a value of type [\w|\[\] ]+ \(.+\)$"):
        parameters.check_given(CELL, {name: given})


def test_wrong_type_is_one_sentence_with_the_meaning():
    with pytest.raises(ParameterError) as caught:
        parameters.check_given(CELL, {"nside": "abc"})
    assert str(caught.value) == "parameter nside is 'abc': give a value of type int (HEALPix resolution)"


def test_unknown_parameter_names_the_nearest():
    with pytest.raises(ParameterError, match=r"unknown parameter 'nsid': did you mean 'nside'\? known: nside, seed"):
        parameters.check_given(CELL, {"nsid": 64})


def test_convention_holds_for_given_values():
    with pytest.raises(ParameterError, match="nside is 65: give a power of two"):
        parameters.check_given(CELL, {"nside": 65})


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("%matplotlib inline", "not plain Python"),
        ("nside: int = 2**6", "parameter nside has no plain value"),
        ("nside: int", "parameter nside has no plain value"),
    ],
)
def test_cell_that_is_no_schema(cell, problem):
    with pytest.raises(ParameterError, match=problem):
        parameters.read_cell(cell)


def test_type_outside_the_list():
    with pytest.raises(ParameterError, match=r"type 'dict\[str, int\]' is not one of a parameter: join some of int"):
        parameters.check_given("x: dict[str, int] = {}", {"x": {}})


def test_fill_changes_values_alone():
    filled = parameters.fill(CELL, {"nside": 64, "name": "δ", "labels": ["c"], "cut": 0.5})
    declared, before = parameters.read_cell(filled), parameters.read_cell(CELL)
    assert {n: p.default for n, p in declared.items() if p.default != before[n].default} == {
        "nside": 64,
        "name": "δ",
        "labels": ["c"],
        "cut": 0.5,
    }
    assert [p.help for p in declared.values()] == [p.help for p in before.values()]
    assert parameters.fill(CELL, {}) == CELL


def test_check_gives_normal_forms(tables):
    run = parameters.check(nside=64, seed=0, sample="10.5", methods=["ols", "mcmc-COMB", "OLS"], likelihood="Gaussian")
    assert vars(run) == {
        "nside": 64,
        "seed": 0,
        "sample": "LS10_10.5",
        "methods": ["OLS", "MCMC-comb"],
        "likelihood": "gaussian",
    }


def test_check_passes_other_names_and_none(tables):
    run = parameters.check(sample=None, n_draws=10)
    assert run.sample is None
    assert run.n_draws == 10


def test_check_takes_the_command_line_form_of_a_list(tables):
    assert parameters.check(methods="OLS,MCMC-comb").methods == ["OLS", "MCMC-comb"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"nside": 65}, "nside is 65: give a power of two"),
        ({"nside": "64"}, "nside is '64'"),
        ({"seed": -1}, "seed is -1: give a whole number"),
        ({"seed": True}, "seed is True"),
        ({"methods": []}, "methods is .*: name at least one of OLS, MCMC-comb"),
        ({"methods": ["MCMC-add"]}, "unknown method 'MCMC-add': did you mean 'MCMC-comb'"),
        ({"likelihood": "gauss"}, "unknown likelihood 'gauss': did you mean 'gaussian'"),
    ],
)
def test_check_refuses(tables, values, problem):
    with pytest.raises(ParameterError, match=problem):
        parameters.check(**values)


def test_small_parameters():
    parameters.at_least(2, n=2, edges=[1, 2])
    with pytest.raises(ParameterError, match="n_fields is 1: give 2 or more"):
        parameters.at_least(2, n_mocks=3, n_fields=1)
    with pytest.raises(ParameterError, match=r"levels is \[0\]: give 2 or more"):
        parameters.at_least(2, levels=[0])


def test_lists_that_belong_together():
    parameters.equally_many(a=[1, 2], b=["x", "y"])
    with pytest.raises(ParameterError, match="a, b, c hold 2, 2, 1 values: give equally many"):
        parameters.equally_many(a=[1, 2], b=[3, 4], c=[5])
    with pytest.raises(ParameterError, match="a, b hold 0, 0 values"):
        parameters.equally_many(a=[], b=[])
