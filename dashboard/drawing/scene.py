"""What does the front end draw? Boxes with positions, bars and words, as plain data.

Pure: the same steps give the same data. Nothing here depends on the reader's
clock, so a flow that no longer changes is sent to the browser once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

from dashboard import words
from dashboard.drawing import palette, spoken
from dashboard.drawing.fold import Folded
from dashboard.drawing.layout import Box, Direction, Gaps, Layout, Point, layout
from dashboard.drawing.process_map import Picture, Place, Way
from dashboard.drawing.steps import Link, Step, Steps, urgency
from dashboard.drawing.timeline import Timeline

Data = dict[str, Any]
Colour = Callable[[str], str]

CARD = (192.0, 39.0)
PILL_HEIGHT = 24.0
EVENT = (196.0, 30.0)
TAKERS_HEIGHT = 13.0  # the line in an event's box that names its takers
PORT = 12.0  # between arrows that leave or reach the same side of a box
# The most that a character of the pills' 11 px text is wide. Names that do not fit are cut.
CHARACTER = 6.6
CANVAS = (1040.0, 600.0)  # what a 1440x900 window leaves for the graph
SIDEWAYS = 64.0
# People read graphs from top to bottom, so sideways has to be clearly better.
SIDEWAYS_FROM = 1.15


def graph(
    folded: Folded, colour: Colour, *, selected: str | None, name: str, direction: Direction | None = None
) -> Data:
    """Draw a flow as cards, one per message or stack of messages, from cause to effect.

    It runs in *direction*, if that is given: a drawing that grows must not turn round.
    """
    steps = folded.steps
    titles = {box: spoken.stacked(steps.by_id[box].title, times) for box, times in folded.times.items()}
    boxes = [Box(step.id, *size(step, titles.get(step.id))) for step in steps.steps]
    ends = [(link.source, link.target) for link in steps.links]
    placed = _best(boxes, ends, direction)
    longest = max((_spent(step) for step in steps.steps), default=0.0)
    sizes = {box.id: box for box in boxes}
    said = spoken.labels(steps, folded.times, folded.hidden)
    nodes = []
    for step in steps.steps:
        x, y = placed.places[step.id]
        box = sizes[step.id]
        node = (
            _node(steps, step, longest, colour)
            | _folding(folded, step, titles.get(step.id))
            | {"label": said[step.id]}
        )
        nodes.append({"x": x, "y": y, "w": box.width, "h": box.height, **node})
    edges = [_edge(link, placed, place, steps) for place, link in enumerate(steps.links)]
    return {
        "nodes": nodes,
        "edges": edges,
        "bounds": placed.bounds,
        "direction": placed.direction,
        "selected": selected,
        "soft": any(0 < urgency(step) < 3 for step in steps.steps),
        "label": f"Graph of flow {name}",
        "folds": True,
        "told": _told_of(folded),
    }


def _folding(folded: Folded, step: Step, title: str | None) -> Data:
    data: Data = {}
    if folded.fold.get(step.id):
        data["fold"] = folded.fold[step.id]
    if title:
        data["stack"] = True
        data["title"] = title
    if hidden := folded.hidden.get(step.id):
        data["hidden"] = words.number(hidden)
    return data


def _told_of(folded: Folded) -> str:
    """Say how much of the flow is drawn, if it is not all of it."""
    drawn = len(folded.steps.steps)
    if folded.left_out:
        total = drawn + folded.left_out
        return f"Showing {drawn:,} of {total:,} boxes: unfold a branch to see more of it."
    stood = len(folded.stands)
    return f"{stood:,} steps, drawn as {drawn:,}" if drawn < stood else ""


def _best(boxes: list[Box], ends: list[tuple[str, str]], direction: Direction | None) -> Layout:
    """Lay out in *direction*, else top to bottom or left to right, whichever leaves the cards larger."""
    if direction == "right":
        return layout(boxes, ends, direction="right", gaps=Gaps(layer=SIDEWAYS))
    down = layout(boxes, ends)
    if direction == "down":
        return down
    right = layout(boxes, ends, direction="right", gaps=Gaps(layer=SIDEWAYS))
    return right if _fit(right) > _fit(down) * SIDEWAYS_FROM else down


def _fit(placed: Layout) -> float:
    x0, y0, x1, y1 = placed.bounds
    return min(CANVAS[0] / max(x1 - x0, 1.0), CANVAS[1] / max(y1 - y0, 1.0), 1.0)


def size(step: Step, title: str | None = None) -> tuple[float, float]:
    """Return width and height of a step's box, in pixels; *title* is what it says, if not the step's own."""
    if step.kind == "reaction":
        extras = 20 * bool(step.state) + 20 * (step.attempts > 1)
        return min(len(title or step.title) * CHARACTER + 34 + extras, CARD[0]), PILL_HEIGHT
    if step.kind == "blocked":
        return CARD[0], PILL_HEIGHT
    return CARD


def _spent(step: Step) -> float:
    return (step.wait_ms or 0.0) + (step.work_ms or 0.0)


def _node(steps: Steps, step: Step, longest: float, colour: Colour) -> Data:
    spent = _spent(step)
    data: Data = {
        "id": step.id,
        "kind": step.kind,
        "title": step.title,
        "service": step.service,
        "at": steps.offset(step) if step.kind == "message" else "",
        "colour": colour(step.service) if step.kind not in {"unseen", "blocked"} else None,
        "state": step.state if step.kind != "blocked" else "",
        "attempts": step.attempts,
        "problem": urgency(step),
    }
    if step.kind == "message" and spent > 0 and longest > 0:
        # The square root keeps short steps visible beside one that took a hundred times longer.
        length = sqrt(spent / longest)
        data["bar"] = [length * (step.wait_ms or 0.0) / spent, length * (step.work_ms or 0.0) / spent]
    if step.kind == "ghost":
        data["since"] = step.due
    if step.names:
        data["tip"] = "Blocked: " + ", ".join(step.names)
    return data


def _edge(link: Link, placed: Layout, place: int, steps: Steps) -> Data:
    edge: Data = {"s": link.source, "t": link.target, "points": placed.routes[place]}
    if link.missing:
        edge["missing"] = True
        edge["state"] = steps.by_id[link.target].state
    if link.certainty == "inferred":
        edge["inferred"] = True
    if place in placed.backward:
        edge["back"] = True
    return edge


def timeline(steps: Steps, times: Timeline, colour: Colour, *, selected: str | None) -> Data:
    """Draw a flow as rows: hatched while it waited, solid while it worked."""
    rows = []
    said = spoken.labels(steps)
    for bar in times.bars:
        step = bar.step
        rows.append(
            {
                "key": step.id,
                "kind": step.kind,
                "title": step.title,
                "service": "" if step.title == step.service else step.service,
                "depth": bar.depth,
                "wait": round(bar.wait, 5),
                "work": round(bar.work, 5),
                "end": round(bar.end, 5),
                "took": took(step),
                "state": step.state,
                "since": step.due,
                "colour": colour(step.service) if step.kind != "unseen" else None,
                "problem": urgency(step),
                "label": said[step.id],
            }
        )
    idle = [
        {"x0": round(s.x0, 5), "x1": round(s.x1, 5), "label": words.duration(s.t1 - s.t0)}
        for s in times.stretches
        if s.idle
    ]
    ticks = [{"key": text, "x": round(x, 5), "label": text} for x, text in times.ticks]
    return {"rows": rows, "idle": idle, "ticks": ticks, "selected": selected}


def took(step: Step) -> str:
    """Describe how long a step took, or how long it waited if that is most of it."""
    wait, work = step.wait_ms or 0.0, step.work_ms or 0.0
    if step.skew_ms is not None:
        return f"{words.duration(work)}, clocks differ by {words.duration(-step.skew_ms)}"
    if step.wait_ms is None and step.work_ms is None:
        return ""
    about = "~" * (step.across_clocks and wait > 0)
    return about + (
        f"{words.duration(wait)} waiting" if wait > work and wait >= 300 else words.duration(wait + work)
    )


def choreography(
    picture: Picture,
    colour: Colour,
    *,
    by: str,
    link_to: Callable[[Way], Data],
    flows_of: Callable[..., Data],
) -> Data:
    """Draw the process map: an arrow's width shows how often, its colour *by* (p95, waiting or stuck).

    Pills lead where *link_to* says, boxes and arrows to what *flows_of* says of the boxes that they concern.
    """
    boxes = [Box(place.id, *_place_size(place)) for place in picture.places]
    placed = layout(boxes, [(way.source, way.target) for way in picture.ways], gaps=Gaps(14.0, 34.0))
    placed = replace(placed, routes=_apart(picture.ways, placed))
    most = max((way.count for way in picture.ways), default=0) or 1
    nodes = []
    for place, box in zip(picture.places, boxes, strict=True):
        x, y = placed.places[place.id]
        nodes.append(
            {
                "id": place.id,
                "kind": place.kind,
                "x": x,
                "y": y,
                "w": box.width,
                "h": box.height,
                "title": place.title,
                "colour": colour(place.service),
                "count": words.number(place.count),
                "terminal": place.terminal,
                "state": "ghost" if place.kind == "taker" and not place.count else "",
                "label": _place_label(place),
                "sub": _taken(place),
                "tip": "\n\n".join([_place_label(place), *map(_told, place.takers)]),
                "problem": int(any(way.stuck for way in picture.ways if way.target == place.id)),
                "flows": flows_of(place),
                "flowsLabel": f"Flows with {place.title}",
            }
        )
    ways = [_way(way, placed, at, most=most, by=by, link_to=link_to) for at, way in enumerate(picture.ways)]
    known = {place.id: place for place in picture.places}
    for data, way in zip(ways, picture.ways, strict=True):
        data["flows"] = flows_of(known[way.source], known[way.target])
    return {
        "nodes": nodes,
        "edges": ways,
        "bounds": placed.bounds,
        "direction": placed.direction,
        "selected": None,
    }


def _place_label(place: Place) -> str:
    said = f"{place.title}, {words.count(place.count, 'time')}"
    if place.kind != "event":
        return said
    return f"{said}, published by {place.service}" + (f", {_taken(place)}" if place.takers else "")


def _taken(place: Place) -> str:
    return "taken by " + ", ".join(way.service for way in place.takers) if place.takers else ""


def _place_size(place: Place) -> tuple[float, float]:
    if place.kind == "taker":
        return min(len(place.title) * CHARACTER + 34, EVENT[0]), PILL_HEIGHT
    return EVENT[0], EVENT[1] + (TAKERS_HEIGHT if place.takers else 0.0)


def _apart(ways: Sequence[Way], placed: Layout) -> tuple[tuple[Point, ...], ...]:
    """Return the routes of *placed*, spread out where several leave or reach the same side of a box.

    Arrows are up to 8 px thick. A straight arrow stays straight. On each side, the arrow that goes
    farthest is the outermost, so that none of them cross.
    """
    routes = [list(route) for route in placed.routes]
    sides: dict[tuple[str, int, bool], list[tuple[float, int]]] = {}
    for at, way in enumerate(ways):
        if at in placed.backward or len(routes[at]) < 2:
            continue
        for box, end, beside in ((way.source, 0, 1), (way.target, -1, -2)):
            aside = routes[at][beside][0] - routes[at][end][0]
            if abs(aside) >= 1:
                sides.setdefault((box, end, aside > 0), []).append((abs(aside), at))
    for (_, end, right), there in sides.items():
        pace = min(PORT, EVENT[0] / 2 / (len(there) + 1))
        for rank, (_, at) in enumerate(sorted(there), 1):
            x, y = routes[at][end]
            routes[at][end] = (x + rank * (pace if right else -pace), y)
    return tuple(map(tuple, routes))


def _way(way: Way, placed: Layout, at: int, *, most: int, by: str, link_to: Callable[[Way], Data]) -> Data:
    ms = {"p95": way.total_ms, "waiting": way.wait_ms}.get(by)
    step = (4 if way.stuck else 0) if by == "stuck" else palette.latency_step(ms)
    data: Data = {
        "s": way.source,
        "t": way.target,
        "via": way.service,
        "points": placed.routes[at],
        "width": round(1.2 + 6.3 * (way.count / most) ** 0.7, 2),
        "step": step,
        "tip": _told(way),
    }
    if at in placed.backward:
        data["back"] = True
    if way.stuck and not way.count:
        data |= {"missing": True, "state": "stuck"}
    if way.stuck:
        data["stuck"] = f"{words.number(way.stuck)} stuck"
        data["stuckLabel"] = (
            f"{data['stuck']}: {words.count(way.stuck, 'flow')} wait for {way.service} here: show them"
        )
        data["target"] = link_to(way)
    elif ms is not None and ms >= 8000:
        data["label"] = words.duration(ms)
    return data


def _told(way: Way) -> str:
    waited, worked = words.duration(way.wait_ms) or "unknown", words.duration(way.work_ms) or "unknown"
    told = f"{way.service}: {words.count(way.count, 'time')}\np95 waited {waited}, worked {worked}"
    return told + (f"\n{words.count(way.errors, 'error')}" if way.errors else "")
