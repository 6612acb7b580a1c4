"""How do drawings reach the browser? Only this module joins Python's data to the front end's code.

Everything that came from spans passes through here as data and becomes text nodes
in the browser. No page passes it to a Streamlit call that renders Markdown or HTML.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from dashboard.drawing import assembly, palette

FRONTEND = Path(__file__).parent / "frontend"

FONT = FRONTEND.parents[1] / "static" / "inter-latin-wght-normal.woff2"

Kind = Literal[
    "head", "notice", "stuck", "flows", "inspector", "faults", "timeline", "graph", "expectations", "export"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Each kind is a component of its own, because Streamlit sends a component's whole text with every refresh.
ENTRY = """import {{ mountView }} from "./mount.js";
import {{ {view} }} from "./{kind}_view.js";
export default function mount(given) {{ return mountView({view}, given); }}
"""


FORMS = ("svg", "png")  # in which a drawing can be saved
TRIES = 5  # refreshes in which the browser may do it


def assembled() -> dict[str, assembly.Assembled]:
    """Read the front end and join what each kind needs."""
    entries = {f"{kind}.js": ENTRY.format(kind=kind, view=f"{kind.capitalize()}View") for kind in KINDS}
    joined = assembly.assemble(_texts("*.js"), _texts("*.css"), entries)
    return {kind: joined[f"{kind}.js"] for kind in KINDS}


def _texts(pattern: str) -> dict[str, str]:
    # frame.css is for Streamlit's own page: frame.py adds it there.
    paths = [path for path in FRONTEND.glob(pattern) if path.name != "frame.css"]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def _edited() -> float:
    """When the front end was last edited, if its developer wants edits to show at once; else 0."""
    if st.get_option("server.fileWatcherType") == "none":
        return 0.0
    return max(path.stat().st_mtime for path in FRONTEND.iterdir())


@lru_cache(1)
def _renderers(_edited: float) -> dict[str, ComponentRenderer]:
    # Registered as text: a path works in a wheel, but not in an editable install of
    # this layout. The line breaks tell Streamlit that it is not a path.
    return {
        kind: st.components.v2.component(
            f"choreoscope_{kind}", js=sent.script, css=palette.css() + sent.sheet
        )
        for kind, sent in assembled().items()
    }


def mount(
    kind: Kind,
    data: Mapping[str, Any],
    *,
    key: str,
    on_select: Callable[[], None] | None = None,
    on_act: Callable[[], None] | None = None,
) -> Mapping[str, Any]:
    """Show *data* as *kind*; return what the reader did since the last run.

    The result has `select` (the id of a step, "" for none) and `act` (a button
    of the view), each None if nothing happened. The browser follows links
    without Python. *on_select* and *on_act* run before the page, so that the whole page
    already knows what is new.

    Selection is a Streamlit trigger, not a state: the address decides what is
    selected, and a state would keep the old selection after the reader goes back.
    """
    return _renderers(_edited())[kind](
        key=key,
        data={"kind": kind, **data},
        on_select_change=on_select or _nothing,
        on_act_change=on_act or _nothing,
    )


def save(drawing: Mapping[str, Any], act: object, name: str) -> None:
    """Let the browser save *drawing*, the data of a graph, as a file called *name*, if *act* asks for that.

    The script that writes it, and the font that goes into it, are sent only then.
    """
    form = act.get("save") if isinstance(act, dict) else None
    if form in FORMS:
        number = st.session_state["saved"] = st.session_state.get("saved", 0) + 1
        st.session_state["saving"] = (name, form, number, TRIES)
    wanted, form, number, tries = st.session_state.pop("saving", (None, "", 0, 0))
    if wanted != name or not tries:
        return
    file_name = re.sub(r"\W+", "-", name)[:80].strip("-") or "drawing"
    what = {"drawing": drawing, "form": form, "name": file_name, "number": number}
    # Until the browser says that it is done: a refresh may come before it has begun.
    if mount("export", {**what, "font": _font()}, key="export")["act"] != number:
        st.session_state["saving"] = (name, form, number, tries - 1)


@cache
def _font() -> str:
    return f"data:font/woff2;base64,{b64encode(FONT.read_bytes()).decode()}"


def _nothing() -> None:
    """Make Streamlit report a trigger that needs no callback."""
