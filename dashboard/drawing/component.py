"""Mounts the drawings: the one module between Python's numbers and views.js.

Everything that came from spans passes here as data and becomes text nodes in
the browser. No page hands it to a Streamlit call that reads Markdown or HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from dashboard.drawing import palette

FRONTEND = Path(__file__).parent / "frontend"
NAME = "choreoscope_views"

Kind = Literal["head", "notice", "stuck", "flows", "inspector", "faults", "timeline", "graph"]


@cache
def _renderer() -> ComponentRenderer:
    # Registered from the files' text: a path loads from a wheel, but not from an
    # editable install of this layout. Streamlit takes text for text because it
    # holds a line break.
    return st.components.v2.component(
        NAME,
        js=(FRONTEND / "views.js").read_text(encoding="utf-8"),
        css=palette.css() + (FRONTEND / "views.css").read_text(encoding="utf-8"),
    )


def mount(
    kind: Kind,
    data: Mapping[str, Any],
    *,
    key: str,
    on_select: Callable[[], None] | None = None,
) -> Mapping[str, Any]:
    """Show *data* as *kind*; return what the reader did since the last run.

    The answer has `select` (the id of a step, "" for none) and `act` (a button
    of the view), each None when nothing happened. Links the browser follows by
    itself. *on_select* runs before the page does, so that the whole page
    already knows the new selection.

    Selection is a trigger and not a state: the address decides what is
    selected, and a state would keep its own opinion after Back.
    """
    return _renderer()(
        key=key,
        data={"kind": kind, **data},
        on_select_change=on_select or _nothing,
        on_act_change=_nothing,
    )


def _nothing() -> None:
    """Make Streamlit report a trigger that needs no callback."""
