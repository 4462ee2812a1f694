"""Shared by all tests: the folder of the real data, and the reference notebooks that need it."""

import os
from pathlib import Path

# one process per core already: more threads would only wait for each other
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from sysmap_core.book import reference
from sysmap_core.book.notebooks import DATA_VARIABLE, missing_data, prepare_kernels

prepare_kernels()

collect_ignore = [
    f"reference/{name}.ipynb" for name, case in reference.cases().items() if missing_data(case.get("needs", ""))
]


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real sky data; the test is skipped where there is none."""
    lost = missing_data(DATA_VARIABLE)
    if lost:
        pytest.skip(f"{lost}: set {DATA_VARIABLE} to the folder of the real data (README, section Real data)")
    return Path(os.environ[DATA_VARIABLE])


@pytest.fixture(scope="session")
def tiny_notebook():
    """Text of a notebook that checks its parameters and prints them."""
    return Path(__file__).with_name("book").joinpath("tiny.md").read_text()
