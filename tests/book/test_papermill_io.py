"""The papermill command, as a user types it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sysmap_core.book import papermill_io

PAPERMILL = str(Path(sys.executable).with_name("papermill"))
PREPARE = "--prepare-only"  # all but running the notebook


@pytest.fixture
def folder(tmp_path, tiny_notebook, monkeypatch):
    """Working folder with a notebook and a params file."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "tiny.md").write_text(tiny_notebook)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "fine.yaml").write_text("nside: 64\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def papermill(*arguments, **options):
    """Run the command with its output redirected."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, **options}
    return subprocess.run([PAPERMILL, *arguments], check=False, **options)


def files(folder):
    """All files and folders."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def injected(path):
    """Source of the cell that papermill put in."""
    cells = json.loads(Path(path).read_text())["cells"]
    return next("".join(c["source"]) for c in cells if "injected-parameters" in c["metadata"].get("tags", []))


def printed(path):
    """Text that the notebook printed."""
    cells = json.loads(Path(path).read_text())["cells"]
    return "".join(t for c in cells for o in c.get("outputs", []) for t in o.get("text", []))


def test_notebook_runs_to_the_default_path(folder):
    before = files(folder)
    done = papermill("notebooks/tiny.md", "-p", "nside", "64")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert files(folder) - before == {"results", "results/tiny", "results/tiny/nside=64.ipynb"}
    assert "nside=64" in printed("results/tiny/nside=64.ipynb")


def test_default_path_when_stdin_is_a_fifo(folder):
    read, write = os.pipe()  # an open pipe that nothing is written to, as in a container
    try:
        done = papermill("notebooks/tiny.md", PREPARE, stdin=read)
    finally:
        os.close(read)
        os.close(write)
    assert done.returncode == 0, done.stderr
    assert (folder / "results/tiny/default.ipynb").is_file()


def test_default_path_on_a_terminal(folder):
    master, terminal = pty.openpty()
    try:
        done = papermill(
            "notebooks/tiny.md", PREPARE, stdin=terminal, stdout=terminal, stderr=terminal, capture_output=False
        )
    finally:
        os.close(terminal)
        os.close(master)
    assert done.returncode == 0
    assert (folder / "results/tiny/default.ipynb").is_file()


@pytest.mark.parametrize("place", ["dot", "absolute", "inside"])
def test_default_path_is_in_the_working_folder(folder, place):
    path = {"dot": "./notebooks/tiny.md", "absolute": str(folder / "notebooks/tiny.md"), "inside": "tiny.md"}[place]
    start = folder / "notebooks" if place == "inside" else folder
    done = papermill(path, PREPARE, cwd=start)
    assert done.returncode == 0, done.stderr
    assert (start / "results/tiny/default.ipynb").is_file()


def test_module_runs_like_the_command(folder):
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "-f", "params/fine.yaml", "notebooks/tiny.md", PREPARE],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0
    assert "nside = 64" in injected("results/tiny/fine.ipynb")


def test_explicit_output_is_kept(folder):
    before = files(folder)
    done = papermill("notebooks/tiny.md", "out.ipynb", PREPARE, "-p", "nside", "16")
    assert done.returncode == 0, done.stderr
    assert files(folder) - before == {"out.ipynb"}


def test_output_dash_is_stdout(folder):
    before = files(folder)
    done = papermill("notebooks/tiny.md", "-", PREPARE)
    assert json.loads(done.stdout)["nbformat"] == 4
    assert files(folder) == before


def test_values_are_injected_in_their_types(folder):
    done = papermill("notebooks/tiny.md", "o.ipynb", PREPARE, "-p", "labels", "b,c", "-p", "name", "10.5")
    assert done.returncode == 0, done.stderr
    assert injected("o.ipynb") == '# Parameters\nlabels = ["b", "c"]\nname = "10.5"\n'


