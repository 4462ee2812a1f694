"""The examples of docstrings run."""

import doctest
import importlib
from pathlib import Path

import pytest

import sysmap_core

HOUSE = Path(sysmap_core.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("sysmap_core", *path.relative_to(HOUSE).with_suffix("").parts))
    for path in HOUSE.rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_of_a_module(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0
    assert found.failed == 0
