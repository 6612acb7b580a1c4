"""One flow: what happened, what is missing, and every detail of the chosen step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import never_mind, page, tabled_flow, taken_along, words
from dashboard.client import NotFoundError
from dashboard.drawing import inspector, scene
from dashboard.drawing.component import mount, save
from dashboard.drawing.fold import Folded
from dashboard.drawing.remembered import Memory
from dashboard.drawing.steps import Step, Steps, steps
from dashboard.drawing.timeline import timeline
from dashboard.shapes import Flow, ShownFlow

VIEWS = {"graph": "Graph", "timeline": "Timeline", "table": "Table"}
HEIGHT = 640
MOST_LINES = 4  # findings said above the drawing, which shows all of them
CUT = "cut"  # the note that spans of the flow are no longer kept
INCOMPLETE = "Spans are missing: what is drawn may not be all."
SET_ASIDE = (
    "It has too many spans to be judged: it may be stuck, and nobody knows. Do several runs share its key?"
)
REPLAYING = "This flow is shown as it was known before: it may have gone on, and why it stopped comes then."
UNKNOWN = (
    "It may not have arrived yet, or be past what the collector keeps. "
    "A flow key, a flow id or a trace id will do."
)


def unknown(key: str, nearest: Sequence[str], replaying: str) -> None:
    """Say that no flow has this name, which names are like it, and where to look.

    *replaying* says that what came since the start is in no flow yet; "" if it is.
    """
    mount(
        "notice",
        {
            "title": [{"text": "No flow "}, {"text": key, "mark": "code"}, {"text": "."}],
            "lines": [
                [{"text": f"{replaying} {UNKNOWN}".strip()}],
                *page.like(nearest),
            ],
            "links": [
                {"label": "Search flows like it", "target": page.to_flows(words.quoted(key))},
                {"label": "All flows", "target": {"page": "flows"}},
            ],
        },
        key="unknown",
    )


def unchosen() -> None:
    """Say how to get to a flow."""
    mount(
        "notice",
        {
            "title": [{"text": "Which flow?"}],
            "lines": [[{"text": "Choose one on the Flows page, or add ?flow=<flow key> to the address."}]],
            "links": [{"label": "Flows", "target": {"page": "flows"}}],
        },
        key="unchosen",
    )


def head(flow: Flow, item: ShownFlow | None, name: str, now: int, replaying: str) -> dict[str, Any]:
    """Describe the flow: its key, its state and the sentences of its findings.

    *replaying* says that the collector does not yet know more, and why; "" if it does.
    """
    badges: list[dict[str, Any]] = []
    if item:
        open_ = flow.findings and item.state in {"stuck", "late", "failed"}
        since = min(finding.since_unix_nano for finding in flow.findings) if open_ else None
        badges.append({"state": item.state, "text": item.state, "since": since})
    names = {message.event_type for message in flow.messages}
    services = {reaction.service for reaction in flow.reactions} | {
        message.service for message in flow.messages
    }
    lines = [
        words.marked(
            finding.sentence + blocked(len(finding.blocked)),
            codes=names | {finding.missing.next_event_type},
            strongs=services | {finding.missing.service},
        )
        for finding in flow.findings[:MOST_LINES]
    ]
    if (unsaid := max(flow.findings_total, len(flow.findings)) - len(lines)) > 0:
        lines.append([{"text": f"{words.count(unsaid, 'more finding')}: the drawing has a mark for each."}])
    cut: list[list[words.Part]] = [[{"text": note.text}] for note in flow.notes if note.kind == CUT]
    notes = [
        {"text": words.times(kind.replace("_", " "), len(texts)), "title": "\n".join(dict.fromkeys(texts))}
        for kind, texts in by_kind(flow).items()
        if kind != CUT
    ]
    if item and item.incomplete:
        notes.insert(0, {"text": "incomplete telemetry", "title": INCOMPLETE})
    if item and item.set_aside:
        lines.insert(0, [{"text": SET_ASIDE}])
    known = lines or [outcome(item)]
    if replaying and item and item.state != "done":
        known.append([{"text": f"{replaying} {REPLAYING}"}])
    return {
        "title": [{"text": "Flow"}],
        "key": name,
        "badges": badges,
        "lines": [*gone(item), *known, *cut],
        "notes": notes,
        "now": now / 1e6,
    }


def gone(item: ShownFlow | None) -> list[list[words.Part]]:
    """Say that the flow is dismissed, by whom, when and why."""
    return [never_mind.by_whom(item.dismissed)] if item and item.dismissed else []


def offer(item: ShownFlow, name: str) -> None:
    """Let a person dismiss a flow that stopped, or take that back."""
    if item.state not in {"stuck", "failed"}:
        return
    undo = item.dismissed is not None
    if st.button("Show again" if undo else "Dismiss", key="dismiss"):
        said = "Show this flow among those that are stuck again: " if undo else "Never mind the flow "
        title: list[words.Part] = [{"text": said}, {"text": name, "mark": "code"}, {"text": "?"}]
        never_mind.ask(title, undo=undo, flows=[item.id])
        st.rerun()


def by_kind(flow: Flow) -> dict[str, list[str]]:
    """Group the texts of the notes by kind; the inspector shows what each is about."""
    kinds: dict[str, list[str]] = {}
    for note in flow.notes:
        kinds.setdefault(note.kind, []).append(note.text)
    return kinds


def blocked(count: int) -> str:
    """Say how many steps a finding blocks."""
    if not count:
        return ""
    return f" {words.count(count, 'later step is', 'later steps are')} blocked."


def outcome(item: ShownFlow | None) -> list[words.Part]:
    """Say in one sentence how a flow without findings is doing."""
    if item is None:
        return []
    took = words.duration((item.last_unix_nano - item.started_unix_nano) / 1e6)
    counted = f"{words.count(item.messages, 'message')}, {words.count(item.reactions, 'reaction')}."
    last = item.outcome or item.last_event_type
    named: list[words.Part] = [{"text": last, "mark": "code"}] if last else []
    if item.state in {"stuck", "failed"}:
        ended = "It stopped" if item.state == "stuck" else "It failed"
        return [{"text": f"{ended} after " if last else ended}, *named, {"text": f". {counted}"}]
    if item.state == "done":
        return [{"text": "Ended with " if last else "Ended"}, *named, {"text": f" after {took}. {counted}"}]
    return [{"text": "On its way, last seen: " if last else "On its way."}, *named, {"text": f" {counted}"}]


def bare(item: ShownFlow | None) -> dict[str, Any]:
    """Say that there is nothing to draw, and what is still known."""
    title: list[words.Part] = [{"text": "Nothing of this flow is left to draw."}]
    if item is None or item.spans_kept != "none":
        return {"title": title}
    last: list[words.Part] = [{"text": "The last thing known of it happened "}]
    last += [{"since": item.last_unix_nano}, {"text": " ago"}]
    if item.last_event_type:
        last += [{"text": ": "}, {"text": item.last_event_type, "mark": "code"}]
    if item.last_event_type and item.last_service:
        last += [{"text": " by "}, {"text": item.last_service, "mark": "strong"}]
    last += [{"text": "."}]
    return {"title": title, "lines": [last], "links": [{"label": "All flows", "target": {"page": "flows"}}]}


def turn(flow: Flow, part: str) -> None:
    """Say which part of a large flow is shown, and let the reader go to the others."""
    if flow.shown >= flow.spans and not part:
        return
    first, last = flow.before + 1, flow.before + flow.shown
    said = (
        f"Showing {flow.shown:,} of {flow.spans:,} spans, in the order of their start: {first:,} to {last:,}."
    )
    with st.container(horizontal=True, vertical_alignment="center", key="parts"):
        st.text(said)
        for label, target, there in (
            ("First", "first", flow.before > 0),
            ("Earlier", flow.earlier_cursor, bool(flow.earlier_cursor)),
            ("Later", flow.later_cursor, bool(flow.later_cursor)),
            ("Last", None, last < flow.spans),
        ):
            st.button(
                label,
                key=f"part-{label}",
                disabled=not there,
                on_click=page.write_address,
                kwargs={"part": target, "span": None},
            )


def choose_span(view: str) -> None:
    """Write the clicked step to the address."""
    selected = getattr(st.session_state[f"flow-{view}"], "select", None)
    if selected is not None:
        page.write_address(span=selected)


def choose_in_inspector() -> None:
    """Write the step that an inspector link names to the address."""
    selected = getattr(st.session_state["inspector"], "select", None)
    if selected is not None:
        page.write_address(span=selected)


def draw(
    found: Steps, folded: Folded, view: str, name: str, drawing: str, selected: Step | None, now: int
) -> None:
    """Show the chosen view of the flow."""
    colour = page.stripes()
    if view == "timeline":
        chosen = selected.id if selected else None
        data = scene.timeline(found, timeline(found, now), colour, selected=chosen)
        mount("timeline", data, key="flow-timeline", on_select=lambda: choose_span("timeline"))
        return
    memory = remembered(drawing)
    data = scene.graph(folded, colour, selected=folded.shown(selected), name=name, direction=memory.direction)
    memory.direction = data["direction"]
    done = mount(
        "graph",
        data,
        key="flow-graph",
        on_select=lambda: choose_span("graph"),
        on_act=lambda: choose_fold(folded, drawing),
    )
    save(data, done["act"], f"flow-{name}")


def remembered(drawing: str) -> Memory:
    """What has to stay of *drawing*, a flow or a part of one: of one at a time."""
    known: tuple[str, Memory] | None = st.session_state.get("flow_drawn")
    if known is None or known[0] != drawing:
        known = drawing, Memory()
        st.session_state.flow_drawn = known
    return known[1]


def choose_fold(folded: Folded, drawing: str) -> None:
    """Fold or unfold the box that the reader named."""
    act = getattr(st.session_state["flow-graph"], "act", None)
    if isinstance(act, dict) and isinstance(act.get("fold"), str):
        memory = remembered(drawing)
        memory.choices = folded.toggled(memory.choices, act["fold"])


def switch() -> str:
    """Let the reader choose the view; the address keeps it."""
    wanted = st.query_params.get("view", "graph")
    view = wanted if wanted in VIEWS else "graph"
    if st.session_state.get("flow_view") != view:
        st.session_state.flow_view = view

    def chosen() -> None:
        picked = st.session_state.flow_view or view
        page.write_address(view=None if picked == "graph" else picked)

    st.segmented_control(
        "View",
        list(VIEWS),
        key="flow_view",
        format_func=VIEWS.__getitem__,
        label_visibility="collapsed",
        on_change=chosen,
        required=True,
    )
    return view


@st.fragment(run_every="2s")
def story(key: str) -> None:
    """Show the flow, refreshed while the page is open."""
    with page.guarded("flow"):
        api = page.api()
        part = st.query_params.get("part", "")
        # The switch is drawn before the question, so that it stays and keeps what was chosen, however long
        # the answer takes.
        words_, buttons = st.columns([3.2, 1], gap="small", vertical_alignment="top")
        with buttons, st.container(horizontal=True, horizontal_alignment="right"):
            dismissing = st.container(key="offer")
            view = switch()
        try:
            summary, flow = page.ask_both(
                api.summary, lambda: api.flow(key, part=part), "flow", about=f"{key} {part}", height=HEIGHT
            )
        except NotFoundError as error:
            unknown(key, error.nearest, page.replaying(api.summary().value))
            return
        item = flow.flows[0] if flow.flows else None
        name = (item.key or item.id) if item else key
        now = api.now()
        with words_:
            mount("head", head(flow, item, name, now, page.replaying(summary)), key="head")
        with dismissing:
            if item:
                offer(item, name)
        turn(flow, part)
        found = steps(flow)
        if not found.steps:
            mount("notice", bare(item), key="bare")
            return
        selected = found.find(st.query_params.get("span"))
        shown = selected or inspector.worth_reading(found)
        folded = remembered(f"{name} {part}").folded(found)
        left, right = st.columns([3.2, 1], gap="small")
        with left:
            if view == "table":
                tabled_flow.table(found, flow, name=name, selected=selected.id if selected else None)
            else:
                draw(found, folded, view, name, f"{name} {part}", selected, now)
        with right:
            taken_along.row(flow, shown)
            panel = inspector.inspect(found, shown, page.stripes(), alike=folded.alike(selected))
            mount("inspector", panel, key="inspector", on_select=choose_in_inspector)


chosen = st.query_params.get("flow")
never_mind.forget_question(f"flow {chosen}")
if chosen:
    never_mind.form()
    story(chosen)
else:
    unchosen()