def test_paths_can_be_injected(folder):
    done = papermill("notebooks/tiny.md", PREPARE, "--inject-paths")
    assert done.returncode == 0, done.stderr
    assert 'PAPERMILL_INPUT_PATH = "notebooks/tiny.md"' in injected("results/tiny/default.ipynb")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-p", "nsid", "64"],
            "unknown parameter 'nsid': did you mean 'nside'? known: nside, labels, name, fail",
        ),
        (["-p", "nside", "abc"], "parameter nside is 'abc': give a value of type int (HEALPix resolution)"),
        (["-p", "nside", "65"], "nside is 65: give a power of two between 1 and 8192, e.g. 64"),
        (["-f", "bad.yaml"], "unknown parameter 'label': did you mean 'labels'? known: nside, labels, name, fail"),
        (["-f", "list.yaml"], "the params file holds a list: write one `name: value` per line"),
        (
            ["-f", "params/fin.yaml"],
            "unknown params file 'params/fin.yaml': did you mean 'params/fine.yaml'? known: params/fine.yaml",
        ),
        (["missing/out.ipynb", "-p", "nsid", "1"], "unknown parameter 'nsid': did you mean 'nside'? known: "),
    ],
)
def test_refusal_is_one_sentence_and_writes_nothing(folder, arguments, message):
    (folder / "bad.yaml").write_text("label: [a]\n")
    (folder / "list.yaml").write_text("- a\n")
    before = files(folder)
    done = papermill("notebooks/tiny.md", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1
    assert files(folder) == before


def test_unknown_notebook_names_the_nearest(folder):
    done = papermill("notebooks/tiny2.md")
    assert done.returncode == 2
    assert "unknown notebook 'notebooks/tiny2.md': did you mean 'notebooks/tiny.md'?" in done.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [("{'nside': 63}", "nside is 63: give a power of two"), ("{'nsid': 64}", "did you mean 'nside'?")],
)
def test_parameters_are_checked_from_python_too(folder, given, message):
    code = f"import papermill; papermill.execute_notebook('notebooks/tiny.md', 'out.ipynb', parameters={given})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().splitlines()[-1].startswith("sysmap_core.errors.ParameterError: ")
    assert message in done.stderr
    assert not (folder / "out.ipynb").exists()


def test_values_from_python_are_injected_in_their_types(folder):
    code = "import papermill; papermill.execute_notebook('notebooks/tiny.md', 'out.ipynb', {'labels': 'b,c'}, "
    subprocess.run([sys.executable, "-c", code + "prepare_only=True)"], check=True)
    assert 'labels = ["b", "c"]' in injected("out.ipynb")


def test_failing_notebook_fails_the_command_and_is_kept(folder):
    done = papermill("notebooks/tiny.md", "-p", "fail", "True")
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert "nside=32" in printed("results/tiny/fail=True.ipynb")


def test_notebook_of_another_project_passes(folder):
    text = (folder / "notebooks/tiny.md").read_text().replace("sysmap_core", "other_project")
    (folder / "notebooks/other.md").write_text(text)
    done = papermill("notebooks/other.md", PREPARE, "-p", "nsid", "64")
    assert done.returncode == 0, done.stderr
    assert "Passed unknown parameter: nsid" in done.stderr


def test_ipynb_input_is_left_to_papermill(folder):
    assert papermill("notebooks/tiny.md", "made.ipynb", PREPARE).returncode == 0
    before = files(folder)
    done = papermill("made.ipynb", PREPARE, "-p", "nside", "64")
    assert done.returncode == 0, done.stderr
    assert files(folder) == before
    (folder / "shown.ipynb").write_text(done.stdout)
    assert "nside = 64" in injected("shown.ipynb")


def test_parameters_of_ipynb_input_are_checked_too(folder):
    assert papermill("notebooks/tiny.md", "made.ipynb", PREPARE).returncode == 0
    done = papermill("made.ipynb", "other.ipynb", PREPARE, "-p", "nsid", "64")
    assert done.returncode == 2
    assert "Error: unknown parameter 'nsid': did you mean 'nside'?" in done.stderr


def test_help_lists_the_parameters(folder):
    done = papermill("notebooks/tiny.md", "--help-notebook")
    assert "nside: int (default 32)" in done.stdout
    assert not (folder / "results").exists()


def test_plug_in_is_light():
    # papermill itself loads pyarrow, with numpy, where that is installed
    code = "import sys; sys.modules['pyarrow'] = None; import papermill.iorw; "
    code += "print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "sysmap_core" in loaded
    assert not {"jax", "healpy", "numpy", "pydantic", "jupytext", "sphinx"} & set(loaded)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "default"),
        ({"parameters": [("nside", "64"), ("sample", "10.5")]}, "nside=64_sample=10.5"),
        ({"parameters_file": ["params/a.yaml"], "parameters_raw": [("x", "/y z{}")]}, "a_x=-y-z"),
        ({"parameters_yaml": ["{nside: 64}"]}, "nside-64"),
    ],
)
def test_default_name_says_the_parameters(given, name):
    assert papermill_io.default_output("notebooks/tiny.md", given) == Path(f"results/tiny/{name}.ipynb")


def test_default_name_fits_a_file_system():
    names = {
        papermill_io.default_output("x.md", {"parameters": [("labels", "long," * 60 + end)]}).name for end in ("a", "b")
    }
    assert len(names) == 2
    assert max(map(len, names)) < 150


def test_output_through_a_link_stays_a_link(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.ipynb").symlink_to("real.ipynb")
    papermill_io.Output(make_folder=False).write("{}", "link.ipynb")
    assert (tmp_path / "link.ipynb").is_symlink()
    assert (tmp_path / "real.ipynb").read_text() == "{}"


def test_output_is_never_half_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.ipynb").write_text("before")
    with pytest.raises(TypeError):
        papermill_io.Output(make_folder=False).write(None, "out.ipynb")
    assert files(tmp_path) == {"out.ipynb"}
    assert (tmp_path / "out.ipynb").read_text() == "before"
