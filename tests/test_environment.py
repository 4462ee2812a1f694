"""The two lists of packages agree, and every pin says why it is there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text()


def requirements():
    """Requirements of pyproject.toml, those for developers included."""
    project = tomllib.loads(PYPROJECT)["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def conda_packages():
    """Requirements of environment.yml, less Python, pip and this package."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [entry for entry in listed if isinstance(entry, str)]
    by_pip = [entry for group in listed if isinstance(group, dict) for entry in group["pip"]]
    return [e for e in plain + by_pip if e not in ("pip", "-e .") and not e.startswith("python>")]


def normalised(entries):
    """Package and pin of every entry, in the spelling of the package index."""
    split = [re.fullmatch(r"([\w.-]+?)((?:[<>=!~].*)?)", entry).groups() for entry in entries]
    return {name.lower().replace("_", "-"): pin for name, pin in split}


def test_conda_and_pip_name_the_same_packages():
    assert normalised(conda_packages()) == normalised(requirements())


@pytest.mark.parametrize("pinned", [r for r in requirements() if re.search(r"[<>=!~]", r)])
def test_pin_has_its_reason_beside_it(pinned):
    assert re.search(rf'"{re.escape(pinned)}",? +# \S+ \S+', PYPROJECT), f"say in a comment why {pinned} is pinned"
