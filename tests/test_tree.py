"""Can a reader find the way by names alone? How files are named, how long they are, what they import."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent
PROGRAMS = ("collector", "dashboard", "sample_services")
LONGEST = 400  # lines: a longer file answers more than one question


def files(*folders: str, kinds: tuple[str, ...] = ("*.py",)) -> Iterator[Path]:
    for folder in folders:
        for kind in kinds:
            yield from (path for path in (ROOT / folder).rglob(kind) if "node_modules" not in path.parts)


def test_no_file_is_too_long_to_be_read() -> None:
    folders = (*PROGRAMS, "instrumentation", "tests", "benchmarks", "docs")
    lengths = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for path in files(*folders, kinds=("*.py", "*.js", "*.mjs", "*.css"))
    }

    assert {str(path): length for path, length in lengths.items() if length > LONGEST} == {}


def test_one_name_stands_for_one_thing() -> None:
    """Two files of one name are two meanings of a word, and one of them is found first."""
    named = defaultdict(list)
    for path in files(*PROGRAMS, kinds=("*.py", "*.js")):
        if not path.stem.startswith("__"):
            named[path.stem].append(str(path.relative_to(ROOT)))

    assert [paths for paths in named.values() if len(paths) > 1] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_imports_go_round_nowhere(program: str) -> None:
    """Layers keep packages apart; inside of a package, a circle would make two modules one."""
    modules = {module_of(path): path for path in files(program)}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for module, path in modules.items():
        graph.add_edges_from((module, other) for other in imported(module, path) if other in modules)

    assert sorted(map(sorted, nx.simple_cycles(graph, length_bound=6))) == []


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(module: str, path: Path) -> Iterator[str]:
    """Every module that *module* imports; of a package that it imports names from, those that are modules."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{source}.{alias.name}" for alias in node.names]
            inner = [name for name in names if is_module(name)]
            yield from inner
            if len(inner) < len(names):
                yield source


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()
