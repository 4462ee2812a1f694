"""The walls of the house; its floors are the contracts of import-linter in pyproject.toml."""

import ast
import importlib
from pathlib import Path

import pytest

import sysmap_core

HOUSE = Path(sysmap_core.__file__).parent
ROOMS = sorted(path.parent.name for path in HOUSE.glob("*/__init__.py"))
MODULES = sorted(path for path in HOUSE.rglob("*.py") if not path.stem.startswith("__"))
NAMED = [f"{path.parent.name}/{path.stem}" for path in MODULES]


@pytest.mark.parametrize("path", MODULES, ids=NAMED)
def test_another_room_is_entered_by_its_door(path):
    """From other rooms come the names of their ``__all__``, and so no private name and no module of theirs."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            room, *inside = (node.module or "").split(".")
            assert not inside, f"{path.name} imports from {node.module}: import from {room}"
            if room in ROOMS:
                offered = importlib.import_module(f"sysmap_core.{room}").__all__
                assert {alias.name for alias in node.names} <= set(offered), f"{path.name} from {room}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_lives_there_and_offers_it(room):
    module = importlib.import_module(f"sysmap_core.{room}")
    assert len(module.__doc__.split()) > 20
    assert module.__all__ == sorted(set(module.__all__))
    for name in module.__all__:
        assert not name.startswith("_")
        assert getattr(module, name) is not None


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_the_stub_names_what_it_imports(room):
    """``__all__`` of the stub is what editors offer, its imports are what can be imported."""
    stub = ast.parse((HOUSE / room / "__init__.pyi").read_text())
    listed = next(ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    imported = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    declared = [node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)]
    assert sorted(listed) == sorted(imported + declared)


def test_modules_are_short():
    lengths = sorted(len(path.read_text().splitlines()) for path in MODULES)
    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 2] < 220
