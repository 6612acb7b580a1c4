"""The table of a flow: every message, reaction and missing step, to be sorted, searched and taken along."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pandas as pd
import streamlit as st

from dashboard import page, words
from dashboard.drawing import step_table
from dashboard.drawing.step_table import Row
from dashboard.drawing.steps import Steps
from dashboard.shapes import Flow

MOST_HEIGHT, ROW_HEIGHT = 600, 32
KEY = "flow-table"

_MS = st.column_config.NumberColumn(format="localized")
# Each column with its title; what is not named here is only in what is downloaded.
_COLUMNS = {
    "time": st.column_config.DatetimeColumn("Time, UTC", format="HH:mm:ss.SSS", timezone="UTC"),
    "after_ms": st.column_config.NumberColumn("After, ms", help="after the first step", format="%.2f"),
    "kind": st.column_config.TextColumn("What"),
    "event_type": st.column_config.TextColumn("Event type"),
    "service": st.column_config.TextColumn("Service"),
    "state": st.column_config.TextColumn("State"),
    "wait_ms": st.column_config.NumberColumn("Waited, ms", format="%.2f"),
    "work_ms": st.column_config.NumberColumn("Worked, ms", format="%.2f"),
    "attempts": st.column_config.NumberColumn("Attempts"),
    "caused_by": st.column_config.TextColumn("Caused by"),
    "because": st.column_config.TextColumn("Because"),
    "certainty": st.column_config.TextColumn("Certainty"),
    "group": st.column_config.TextColumn("Group"),
    "destination": st.column_config.TextColumn("Destination"),
    "said": st.column_config.TextColumn("Said"),
    "ref": st.column_config.TextColumn("Span"),
}


def table(found: Steps, flow: Flow, *, name: str, selected: str | None) -> None:
    """Show the table of *flow*, called *name*; a row that is chosen is written to the address."""
    rows, steps = step_table.rows(found, flow)

    def choose() -> None:
        chosen = st.session_state[KEY].selection.rows
        page.write_address(span=steps[chosen[0]] if chosen else None)

    _follow(rows, steps, selected)
    st.dataframe(
        _frame(rows),
        key=KEY,
        height=min(MOST_HEIGHT, ROW_HEIGHT * (len(rows) + 1) + 3),
        row_height=ROW_HEIGHT,
        hide_index=True,
        column_config=_COLUMNS,
        column_order=list(_COLUMNS),
        on_select=choose,
        selection_mode="single-row",
        placeholder="",
        alt=f"Messages and reactions of flow {words.visible(name)}",
    )
    with st.container(horizontal=True, vertical_alignment="center", key="table-foot"):
        st.text(_counted(rows, found, flow))
        _offer("CSV", "text/csv", name, lambda: _csv(rows))
        _offer("JSON", "application/json", name, lambda: json.dumps(rows, ensure_ascii=False, indent=1))


def _follow(rows: list[Row], steps: list[str], selected: str | None) -> None:
    """Choose the row of the step that is *selected*, which may have been chosen elsewhere."""
    held = st.session_state.get(KEY)
    chosen = held.selection.rows if held else []
    if [steps[place] for place in chosen if place < len(steps)] == ([selected] if selected else []):
        return
    places = [place for place, step in enumerate(steps) if step == selected]
    places.sort(key=lambda place: rows[place]["ref"] != selected)  # its message, before what published it
    if places[:1] != chosen:
        st.session_state[KEY] = {"selection": {"rows": places[:1], "columns": [], "cells": []}}


def _frame(rows: list[Row]) -> pd.DataFrame:
    """The rows as they are shown: nothing in them turns the direction or hides."""
    shown = [
        {name: words.visible(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]
    frame = pd.DataFrame(shown, columns=list(Row.__annotations__))
    frame["attempts"] = frame["attempts"].astype("Int64")
    frame["time"] = pd.to_datetime(frame.pop("time_unix_nano"), unit="ns", utc=True)
    return frame


def _counted(rows: list[Row], found: Steps, flow: Flow) -> str:
    kinds = [row["kind"] for row in rows]
    said = [
        words.count(kinds.count("message"), "message"),
        words.count(kinds.count("reaction"), "reaction"),
        *([f"{kinds.count('missing'):,} missing"] if "missing" in kinds else []),
    ]
    whole = len(flow.messages) + len(flow.reactions) + sum(step.kind == "ghost" for step in found.steps)
    cut = f" The first {len(rows):,} of {whole:,} rows." if whole > len(rows) else ""
    return f"{', '.join(said)}.{cut}"


def _csv(rows: list[Row]) -> str:
    safe = [
        {name: step_table.harmless(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]
    frame = pd.DataFrame(safe, columns=list(Row.__annotations__))
    return str(frame.astype({"attempts": "Int64"}).to_csv(index=False))


def _offer(label: str, kind: str, name: str, made: Callable[[], str]) -> None:
    file = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "flow"
    st.download_button(
        label,
        made,
        file_name=f"{file}.{label.lower()}",
        mime=kind,
        key=f"table-{label}",
        on_click="ignore",
        type="tertiary",
    )
