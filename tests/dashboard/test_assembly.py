"""Modules become one script, or an error says which of them does not fit and why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboard.drawing import component
from dashboard.drawing.assembly import AssemblyError, assemble
from dashboard.drawing.component import FRONTEND, KINDS, Kind, assembled
from tests.dashboard.nodejs import node

MAIN = "export default function mount() {}\n"


def joined(**modules: str) -> str:
    texts = {f"{name}.js": text for name, text in modules.items()}
    return assemble(texts, {}, {"main.js": texts.pop("main.js")})["main.js"].script


def test_what_is_imported_comes_first() -> None:
    """As in a browser: depth first, and each module once."""
    script = joined(
        main='import { a } from "./a.js";\nimport { b } from "./b.js";\n' + MAIN,
        a='import { b } from "./b.js";\nexport const a = b;\n',
        b="export const b = 1;\n",
    )

    assert script == (
        "// b.js\nconst b=1;\n// a.js\nconst a=b;\n// main.js\nexport default function mount(){}\n"
    )


def test_comments_and_leading_spaces_are_left_out() -> None:
    """They help only readers of the modules, but every refresh would send them to the browser."""
    script = joined(main="// Why.\nexport default function mount() {\n  // How.\n  return 1;\n}\n")

    assert script == "// main.js\nexport default function mount(){return 1;}\n"


def test_spaces_are_left_out_where_they_mean_nothing() -> None:
    """In texts, templates and patterns they do, and between two signs of one kind."""
    lines = [
        "const a = b ? [c, d] : (e) => f;",
        "const g = a + +b - -c;",
        'const h = "a = b";',
        "const i = / = /;",
    ]
    script = joined(main="\n".join(lines) + "\n" + MAIN)

    assert 'const a=b?[c,d]:(e)=>f;const g=a + +b - -c;const h = "a = b";const i = / = /;' in script


def test_an_import_may_take_several_lines() -> None:
    script = joined(
        main='import {\n  one,\n  two,\n} from "./a.js";\n' + MAIN,
        a="export function one() {}\nexport class two {}\n",
    )

    assert "import" not in script
    assert "function one(){}class two{}" in script


def test_a_sheet_comes_where_its_module_does() -> None:
    modules = {"a.js": "export const a = 1;\n"}
    sheets = {"main.css": ".a {\n  color: red;\n}\n", "a.css": "/* All. */\n.a {\n  color: blue;\n}\n"}

    sent = assemble(modules, sheets, {"main.js": USES_A})["main.js"].sheet
    assert sent == ".a{color:blue;}\n.a{color:red;}\n"


def test_each_entry_gets_only_what_it_imports() -> None:
    """A page sends the whole text of each of its views with every refresh."""
    modules = {"a.js": "export const a = 1;\n", "b.js": "export const b = 2;\n"}
    entries = {"one.js": USES_A, "two.js": 'import { b } from "./b.js";\n' + MAIN}

    sent = assemble(modules, {"a.css": ".a {\n  color: red;\n}\n"}, entries)

    assert "const b" not in sent["one.js"].script
    assert sent["one.js"].sheet
    assert "const b" in sent["two.js"].script
    assert not sent["two.js"].sheet


USES_A = 'import { a } from "./a.js";\n' + MAIN


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"main": MAIN, "a": "const a = 1;\n"}, "Nothing imports a.js."),
        ({"main": USES_A}, "main.js imports a.js, which is not there."),
        ({"main": USES_A, "a": "const a = 1;\n"}, "main.js: a.js does not export a: export it there."),
        (
            {"main": USES_A, "a": 'import { b } from "./b.js";\n', "b": 'import { a } from "./a.js";\n'},
            "Modules import each other in a circle: a.js -> b.js -> a.js.",
        ),
        (
            {"main": USES_A + "const x = 1;\n", "a": "export const a = 1;\nfunction x() {}\n"},
            "main.js: x is declared in a.js too: rename one of them.",
        ),
        ({"main": "function mount() {}\n"}, "main.js: it has 0 default exports"),
        ({"main": USES_A, "a": "export default function a() {}\n"}, "a.js: cannot join 'export default"),
        ({"main": USES_A, "a": "export default a;\n"}, "a.js: cannot join 'export default a;'"),
        ({"main": USES_A, "a": "const a = 1;\nexport { a };\n"}, "a.js: cannot join 'export { a };'"),
        ({"main": 'import a from "./a.js";\n' + MAIN}, "main.js: cannot join 'import a from"),
        ({"main": 'import "./a.js";\n' + MAIN}, "main.js: cannot join 'import"),
        (
            {"main": 'import { a as b } from "./a.js";\n' + MAIN},
            "main.js: it imports from a.js under another",
        ),
        ({"main": 'import { a } from "elsewhere";\n' + MAIN}, "main.js: cannot join 'import { a } from"),
        ({"main": "const [a, b] = [1, 2];\n" + MAIN}, "main.js: cannot join 'const [a, b]"),
        ({"main": "/* Why. */\n" + MAIN}, "main.js: cannot leave out '/* Why. */'"),
        ({"main": "const a = `\n  x`;\n" + MAIN}, "main.js: a template goes on after 'const a = `'"),
    ],
)
def test_what_cannot_be_joined_is_refused(modules: dict[str, str], said: str) -> None:
    """Otherwise the page stays empty, with an error in the reader's console."""
    with pytest.raises(AssemblyError, match=f"^{re.escape(said)}"):
        joined(**modules)


