"""What can a reader take along from the page of a flow? A link to what is seen, raw spans, other tools."""

from __future__ import annotations

import json
import os
from html import escape
from typing import Any

import streamlit as st

from dashboard import page, words
from dashboard.client import ApiError, NotFoundError, query
from dashboard.drawing.steps import Step
from dashboard.shapes import Flow
from dashboard.trace_links import SETTING, TraceLink, trace_link

MOST_SPANS = 8  # of one step: its message, and the reaction that published it, with what is folded into them
MOST_TRACES = 5
LONGEST = 200_000  # characters of JSON that a browser shows at once
_KEPT = ("flow", "view", "span", "part")  # what an address says of this page


def row(flow: Flow, shown: Step) -> None:
    """Offer, above the inspector of the step *shown*, what can be taken along of it and of its flow."""
    refs, away = spans_of(shown), _away()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="along"):
        with st.popover("Link", key="link"):
            _link(flow, away)
        if refs:
            raw = st.popover("Raw span" if len(refs) == 1 else "Raw spans", key="raw", on_change="rerun")
            with raw:
                # What is closed asks for nothing.
                if raw.open:
                    _raw(refs)
            _anchor(away, away.to(refs[0]) if away else None, "this trace")


def _link(flow: Flow, away: TraceLink | None) -> None:
    st.text("To this flow, in this view, with what is chosen:")
    said = {name: value for name in _KEPT if (value := st.query_params.get(name))}
    st.code(f"{st.context.url or ''}?{query(said)}", language=None, wrap_lines=True)
    traces = flow.flows[0].traces if flow.flows else []
    for number, trace in enumerate(traces[:MOST_TRACES] if away else [], 1):
        what = "its trace" if len(traces) == 1 else f"its trace {number} of {len(traces):,}"
        _anchor(away, away.to_trace(trace) if away else None, what)


def spans_of(shown: Step) -> list[str]:
    """The refs of the spans that *shown* stands for, its own first."""
    parts = [part for part in (shown.message, shown.reaction) if part]
    return list(dict.fromkeys(ref for part in parts for ref in (part.ref, *part.spans)))


def _raw(refs: list[str]) -> None:
    sent: list[Any] = []
    gone = 0
    for ref in refs[:MOST_SPANS]:
        try:
            sent += page.api().span(ref).value.get("resourceSpans", [])
        except NotFoundError:
            gone += 1
        except ApiError as problem:
            st.text(str(problem))
            return
    said = "As OTLP in JSON, which choreoscope stitch reads."
    if len(refs) > MOST_SPANS:
        said += f" The first {MOST_SPANS} of {len(refs):,} spans."
    if gone:
        said += f" {words.count(gone, 'span is', 'spans are')} no longer kept."
    # As JSON writes them, characters that nobody sees are what they are, and are seen.
    text = words.visible(json.dumps({"resourceSpans": sent}, ensure_ascii=False, indent=2), kept="\n")
    if len(text) > LONGEST:
        said += f" The first {LONGEST:,} of {len(text):,} characters: the API has all of them."
    st.text(said)
    st.code(text[:LONGEST], language=None, wrap_lines=True, height=420)


def _away() -> TraceLink | None:
    # It was checked at the start.
    return trace_link(os.environ.get(SETTING, ""))


def _anchor(away: TraceLink | None, address: str | None, what: str) -> None:
    """A link to another program. Nothing in it comes from spans but hex digits."""
    if away is None or address is None:
        return
    text = escape(f"Open {what} in {away.place}")
    st.html(
        f'<a class="away" href="{escape(address)}" target="_blank" rel="noopener noreferrer">{text}</a>',
        width="content",
    )
