"""Writes the dashboard's copy of the answers' shapes: `make answers`.

Collector and dashboard meet over the network only, so the dashboard cannot import `collector.model.answers`.
Its copy is more lenient where that costs nothing. A field that may be absent has a value (empty, false or
None), so no page has to ask whether it is there. Words such as states are any string: a newer collector may
know more of them.
"""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHAPES = ROOT / "collector" / "model" / "answers"
PAGES = ROOT / "dashboard"
# Which modules each file has: they may use what is in those before them. One file would be too long.
COPIES = {
    "expectation_shapes": ("base", "expectations"),
    "shapes": ("lists", "graphs"),
    "total_shapes": ("totals", "sweeps", "storing", "connected", "consumers"),
}
HEAD = '''"""The collector's answers, as the pages know them.

Generated from `collector/model/answers/` by `make answers`: change it there. Fields that are not named here
are ignored, so a newer collector can answer an older dashboard. Times are integers, nanoseconds since the
epoch, in `*_unix_nano`; durations are milliseconds in `*_ms` or seconds in `*_s`.
"""
'''
IMPORTS = {
    "collections.abc": ("Sequence",),
    "typing": ("Any",),
    "msgspec": ("Struct", "field"),
}
WORDS = {
    "BackupWord",
    "DeletionState",
    "EvidenceKind",
    "ExpectationKind",
    "ExpectationState",
    "NoteKind",
    "ProblemKind",
    "Literal",
    "SpansKept",
    "StateWord",
    "StoreKind",
}
EMPTY = {"list": "[]", "dict": "{}", "bool": "False"}


class _Copied(ast.NodeTransformer):
    """The same fields without their descriptions."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        meant = node.annotation
        if isinstance(meant, ast.Subscript) and ast.unparse(meant.value) == "Annotated":
            assert isinstance(meant.slice, ast.Tuple)
            meant = meant.slice.elts[0]
        kinds = ["str" if _outer(kind) in WORDS else kind for kind in ast.unparse(meant).split(" | ")]
        if "UnsetType" in kinds:
            kinds.remove("UnsetType")
            empty = EMPTY.get(_outer(kinds[0]), "None")
            if empty == "None" and "None" not in kinds:
                kinds.append("None")
            node.value = ast.parse(empty, mode="eval").body
        node.annotation = ast.parse(" | ".join(kinds), mode="eval").body
        return node


def _outer(kind: str) -> str:
    return kind.partition("[")[0]


def copied() -> dict[Path, str]:
    """The text of each of the dashboard's copies."""
    modules = {module for some in COPIES.values() for module in some}
    assert {path.stem for path in SHAPES.glob("*.py")} == {"__init__", *modules}, "a module is not copied"
    known: dict[str, tuple[str, ...]] = dict(IMPORTS)
    texts = {}
    for name, some in COPIES.items():
        sources = [(SHAPES / f"{module}.py").read_text(encoding="utf-8") for module in some]
        nodes = [node for source in sources for node in ast.parse(source).body]
        classes = [_Copied().visit(node) for node in nodes if isinstance(node, ast.ClassDef)]
        texts[PAGES / f"{name}.py"] = _formatted(PAGES / f"{name}.py", classes, known)
        known[f"dashboard.{name}"] = tuple(node.name for node in classes)
    return texts


def _formatted(path: Path, classes: list[ast.ClassDef], known: dict[str, tuple[str, ...]]) -> str:
    """The text of the file *path* with *classes*, which imports what they use of *known*."""
    used = {node.id for one in classes for node in ast.walk(one) if isinstance(node, ast.Name)}
    wanted = {module: [name for name in names if name in used] for module, names in known.items()}
    imports = [f"from {module} import {', '.join(names)}" for module, names in wanted.items() if names]
    text = "\n".join([HEAD, *imports, *map(ast.unparse, classes)])
    for command in (["check", "--select", "I", "--fix", "--quiet"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


if __name__ == "__main__":
    for path, text in copied().items():
        path.write_text(text, encoding="utf-8")