@pytest.mark.parametrize("text", ["/* Over\n   two lines. */\n", "/* Before. */ .a {}\n"])
def test_a_comment_of_a_sheet_has_a_line_of_its_own(text: str) -> None:
    with pytest.raises(AssemblyError, match="keep a comment on a line of its own"):
        assemble({}, {"main.css": text}, {"main.js": MAIN})


def test_a_sheet_without_a_module_is_refused() -> None:
    with pytest.raises(AssemblyError, match=re.escape("add a.js")):
        assemble({}, {"a.css": ""}, {"main.js": MAIN})


def test_every_view_is_sent() -> None:
    """Every module is part of some view, and each view has one way in."""
    sent = assembled()

    names = {
        name for one in sent.values() for name in re.findall(r"^// (\w+\.js)$", one.script, re.MULTILINE)
    }
    entries = {f"{kind}.js" for kind in KINDS}
    assert names - entries == {path.name for path in FRONTEND.glob("*.js")}
    for one in sent.values():
        assert re.findall(r"\bexport .*?\(", one.script) == ["export default function mount("]


# Classes that two views use for different things.
OTHERS = {("graph", "inspector_view.css", ".inspector"), ("graph", "timeline_view.css", ".took")}


def test_a_view_has_the_styles_of_all_that_it_shows() -> None:
    """A sheet comes with its module: what a view makes without importing its module looks bare."""
    sheets = {path.name: path.read_text() for path in FRONTEND.glob("*.css") if path.name != "frame.css"}
    bare = set()
    for kind, sent in assembled().items():
        held = {f"{name}.css" for name in re.findall(r"^// (\w+)\.js$", sent.script, re.MULTILINE)}
        made = set()
        for tag, classes in re.findall(r"""\bel\(\s*["`](\w+)((?:\.[a-z][\w-]*)*)["`]""", sent.script):
            made |= {tag, *(f".{name}" for name in classes.split(".")[1:])}
        for name in sheets.keys() - held:
            rules = re.findall(r"^([^\s@}/][^{]*)\{", sheets[name], re.MULTILINE)
            styled = {one.strip() for rule in rules for one in rule.split(",")}
            bare |= {(kind, name, one) for one in styled & made}

    assert bare - OTHERS == set()


def test_a_module_can_be_read_at_once() -> None:
    long = [path.name for path in FRONTEND.iterdir() if len(path.read_text().splitlines()) > 400]

    assert long == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_is_javascript(kind: Kind, tmp_path: Path) -> None:
    """Without its comments and leading spaces it still has to parse."""
    script = tmp_path / "sent.mjs"
    script.write_text(assembled()[kind].script)

    checked = subprocess.run([node(), "--check", script], capture_output=True, text=True, check=False)

    assert checked.stderr == ""


def test_what_is_edited_is_shown_by_a_dashboard_that_watches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`make dashboard-dev` is for who writes a view: otherwise each look at it costs a restart."""
    shutil.copytree(component.FRONTEND, tmp_path / "frontend")
    monkeypatch.setattr(component, "FRONTEND", tmp_path / "frontend")
    registered: list[str] = []

    def register(name: str, *, js: str, css: str) -> Callable[..., dict[str, Any]]:
        registered.append(js)
        return lambda **said: {}

    monkeypatch.setattr(st.components.v2, "component", register)
    watcher = "none"
    monkeypatch.setattr(st, "get_option", lambda name: watcher)
    component._renderers.cache_clear()

    def edited(text: str) -> int:
        with (tmp_path / "frontend" / "mount.js").open("a") as file:
            file.write(text)
        os.utime(file.name, (len(text), time.time() + len(text)))
        component.mount("head", {}, key="x")
        return len(registered) // len(KINDS)

    assert [edited("// a\n"), edited("const b = 1;\n")] == [1, 1]
    watcher = "auto"
    assert [edited("const cc = 2;\n"), edited("const ddd = 3;\n")] == [2, 3]
    assert all("const ddd" in script for script in registered[-len(KINDS) :])
    component._renderers.cache_clear()
