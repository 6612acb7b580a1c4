"""Every flow: search, narrow by state, and open one. Stuck ones come first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import page, words
from dashboard.drawing.component import mount
from dashboard.shapes import FlowItem, Flows, LineRead
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
TABLE = 10_000  # rows of a CSV file
# What each column is sorted by at a click, at first and then; "#" is for numbers.
COLUMNS = {
    "state": ("state", "-state"),
    "flow": ("flow", "-flow"),
    "waiting for / outcome": ("-overdue", "overdue"),
    "#started": ("-started", "started"),
    "#last activity": ("-last", "last"),
    "#took": ("-took", "took"),
    "share of time waiting": ("-share", "share"),
    "#waited": ("-wait", "wait"),
    "#worked": ("-work", "work"),
    "last message": ("event", "-event"),
    "#messages": ("-messages", "messages"),
    "#reactions": ("-reactions", "reactions"),
}
OPTIONAL = ("#last activity", "#waited", "#worked")  # shown if the reader chooses them
SHOWN = [name for name in COLUMNS if name not in OPTIONAL]
SORTS = {by for ways in COLUMNS.values() for by in ways}
FIELDS = ("q", "state", "window", "waiting", "sort")  # of the address


def read_address() -> None:
    """Take the filters from the address if a link or the Back button has changed it."""
    wanted = tuple(st.query_params.get(name, "") for name in FIELDS)
    if st.session_state.get("flows_address") == wanted:
        return
    st.session_state.flows_address = wanted
    st.session_state.flows_q = wanted[0]
    st.session_state.flows_state = wanted[1] if wanted[1] in STATES else ""
    st.session_state.flows_window = wanted[2] if wanted[2] in WINDOWS else ""
    st.session_state.flows_waiting = wanted[3]
    st.session_state.flows_sort = wanted[4] if wanted[4] in SORTS else ""
    st.session_state.flows_limit = FIRST


def changed() -> None:
    """Write the filters to the address; called when the reader changes one."""
    state = st.session_state
    state.flows_limit = FIRST
    wanted = [state[f"flows_{name}"] or "" for name in FIELDS]
    state.flows_address = tuple(wanted)
    page.write_address(**dict(zip(FIELDS, wanted, strict=True)))


@st.fragment(run_every="2s")
def table() -> None:
    """Show the flows that match, refreshed while the page is open."""
    state = st.session_state
    with page.guarded("flows"):
        api, wanted = page.api(), asked()
        state.flows_asked.update(wanted)
        summary, found = page.ask_both(
            api.summary,
            lambda: api.flows(**wanted, limit=state.flows_limit),
            "flows",
            height=560,
        )
        now = api.now()
        unreadable(found.line)
        body = {"pills": pills(found), "columns": columns(), "sorts": sorts(), **rows(found, summary, now)}
        done = mount("flows", {"now": now / 1e6, **body}, key="flows")
        if not found.flows:
            no_match(found.nearest, keyless=found.keyless)
        act(done["act"], found.line)


def unreadable(line: LineRead) -> None:
    """Underline what of the search line cannot be read, and say what was expected there."""
    if not line.problems:
        return
    parts: list[words.Part] = []
    at = 0
    for problem in sorted(line.problems, key=lambda one: one.start):
        start = max(problem.start, at)
        parts += [{"text": line.text[at:start]}, {"text": line.text[start : problem.end], "mark": "u"}]
        at = max(problem.end, at)
    parts.append({"text": line.text[at:]})
    said: list[list[words.Part]] = [[{"text": problem.sentence}] for problem in line.problems]
    shown = [part for part in parts if part["text"]]
    mount("notice", {"lines": [shown, *said], "tone": "amber"}, key="unreadable")


def columns() -> list[str]:
    """Return the columns that the reader has chosen, in their order."""
    wanted = st.session_state.get("flows_columns") or SHOWN
    return [name for name in COLUMNS if name in wanted]


def sorts() -> dict[str, dict[str, str]]:
    """Say of each column what a click on its head sorts by, and which way it is sorted now."""
    now = st.session_state.flows_sort or "state"
    described = {}
    for name, (first, second) in COLUMNS.items():
        described[name] = {"by": second if now == first else first}
        if now in {first, second}:
            described[name]["way"] = "descending" if now.startswith("-") else "ascending"
    return described


def pills(found: Flows) -> list[dict[str, Any]]:
    """Describe a pill for each state, with its number of matches, and one that clears `waiting for`."""
    waiting = st.session_state.flows_waiting
    states = [
        {
            "key": name,
            "label": name,
            "count": words.number(found.counts.get(name, 0)),
            "on": name in found.states,
            "act": {"state": "" if found.states == [name] else name},
        }
        for name in STATES
    ]
    if not waiting:
        return states
    return [
        *states,
        {"key": "waiting", "label": "waiting for", "count": waiting, "on": True, "act": {"waiting": ""}},
    ]


def act(done: Any, line: LineRead) -> None:
    """Perform the action of a button in the table; *line* is the search line as it was read."""
    state = st.session_state
    if not isinstance(done, dict):
        return
    if done.get("more"):
        state.flows_limit += FIRST
    elif done.get("waiting") == "":
        state.flows_waiting = ""
        changed()
    elif done.get("sort") in SORTS:
        state.flows_sort = "" if done["sort"] == "state" else done["sort"]
        changed()
    elif done.get("state") in {"", *STATES}:
        state.flows_state = done["state"]
        if any(term.field == "state" for term in line.terms):
            state.flows_next = without_states(line)
            st.rerun()  # the whole page, because the line is above this part of it
        changed()
    st.rerun(scope="fragment")


def without_states(line: LineRead) -> str:
    """Return the search line without what it says of states: a pill says that now."""
    text = line.text
    for term in reversed(line.terms):
        if term.field == "state":
            text = f"{text[: term.start].rstrip()} {text[term.end :].lstrip()}".strip()
    return text


def rows(found: Flows, summary: Summary, now: int) -> dict[str, Any]:
    """Describe the rows, and say whether there are more, and how long they are kept."""
    shown, all_ = len(found.flows), found.total
    said = " ".join(filter(None, [summary.kept.sentence, page.replaying(summary)]))
    return {
        "rows": [row(item, now) for item in found.flows],
        "showing": f"Showing {shown:,} of {words.count(all_, 'flow')}. {said}" if shown else "",
        "more": f"show {min(FIRST, all_ - shown)} more" if shown < all_ else None,
    }


def row(item: FlowItem, now: int) -> dict[str, Any]:
    """Describe one flow."""
    spent = item.wait_ms + item.work_ms
    wait = min(max(item.wait_ms / spent, 0.0), 1.0) if spent > 0 else None
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
        "last": item.last_unix_nano,
        "took": words.duration((item.last_unix_nano - item.started_unix_nano) / 1e6),
        "over": item.state == "done",
        "waited": words.duration(item.wait_ms),
        "worked": words.duration(item.work_ms),
        "wait": wait,
        "percent": words.share(wait) if wait is not None else "",
        "split": f"waited {words.duration(item.wait_ms)}, worked {words.duration(item.work_ms)}",
        "event": item.last_event_type or "",
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


KEYLESS = (
    "The newest flows have no flow key, so none can be found by an order's number: put it into baggage as"
    " order.id, or name the attribute that has it in CHOREOSCOPE_FLOW_KEYS."
)


def no_match(nearest: Sequence[str], *, keyless: bool) -> None:
    """Say that nothing matches the filters, which flows have names like it, and how to see more."""
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
            "lines": [*page.like(nearest), *([[{"text": KEYLESS}]] if keyless else [])],
            "actions": [
                {"id": "clear", "label": "Clear filters"},
                *([{"id": "all", "label": "Search all time"}] if state.flows_window else []),
            ],
        },
        key="none",
    )
    if done["act"] == "clear":
        page.write_address(q=None, state=None, window=None, waiting=None, sort=None)
        st.rerun()
    if done["act"] == "all":
        page.write_address(window=None)
        st.rerun()


def filters() -> None:
    """Show the search line and what stands beside it; they keep their values on other pages."""
    if (following := st.session_state.pop("flows_next", None)) is not None:
        st.session_state.flows_q = following
        changed()
    search, window, more = st.columns([8, 2, 1], vertical_alignment="center")
    with search:
        st.text_input(
            "Search",
            key="flows_q",
            placeholder="A flow key, or service:payment took:>10s started:>-15m",
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
    # When it is clicked, there is no run of this page, and no state: what it reads is kept up to date.
    api, wanted = page.api(), asked()
    st.session_state.flows_asked = wanted
    with more, st.popover("Table", width="stretch"):
        st.pills(
            "Columns",
            list(COLUMNS),
            key="flows_columns",
            default=SHOWN,
            selection_mode="multi",
            format_func=lambda name: name.removeprefix("#"),
            persist_state="session",
        )
        st.download_button(
            f"CSV of the first {TABLE:,}",
            lambda: api.flows_csv(**wanted, limit=TABLE),
            "flows.csv",
            "text/csv",
            key="flows_csv",
            on_click="ignore",
        )


def asked() -> dict[str, Any]:
    """Return what is asked for: the search line, and what stands beside it."""
    state = st.session_state
    return {
        "q": state.flows_q,
        "state": state.flows_state,
        "waiting_for": state.flows_waiting,
        "window_s": int(state.flows_window) if state.flows_window else None,
        "sort": state.flows_sort,
    }


read_address()
filters()
table()
