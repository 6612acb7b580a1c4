"""Every flow: search, narrow by state, and open one. Stuck ones come first."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import page, words
from dashboard.drawing.component import mount
from dashboard.shapes import FlowItem, Flows
from dashboard.total_shapes import Summary
from dashboard.words import SECOND

STATES = ("stuck", "failed", "late", "running", "done", "dismissed")
WINDOWS = {
    "": "any time",
    "300": "last 5 min",
    "900": "last 15 min",
    "3600": "last hour",
    "86400": "last day",
}
# What the table says about a flow that waits for no service.
ENDED = {"done": "ended", "running": "nothing is overdue"}
INCOMPLETE = "Spans of this flow are missing: what is drawn may not be all."
REASON = 60  # characters of what is said beside a flow; its page has all
FIRST = 100  # rows shown at first; "more" adds as many again


def read_address() -> None:
    """Take the filters from the address if a link or the Back button has changed it."""
    wanted = tuple(st.query_params.get(name, "") for name in ("q", "state", "window", "waiting"))
    if st.session_state.get("flows_address") == wanted:
        return
    st.session_state.flows_address = wanted
    st.session_state.flows_q = wanted[0]
    st.session_state.flows_state = wanted[1] if wanted[1] in STATES else ""
    st.session_state.flows_window = wanted[2] if wanted[2] in WINDOWS else ""
    st.session_state.flows_waiting = wanted[3]
    st.session_state.flows_limit = FIRST


def changed() -> None:
    """Write the filters to the address; called when the reader changes one."""
    state = st.session_state
    state.flows_limit = FIRST
    state.flows_address = (state.flows_q, state.flows_state, state.flows_window or "", state.flows_waiting)
    page.write_address(
        q=state.flows_q, state=state.flows_state, window=state.flows_window, waiting=state.flows_waiting
    )


@st.fragment(run_every="2s")
def table() -> None:
    """Show the flows that match, refreshed while the page is open."""
    state = st.session_state
    with page.guarded("flows"):
        api = page.api()
        summary, found = page.ask_both(
            api.summary,
            lambda: api.flows(
                q=state.flows_q,
                state=state.flows_state,
                waiting_for=state.flows_waiting,
                window_s=int(state.flows_window) if state.flows_window else None,
                limit=state.flows_limit,
            ),
            "flows",
            height=560,
        )
        now = api.now()
        done = mount(
            "flows", {"now": now / 1e6, "pills": pills(found), **rows(found, summary, now)}, key="flows"
        )
        if not found.flows:
            no_match()
        act(done["act"])


def pills(found: Flows) -> list[dict[str, Any]]:
    """Describe a pill for each state, with its number of matches, and one that clears `waiting for`."""
    chosen_, waiting = st.session_state.flows_state, st.session_state.flows_waiting
    states = [
        {
            "key": name,
            "label": name,
            "count": words.number(found.counts.get(name, 0)),
            "on": name == chosen_,
            "act": {"state": "" if name == chosen_ else name},
        }
        for name in STATES
    ]
    if not waiting:
        return states
    return [
        *states,
        {"key": "waiting", "label": "waiting for", "count": waiting, "on": True, "act": {"waiting": ""}},
    ]


def act(done: Any) -> None:
    """Perform the action of a button in the table."""
    state = st.session_state
    if not isinstance(done, dict):
        return
    if done.get("more"):
        state.flows_limit += FIRST
    elif done.get("waiting") == "":
        state.flows_waiting = ""
        changed()
    elif done.get("state") in {"", *STATES}:
        state.flows_state = done["state"]
        changed()
    st.rerun(scope="fragment")


def rows(found: Flows, summary: Summary, now: int) -> dict[str, Any]:
    """Describe the rows, and say whether there are more, and how long they are kept."""
    shown, all_ = len(found.flows), found.total
    return {
        "rows": [row(item, now) for item in found.flows],
        "showing": f"Showing {shown:,} of {words.count(all_, 'flow')}. {summary.kept.sentence}"
        if shown
        else "",
        "more": f"show {min(FIRST, all_ - shown)} more" if shown < all_ else None,
    }


def row(item: FlowItem, now: int) -> dict[str, Any]:
    """Describe one flow."""
    spent = item.wait_ms + item.work_ms
    wait = min(max(item.wait_ms / spent, 0.0), 1.0) if spent > 0 else None
    done = item.state == "done"
    name = item.key or item.id
    return {
        "key": item.id,
        "name": name,
        "state": item.state,
        "chips": chips(item),
        "waiting": None if item.dismissed else item.waiting_for,
        "colour": page.stripes()(item.waiting_for) if item.waiting_for else None,
        # Rounded to whole seconds, so that a refresh sends the same row and only its age grows.
        "overdue": round(now / SECOND - item.overdue_s) * SECOND if item.overdue_s else None,
        "outcome": ended(item),
        "since": item.started_unix_nano,
        "took": words.duration((item.last_unix_nano - item.started_unix_nano) / 1e6) if done else None,
        "wait": wait,
        "percent": words.share(wait) if wait is not None else "",
        "split": f"waited {words.duration(item.wait_ms)}, worked {words.duration(item.work_ms)}",
        "last": item.last_event_type or "",
        "by": item.last_service or "",
        "messages": item.messages,
        "reactions": item.reactions,
        "target": page.to_flow(name),
    }


def chips(item: FlowItem) -> list[dict[str, str]]:
    """Describe what is marked beside the state."""
    found = [{"text": "incomplete telemetry", "title": INCOMPLETE}] if item.incomplete else []
    if item.dismissed:
        found.append({"text": "dismissed", "title": item.dismissed.reason})
    return found


def ended(item: FlowItem) -> list[words.Part]:
    """Say what became of a flow that waits for no service; or who dismissed it, when and why."""
    if said := item.dismissed:
        reason = words.short(said.reason, REASON)
        return [{"text": f"by {said.author} "}, {"since": said.time_unix_nano}, {"text": f" ago: {reason}"}]
    text = f"ended with {item.outcome}" if item.outcome else ENDED.get(item.state, "")
    return [{"text": words.short(text, REASON)}]


def no_match() -> None:
    """Say that nothing matches the filters, and how to see more."""
    state = st.session_state
    narrowed = bool(state.flows_state or state.flows_q or state.flows_waiting)
    title: list[words.Part] = [{"text": f"No {state.flows_state} flow".replace("  ", " ")}]
    if state.flows_q:
        title += [{"text": " matches "}, {"text": state.flows_q, "mark": "code"}]
    if state.flows_waiting:
        title += [{"text": " waits for "}, {"text": state.flows_waiting, "mark": "strong"}]
    title += [{"text": f", {WINDOWS[state.flows_window or '']}." if narrowed else " yet."}]
    done = mount(
        "notice",
        {
            "title": title,
            "actions": [
                {"id": "clear", "label": "Clear filters"},
                *([{"id": "all", "label": "Search all time"}] if state.flows_window else []),
            ],
        },
        key="none",
    )
    if done["act"] == "clear":
        page.write_address(q=None, state=None, window=None, waiting=None)
        st.rerun()
    if done["act"] == "all":
        page.write_address(window=None)
        st.rerun()


def filters() -> None:
    """Show the search box and the time window; they keep their values while the reader is on other pages."""
    search, window = st.columns([5, 1], vertical_alignment="center")
    with search:
        st.text_input(
            "Search",
            key="flows_q",
            placeholder="Search a flow key, trace id, event type or service",
            icon=":material/search:",
            label_visibility="collapsed",
            on_change=changed,
            persist_state="session",
        )
    with window:
        st.selectbox(
            "Window",
            list(WINDOWS),
            key="flows_window",
            format_func=WINDOWS.__getitem__,
            label_visibility="collapsed",
            on_change=changed,
            persist_state="session",
        )


read_address()
filters()
table()
