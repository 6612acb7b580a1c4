"""The emergent picture: which event leads to which, how often, how fast, and where flows wait."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import page, words
from dashboard.drawing import scene
from dashboard.drawing.component import mount, save
from dashboard.drawing.process_map import Level, Place, Way, picture
from dashboard.total_shapes import Map, Variant

BY = {"p95": "p95 latency", "waiting": "Waiting", "stuck": "Stuck"}
SAID = {
    "p95": "how slow at p95",
    "waiting": "how long it waits at p95",
    "stuck": "where flows are stuck",
}
LEVELS = {"event": "Event types", "service": "Services"}
WINDOW_S = 900
LEGEND_LATENCY = [
    ("latency0", "p95 under 150 ms"),
    ("latency1", "under 800 ms"),
    ("latency2", "under 3 s"),
    ("latency3", "under 20 s"),
    ("latency4", "slower"),
    ("line", "thickness: how often"),
]
LEGEND_STUCK = [("latency4", "flows are stuck here"), ("latency0", "none"), ("line", "thickness: how often")]


def chosen(name: str, options: dict[str, str], label: str) -> str:
    """Let the reader choose one of *options*; the address keeps the choice, unless it is the default."""
    default = next(iter(options))
    wanted = st.query_params.get(name, default)
    value = wanted if wanted in options else default
    key = f"choreography_{name}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value

    def changed() -> None:
        picked = st.session_state[key] or value
        page.write_address(**{name: None if picked == default else picked})

    st.segmented_control(
        label,
        list(options),
        key=key,
        format_func=options.__getitem__,
        label_visibility="collapsed",
        on_change=changed,
        required=True,
    )
    return value


def link_to(way: Way) -> dict[str, str]:
    """Return the target of a pill: the flows that are stuck there."""
    return {"page": "flows", "state": "stuck", "waiting": way.service}


def flows_of(*parts: Place) -> dict[str, str]:
    """Return the target of a box, or of an arrow between boxes: the flows in which all of them occur."""
    terms = [term for part in parts for term in terms_of(part)]
    return page.to_flows(*dict.fromkeys(terms), f"last:>-{WINDOW_S // 60}m")


def terms_of(part: Place) -> list[str]:
    """Say in a search line what a box of the map stands for."""
    if part.kind == "service":
        return [f"service:{words.quoted(part.service)}"]
    if part.kind == "taker":
        event, _, service = part.id.partition("\n")
        return [f"event:{words.quoted(event)}", f"service:{words.quoted(service)}"]
    return [f"event:{words.quoted(part.title)}"]


def variants(found: Map) -> list[dict[str, Any]]:
    """List the variants of the flows, for the panel beside the map."""
    return [variant(item) for item in found.variants[:40]]


def variant(item: Variant) -> dict[str, Any]:
    """Describe one variant, its figures in words."""
    return {
        "id": item.id,
        "events": item.events,
        "share": words.share(item.share),
        "part": min(max(item.share, 0.0), 1.0),
        "count": words.count(item.count, "flow"),
        "took": words.duration(item.p50_s * 1000) if item.p50_s is not None else "",
        "outcome": item.outcome,
        "target": page.to_flows(f"variant:{item.id}", f"last:>-{WINDOW_S // 60}m"),
    }


@st.fragment(run_every="5s")
def whole() -> None:
    """Show the map of the window, refreshed while the page is open."""
    with page.guarded("map"):
        api = page.api()
        # Before the question, so that they stay and keep what was chosen, however long its answer takes.
        title, switches = st.columns([3, 2], vertical_alignment="top")
        with switches, st.container(horizontal=True, horizontal_alignment="right"):
            level = chosen("level", LEVELS, "Level")
            by = chosen("by", BY, "Colour by")
        found = page.ask(lambda: api.map(window_s=WINDOW_S), "map", height=640)
        with title:
            mount("head", {"title": [{"text": "Choreography"}], "lines": [line(found, by)]}, key="head")
        if not found.events:
            nothing()
            return
        shown: Level = "service" if level == "service" else "event"
        data = scene.choreography(
            picture(found, shown), page.stripes(), by=by, link_to=link_to, flows_of=flows_of
        )
        legend = LEGEND_STUCK if by == "stuck" else LEGEND_LATENCY
        label = "Process map of the last 15 minutes"
        drawn = {**data, "variants": variants(found), "legend": legend, "label": label}
        done = mount("graph", drawn, key=f"map-{shown}")
        save({**data, "label": label}, done["act"], f"choreography-{shown}")


def line(found: Map, by: str) -> list[words.Part]:
    """Say what is drawn, and from how many flows."""
    flows = words.count(found.flows, "flow")
    if found.flows_in_window > found.flows:
        flows = f"A sample: {found.flows:,} of {words.count(found.flows_in_window, 'flow')}"
    return [{"text": f"{flows} in the last 15 minutes. Thickness: how often. Colour: {SAID[by]}."}]


def nothing() -> None:
    """Say that there is nothing to draw yet."""
    mount(
        "notice",
        {
            "title": [{"text": "No flow in the last 15 minutes."}],
            "waiting": True,
            "lines": [
                [{"text": "The map draws itself from the spans that arrive: nothing has to be declared."}]
            ],
            "links": [{"label": "Is anything received?", "target": {"page": ""}}],
        },
        key="nothing",
    )


whole()
