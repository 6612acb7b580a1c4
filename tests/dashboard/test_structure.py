"""The pure parts stay pure: only then can a drawing be tested and cached."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dashboard.drawing import component
from tests.dashboard import copying

DRAWING = Path(component.__file__).parent
PURE = sorted({path.stem for path in DRAWING.glob("*.py")} - {"__init__", "component"})
OUTSIDE = {"streamlit", "httpx", "time", "datetime", "random", "logging", "asyncio", "os", "threading"}


def imported(path: Path) -> set[str]:
    """Return the top-level names of everything that the file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("name", PURE)
def test_drawings_know_no_clock_no_network_and_no_streamlit(name: str) -> None:
    assert imported(DRAWING / f"{name}.py") & OUTSIDE == set()


def test_shapes_of_answers_are_those_of_the_collector() -> None:
    """They are written once; `make answers` writes the copy again."""
    for path, text in copying.copied().items():
        assert path.read_text(encoding="utf-8") == text


def test_only_the_client_asks_the_network() -> None:
    """One place knows where the collector is, and how long to wait for it; one where the demo's shop is."""
    asking = [
        path.name
        for path in sorted(DRAWING.parent.rglob("*.py"))
        if imported(path) & {"httpx", "requests", "urllib"}
    ]

    assert asking == ["client.py", "shop_control.py"]


def test_nothing_imports_the_client_by_its_bare_name() -> None:
    """Streamlit puts this folder on the path: `import client` would load it a second time."""
    own = {path.stem for path in DRAWING.parent.glob("*.py")} - {"__init__"}

    assert [path.name for path in DRAWING.parent.rglob("*.py") if imported(path) & own] == []
