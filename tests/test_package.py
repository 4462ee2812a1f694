"""The package imports quickly, and gives its names on request."""

import subprocess
import sys

import pytest

import sysmap_core


def test_import_is_light():
    code = "import sys, sysmap_core; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"jax", "healpy", "numpy", "scipy", "matplotlib", "pydantic"} & set(loaded)


@pytest.mark.parametrize("name", sysmap_core.__all__)
def test_public_name_exists(name):
    assert getattr(sysmap_core, name) is not None


def test_version_is_a_version():
    assert sysmap_core.__version__[0].isdigit()
