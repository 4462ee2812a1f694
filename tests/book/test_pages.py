"""Params files as pages, and the pages of this book."""

import re
from types import SimpleNamespace

import jupytext
import pytest
import yaml

from sysmap_core.book import notebooks, pages, sphinx_ext
from sysmap_core.book.parameters import TYPES, check_given, read_cell
from sysmap_core.errors import ParameterError

HEAD = "# notebook: tiny\n# title: Small & new (32)\n"
NOTEBOOKS = sorted((notebooks.ROOT / "notebooks").glob("*.md"))
PARAMS = sorted((notebooks.ROOT / "params").glob("*.yaml"))


@pytest.fixture
def tiny(tmp_path, tiny_notebook, monkeypatch):
    """Folder of notebooks that holds the tiny one alone."""
    (tmp_path / "tiny.md").write_text(tiny_notebook)
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.delenv(notebooks.DATA_VARIABLE, raising=False)
    return tmp_path


def text(nb):
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def test_page_is_its_notebook_with_the_parameters(tiny):
    nb = pages.read_page(f"{HEAD}nside: 64\nname: 10.5\n")
    assert text(nb).startswith("# Small & new (32)\n")
    assert notebooks.parameters_cell(nb).source.splitlines()[:3] == [
        "nside: int = 64  # HEALPix resolution",
        'labels: list[str] = ["a"]  # names of the templates',
        "name: str = '10.5'  # any text",
    ]
    assert len(nb.cells) == len(jupytext.read(tiny / "tiny.md").cells)


def test_page_without_values_has_the_defaults(tiny):
    assert "nside: int = 32 " in notebooks.parameters_cell(pages.read_page(HEAD)).source


def test_labels_of_a_page_are_its_own(tiny):
    nb = pages.read_page(HEAD)
    assert "$$ (eq:delta-small-new-32-)" not in text(nb)
    assert "$$ (eq:delta-small-new-32)\n" in text(nb)
    assert "{eq}`eq:delta-small-new-32`" in text(nb)
    assert "\n(tiny-run-small-new-32)=\n" in f"\n{text(nb)}"
    assert "[](#tiny-run-small-new-32)" in text(nb)
    assert "{numref}`fig-tiny-small-new-32`" in text(nb)
    assert "delta is a word" in text(nb)
    assert nb.cells[-1].metadata["mystnb"]["figure"]["name"] == "fig-tiny-small-new-32"


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (f"{HEAD}nsid: 64", "unknown parameter 'nsid': did you mean 'nside'"),
        (f"{HEAD}nside: wide", "parameter nside is 'wide': give a value of type int"),
        (f"{HEAD}- 64", "the params file holds a list"),
        (f"{HEAD}a: [", "the params file is not YAML"),
        ("# title: A\nnside: 64", "no line `# notebook: ...` at its head"),
        ("# notebook: tiny\nnside: 64", "no line `# title: ...` at its head"),
        ("# notebook: tini\n# title: A", "unknown notebook 'tini': did you mean 'tiny'"),
    ],
)
def test_bad_params_file_is_an_error(tiny, page, problem):
    with pytest.raises(ParameterError, match=problem):
        pages.read_page(page)


def test_notebook_without_parameters_cell_is_an_error(tiny):
    (tiny / "tiny.md").write_text("# Title\n")
    with pytest.raises(ParameterError, match=r"tiny\.md has no cell with the tag 'parameters'"):
        pages.read_page(HEAD)


def test_page_without_its_data_is_a_notice(tiny):
    nb = pages.read_page(f"{HEAD}# needs: SYSMAP_DATA\nnside: 64")
    assert text(nb).startswith("# Small & new (32)\n\n:::{admonition} Not run: real data are missing\n:class: warning")
    assert "the environment variable SYSMAP_DATA is not set" in text(nb)
    assert 'README, section "Real data"' in text(nb)
    assert [cell.cell_type for cell in nb.cells] == ["markdown"]
    assert nb.metadata["mystnb"] == {"execution_mode": "off"}


def test_title_may_be_in_quotes():
    assert pages.read_head('# notebook: tiny\n# title: "Small: 32"')["title"] == "Small: 32"


def test_page_that_takes_long_is_run_when_asked_for(tiny, monkeypatch):
    page = f"{HEAD}# slow: 20 minutes\nnside: 64"
    monkeypatch.delenv("SYSMAP_SLOW", raising=False)
    assert text(pages.read_page(page)).startswith(
        "# Small & new (32)\n\n:::{admonition} Not run: this takes 20 minutes"
    )
    monkeypatch.setenv("SYSMAP_SLOW", "1")
    assert "nside: int = 64" in "".join(cell.source for cell in pages.read_page(page).cells)


