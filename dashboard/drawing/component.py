"""How do drawings reach the browser? Only this module joins Python's data to the front end's code.

Everything that came from spans passes through here as data and becomes text nodes
in the browser. No page passes it to a Streamlit call that renders Markdown or HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from dashboard.drawing import assembly, palette

FRONTEND = Path(__file__).parent / "frontend"
ENTRY = "mount.js"
NAME = "choreoscope_views"

Kind = Literal["head", "notice", "stuck", "flows", "inspector", "faults", "timeline", "graph", "expectations"]


def assembled() -> assembly.Assembled:
    """Read the front end and join it."""
    return assembly.assemble(_texts("*.js"), _texts("*.css"), ENTRY)


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
def _renderer(_edited: float) -> ComponentRenderer:
    # Registered as text: a path works in a wheel, but not in an editable install of
    # this layout. The line breaks tell Streamlit that it is not a path.
    sent = assembled()
    return st.components.v2.component(NAME, js=sent.script, css=palette.css() + sent.sheet)


def mount(
    kind: Kind,
    data: Mapping[str, Any],
    *,
    key: str,
    on_select: Callable[[], None] | None = None,
) -> Mapping[str, Any]:
    """Show *data* as *kind*; return what the reader did since the last run.

    The result has `select` (the id of a step, "" for none) and `act` (a button
    of the view), each None if nothing happened. The browser follows links
    without Python. *on_select* runs before the page, so that the whole page
    already knows the new selection.

    Selection is a Streamlit trigger, not a state: the address decides what is
    selected, and a state would keep the old selection after the reader goes back.
    """
    return _renderer(_edited())(
        key=key,
        data={"kind": kind, **data},
        on_select_change=on_select or _nothing,
        on_act_change=_nothing,
    )


def _nothing() -> None:
    """Make Streamlit report a trigger that needs no callback."""
