"""What do our packages promise when installed? The contracts on imports are in pyproject.toml."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distributions
from importlib.util import find_spec
from os.path import normpath
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"collector", "dashboard", "sample_services"}
NATS = "opentelemetry.instrumentation.nats"


def normal(name: str) -> str:
    """A distribution's name as the packaging rules normalize it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


@cache
def declared(pyproject: str, *extras: str) -> frozenset[str]:
    """The distributions that a project declares as dependencies, with these extras."""
    project = tomllib.loads((ROOT / pyproject).read_text())["project"]
    optional = [line for extra in extras for line in project["optional-dependencies"][extra]]
    return frozenset(named(project["dependencies"] + optional))


@cache
def owners() -> dict[str, str]:
    """The distribution of every installed Python file, by its path as Python finds it."""
    found = {}
    for distribution in distributions():
        name, folder = normal(distribution.metadata["Name"]), str(distribution.locate_file(""))
        files = (str(file) for file in distribution.files or ())
        found.update({normpath(f"{folder}/{file}"): name for file in files if file.endswith((".py", ".so"))})
    return found


def libraries(folder: str) -> set[str]:
    """The distributions whose modules the code in *folder* imports."""
    found = set()
    for name in {name for path in (ROOT / folder).rglob("*.py") for name in imports(path)}:
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in OURS or name.startswith(NATS):
            continue
        spec = find_spec(name)
        assert spec is not None, f"{folder} imports {name}, which is not there"
        if spec.origin and spec.origin != "namespace":
            found.add(owners()[normpath(spec.origin)])
    return found


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            top = find_spec(node.module)
            if top is not None and top.origin is None:  # a namespace: its parts are separate distributions
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize(
    ("folder", "pyproject", "extras"),
    [
        ("collector", "pyproject.toml", []),
        ("dashboard", "pyproject.toml", ["dashboard"]),
        ("sample_services", "pyproject.toml", ["samples"]),
        ("instrumentation/src", "instrumentation/pyproject.toml", ["instruments", "sdk"]),
    ],
)
def test_what_is_imported_is_declared(folder: str, pyproject: str, extras: list[str]) -> None:
    """A library that only another library pulls in may disappear one day."""
    assert libraries(folder) <= declared(pyproject, *extras)


def test_what_is_declared_is_pinned() -> None:
    """Two people who install on different days get the same versions."""
    pinned = named((ROOT / "constraints.txt").read_text().splitlines())
    ours = {"choreoscope", "opentelemetry-instrumentation-nats"}
    needed = declared("pyproject.toml", "dashboard", "samples", "dev")
    needed |= declared("instrumentation/pyproject.toml", "instruments")

    assert needed - ours <= pinned


def test_the_pins_say_versions_and_nothing_else() -> None:
    """They name no registry: each user chooses where to install from."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+", line) for line in lines)
    assert len(named(lines)) == len(lines)


def test_streamlit_is_the_same_in_both_places() -> None:
    """The extra is exact, because the views were made for one version."""
    (pin,) = re.findall(r"^streamlit==.*$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert pin in project["optional-dependencies"]["dashboard"]
