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
COPY = ROOT / "dashboard" / "shapes.py"
MODULES = ("base", "lists", "graphs", "totals")  # each may use what is in those before it
HEAD = '''"""The collector's answers, as the pages know them.

Generated from `collector/model/answers/` by `make answers`: change it there. Fields that are not named here
are ignored, so a newer collector can answer an older dashboard. Times are integers, nanoseconds since the
epoch, in `*_unix_nano`; durations are milliseconds in `*_ms` or seconds in `*_s`.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field
'''
WORDS = {"StateWord", "EvidenceKind", "Literal"}
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


def copied() -> str:
    """The text of the dashboard's copy."""
    assert {path.stem for path in SHAPES.glob("*.py")} == {"__init__", *MODULES}, "a module is not copied"
    sources = [(SHAPES / f"{module}.py").read_text(encoding="utf-8") for module in MODULES]
    nodes = [node for source in sources for node in ast.parse(source).body]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    text = "\n".join([HEAD, *(ast.unparse(_Copied().visit(node)) for node in classes)])
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(COPY), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    COPY.write_text(copied(), encoding="utf-8")
