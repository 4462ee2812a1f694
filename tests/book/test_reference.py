"""The stored reference notebooks hold today's code, and are made as they are compared."""

import nbformat
import pytest

from sysmap_core.book import notebooks, reference
from sysmap_core.errors import ParameterError

CASES = reference.cases()


@pytest.mark.parametrize("name", CASES)
def test_reference_holds_the_code_of_its_notebook(name):
    stored = nbformat.read(reference.FOLDER / f"{name}.ipynb", as_version=4)
    fresh = reference.code(reference.prepared(CASES[name]))
    assert reference.code(stored) == fresh, f"run: python -m sysmap_core.book.reference {name}"


@pytest.mark.parametrize("name", CASES)
def test_cells_that_glue_are_not_compared(name):
    for cell in nbformat.read(reference.FOLDER / f"{name}.ipynb", as_version=4).cells:
        if "glue(" in cell.source:  # it shows numbers to the last digit, which differs between machines
            assert "nbval-ignore-output" in cell.metadata.tags


def test_every_stored_reference_is_a_case():
    assert {path.stem for path in reference.FOLDER.glob("*.ipynb")} == set(CASES)


@pytest.fixture
def folder(tmp_path, tiny_notebook, monkeypatch):
    """Folder with two cases of the tiny notebook, one of which needs data that are not there."""
    (tmp_path / "tiny.md").write_text(tiny_notebook)
    (tmp_path / "cases.yaml").write_text(
        "small: {notebook: tiny, parameters: {nside: 8}}\nreal: {notebook: tiny, needs: SYSMAP_DATA}\n"
    )
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.delenv(notebooks.DATA_VARIABLE, raising=False)
    return tmp_path


def test_cases_are_made_where_their_data_are(folder, capsys):
    reference.main(folder=folder)
    assert capsys.readouterr().out.splitlines() == [
        str(folder / "small.ipynb"),
        "real: not made, the environment variable SYSMAP_DATA is not set",
    ]
    nb = nbformat.read(folder / "small.ipynb", as_version=4)
    assert [cell.id for cell in nb.cells] == ["cell-0", "cell-1"]
    assert nb.cells[0].source.startswith("nside: int = 8 ")
    assert nb.cells[1].outputs[0].text == "namespace(nside=8, labels=['a'], name='x')\n"
    assert set(nb.metadata) == {"kernelspec"}


def test_unknown_case_is_an_error(folder):
    with pytest.raises(ParameterError, match="unknown reference notebook 'smal': did you mean 'small'"):
        reference.main(["smal"], folder)


def test_case_with_an_unknown_parameter_is_an_error(folder):
    (folder / "cases.yaml").write_text("small: {notebook: tiny, parameters: {nsid: 8}}\n")
    with pytest.raises(ParameterError, match="unknown parameter 'nsid'"):
        reference.main(folder=folder)


def test_figures_and_uncompared_outputs_are_not_stored():
    figure = nbformat.v4.new_output("display_data", {"image/png": "00", "text/plain": "<Figure>"}, metadata={"a": 1})
    cells = [
        nbformat.v4.new_markdown_cell("text"),
        nbformat.v4.new_code_cell("plot()", outputs=[figure], metadata={"execution": {"start": "now"}}),
        nbformat.v4.new_code_cell("time()", outputs=[figure], metadata={"tags": ["nbval-ignore-output"]}),
    ]
    nb = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}, "widgets": {}}
    )
    plot, time = reference.clean(nb).cells
    assert plot.outputs[0].data == {"text/plain": "<Figure>"}
    assert plot.outputs[0].metadata == {}
    assert plot.metadata == {"tags": []}
    assert time.outputs == []


@pytest.mark.parametrize("name", list(reference.cases()))
def test_reference_holds_no_warning(name):
    """What a library prints to stderr depends on where it is installed."""
    stored = nbformat.read(reference.FOLDER / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in stored.cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
