"""Which part of a drawing is seen when it opens? One rule, and nothing but the reader changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from dashboard.shapes import Flow
from dashboard.total_shapes import Map, MapEmit, MapEvent, MapStuck
from tests.dashboard.factories import Story, finding, made
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage, of

SIZES = ((1280, 900), (390, 844), (720, 450), (1440, 900))
# The scale, and where the box of a text lies within the window of the drawing.
SEEN = """(stage, [kind, title]) => {
  const all = [...stage.querySelectorAll(kind)];
  const box = all.find((node) => node.textContent.includes(title)).getBoundingClientRect();
  const port = stage.getBoundingClientRect();
  return {
    scale: Number(/scale\\((.*)\\)/.exec(stage.querySelector('.world').getAttribute('transform'))[1]),
    inside: box.left >= port.left && box.right <= port.right && box.top >= port.top &&
      box.bottom <= port.bottom,
    top: (box.top - port.top) / port.height,
    out: all.map((node) => node.getBoundingClientRect()).filter((one) => one.left < port.left ||
      one.right > port.right || one.top < port.top || one.bottom > port.bottom).length,
    mini: stage.querySelector('.mini').checkVisibility(),
    covers: stage.querySelector('.mini').offsetWidth,
    place: stage.querySelector('.world').getAttribute('transform'),
  };
}"""


def chain(length: int, *, stuck: bool) -> Flow:
    story = Story()
    last = story.publish("Event0")
    for number in range(1, length):
        last = story.step(last, f"service{number % 7}", f"Event{number}")
    if stuck:
        return of(story, "chain", state="stuck", findings=[finding(last, event="Missing")])
    return of(story, "chain")


def fan(width: int) -> Flow:
    story = Story()
    root = story.publish("Event0")
    for number in range(1, width):
        story.step(root, f"service{number % 7}", f"Event{number}")
    return of(story, "fan")


def wide_map(events: int) -> Map:
    """Every event leads to two others, and flows are stuck after one in the middle."""
    names = [f"Event{number}" for number in range(events)]
    emits = [
        made(MapEmit, service=f"s{at % 40}", event_type=names[(at - 1) // 2], emits=names[at], count=9)
        for at in range(1, events)
    ]
    found = [made(MapEvent, event_type=name, count=9, services=["order"]) for name in names]
    stuck = [made(MapStuck, event_type=names[200], missing_service="absent", flows=3)]
    return made(Map, flows=9, flows_in_window=9, events=found, emits=emits, stuck=stuck)


@pytest.mark.parametrize(
    ("path", "answer", "target"),
    [
        ("flows/chain", lambda: chain(40, stuck=True), ("g.ghost", "Missing")),
        ("flows/chain", lambda: chain(40, stuck=False), ("g.node", "Event0")),
        ("flows/fan", lambda: fan(300), ("g.node", "Event0")),
        ("map", lambda: wide_map(360), ("g.taker", "absent")),
    ],
    ids=["stuck chain", "chain", "fan", "map"],
)
def test_a_large_drawing_opens_readable_and_stays(
    page: Page, theatre: Dashboard, stage: Stage, path: str, answer: Callable[[], Any], target: list[str]
) -> None:
    """The same flow opened at 0.12 or at 0.8, and a resize made it small."""
    stage.documents[f"/api/v1/{path}"] = answer()
    page.goto(theatre.url + ("/choreography" if path == "map" else f"/flow?flow={path[6:]}"))
    drawn = page.locator(".stage")
    page.locator("[data-ready=true] .stage").wait_for()

    def seen() -> dict[str, Any]:
        page.wait_for_timeout(400)
        found: dict[str, Any] = drawn.evaluate(SEEN, target)
        return found

    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        opened = seen()
        assert opened["scale"] >= 0.66, (width, opened)
        assert opened["inside"], (width, opened)
        assert opened["mini"]
        if target[1] == "Event0" and path == "flows/chain":
            assert opened["top"] < 0.2, (width, opened)  # and not below an empty half
            assert opened["covers"] < 60  # its copy is a line, and needs no more

    page.wait_for_timeout(1_000)  # what is above takes its place
    opened = seen()
    page.wait_for_timeout(5_000 if path == "map" else 2_000)  # a refresh
    assert seen()["place"] == opened["place"]
    drawn.press("+")
    assert abs((closer := seen())["scale"] - opened["scale"] * 1.25) < 0.01
    page.set_viewport_size({"width": 1200, "height": 800})
    assert seen()["scale"] == closer["scale"]

    drawn.press("f")
    whole: dict[str, Any] = drawn.evaluate(SEEN, ["g.node", target[1]])
    assert whole["out"] == 0