def test_page_without_its_data_is_still_checked(tiny):
    with pytest.raises(ParameterError, match="unknown parameter 'nsid'"):
        pages.read_page(f"{HEAD}# needs: SYSMAP_DATA\nnsid: 64")


def test_missing_data_says_what_is_missing(tiny, monkeypatch):
    monkeypatch.setenv("SYSMAP_DATA", str(tiny / "none"))
    assert re.search("folder .*none, which .* SYSMAP_DATA names, does not exist", notebooks.missing_data("SYSMAP_DATA"))
    monkeypatch.setenv("SYSMAP_DATA", str(tiny))
    assert notebooks.missing_data("SYSMAP_DATA tiny.md") == ""
    assert notebooks.missing_data("SYSMAP_DATA tiny.md a.fits b.fits").endswith("has no a.fits, b.fits")
    assert notebooks.missing_data("") == ""


def test_bad_params_file_stops_the_build_and_is_named(tiny):
    (tiny / "params").mkdir()
    (tiny / "params" / "a.yaml").write_text(f"{HEAD}nsid: 64")
    with pytest.raises(sphinx_ext.ExtensionError, match=r"params/a\.yaml: unknown parameter 'nsid'"):
        sphinx_ext._check_params_files(SimpleNamespace(srcdir=tiny))


def test_outputs_depend_on_the_data(tiny, monkeypatch):
    before = sphinx_ext.state()
    assert sphinx_ext.state() == before
    monkeypatch.setenv("SYSMAP_DATA", str(tiny))
    with_data = sphinx_ext.state()
    (tiny / "more.fits").write_bytes(b"0")
    assert len({before, with_data, sphinx_ext.state()}) == 3


def test_only_the_cache_of_today_is_kept(tiny):
    current = tiny / f"{sphinx_ext.CACHE}{sphinx_ext.state()}"
    stale = tiny / f"{sphinx_ext.CACHE}0"
    for cache in (current, stale):
        cache.mkdir()
    config = SimpleNamespace(html_static_path=[])
    sphinx_ext._configure(SimpleNamespace(outdir=tiny / "html"), config)
    assert config.nb_execution_cache_path == str(current)
    assert config.mathjax_path == "tex-svg.js"
    assert current.is_dir()
    assert not stale.exists()


# ---- this book ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_of_a_notebook_have_type_meaning_and_valid_default(path):
    cell = notebooks.parameters_cell(jupytext.read(path))
    assert cell is not None, "no cell has the tag 'parameters'"
    declared = read_cell(cell.source)
    for parameter in declared.values():
        assert set(re.split(r" *\| *", parameter.annotation)) <= set(TYPES), parameter
        assert parameter.help, parameter
    check_given(cell.source, {name: parameter.default for name, parameter in declared.items()})


@pytest.mark.parametrize("path", PARAMS, ids=lambda path: path.stem)
def test_params_file_is_a_page(path):
    assert text(pages.read_page(path.read_text()))


def test_every_notebook_is_in_the_book():
    toc = yaml.safe_load((notebooks.ROOT / "_toc.yml").read_text())
    chapters = {chapter.get("file") for part in toc["parts"] for chapter in part["chapters"]}
    by_params = {f"notebooks/{pages.read_head(path.read_text())['notebook']}" for path in PARAMS}
    assert {f"notebooks/{path.stem}" for path in NOTEBOOKS} <= chapters | by_params


def test_interface_pages_mirror_the_rooms():
    """One page a room, and every module on it; the machinery of the book itself is not an interface."""
    internal = {"execution", "notebooks", "pages", "papermill_io", "sphinx_ext"}
    listed, modules = {}, {"ground_floor": set()}
    for page in (notebooks.ROOT / "book" / "api").glob("*.md"):
        names = re.findall(r"automodule:: sysmap_core\.(\S+)", page.read_text())
        listed[page.stem] = {name.partition(".")[2] or name for name in names} - {page.stem}
    for path in (notebooks.ROOT / "sysmap_core").rglob("*.py"):
        room = "ground_floor" if path.parent.name == "sysmap_core" else path.parent.name
        if not path.stem.startswith("__"):
            modules.setdefault(room, set()).add(path.stem)
    modules["book"] -= internal
    assert listed == modules
