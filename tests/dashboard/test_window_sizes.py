"""Every page at the sizes of a phone, of a window at 200 %, of a laptop and of a wall: nothing is cut off."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from dashboard.expectation_shapes import Expectations, ExpectedStep
from dashboard.total_shapes import Map, MapEmit, MapEvent
from tests.dashboard.accessible import serious
from tests.dashboard.factories import finding, made
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage, of, short_story

# The second is a window of 1440x900 at 200 %.
SIZES = ((390, 844), (720, 450), (900, 844), (1280, 844), (1440, 900), (2560, 1440))
# The names of all controls and marks of which a part is hidden by something around them, or lies outside.
CLIPPED = """() => {
  const hosts = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')];
  const within = (root) => [...root.querySelectorAll('button, [role=radio], .legend span, a.plain')];
  const hides = (node) => node instanceof Element && getComputedStyle(node).overflowX === 'hidden';
  const above = (node) => node.assignedSlot || node.parentElement || node.getRootNode().host;
  return [document, ...hosts.map((host) => host.shadowRoot)].flatMap(within).filter((node) => {
    if (!node.checkVisibility() || node.closest('header')) return false;
    if (node.closest('.sheet')) return false;  // a table is scrolled sideways
    const box = node.getBoundingClientRect();
    if (box.left < 0 || box.right > innerWidth) return true;
    for (let at = above(node); at; at = above(at)) {
      const edge = at.getBoundingClientRect();
      if (hides(at) && box.right > edge.right + 1) return true;
    }
    return false;
  }).map((node) => node.textContent).filter(Boolean);
}"""
# Pairs of texts of which one lies on the other.
COVERED = """() => {
  const visible = (node) => node.checkVisibility();
  const find = (kind) => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .flatMap((host) => [...host.shadowRoot.querySelectorAll(kind)]).filter(visible);
  const others = [...document.querySelectorAll('main button, [data-testid=stMain] button')].filter(visible);
  const [texts, controls] = [find('h1, .checked, .lead, .row .name'), [...others, ...find('.took')]];
  const box = (node) => node.getBoundingClientRect();
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 &&
    b.top < a.bottom - 1;
  return controls.flatMap((one) => texts.filter((text) => meet(box(one), box(text))).map(
    (text) => `${one.textContent} on ${text.textContent}`));
}"""


@pytest.fixture
def shown(stage: Stage) -> Stage:
    """A flow that is stuck, and a map."""
    story = short_story()
    reserved = story.publish("StockReserved", "inventory", at_ms=60)
    stage.flow("A-1", of(story, "A-1", state="stuck", findings=[finding(reserved)]))
    events = [made(MapEvent, event_type=name, count=9, services=["order"]) for name in ("Placed", "Paid")]
    emits = [made(MapEmit, service="payment", event_type="Placed", emits="Paid", count=9)]
    step = made(ExpectedStep, kind="reaction", event_type="Placed", service="payment", state="always")
    stage.documents["/api/v1/expectations"] = made(Expectations, expectations=[step], replayed=True)
    stage.documents["/api/v1/map"] = made(Map, flows=9, flows_in_window=9, events=events, emits=emits)
    return stage


@pytest.mark.parametrize(
    ("address", "drawn"),
    [
        ("/flow?flow=A-1", ".stage"),
        ("/flow?flow=A-1&view=timeline", ".timeline"),
        ("/choreography", ".stage"),
        ("/", ".tiles"),
        ("/flows", "table"),
        ("/expectations", "table"),
    ],
)
def test_a_page_can_be_used_at_every_width(
    page: Page, theatre: Dashboard, shown: Stage, address: str, drawn: str
) -> None:
    """Below 901 px graph and map had no height, and a button of the switch could not be read.

    What those who do not see or point cannot use, axe-core finds.
    """
    page.goto(theatre.url + address)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.locator(f"[data-ready=true] {drawn}").wait_for()
        page.wait_for_timeout(150)  # what is beside it is laid out anew

        box = page.locator(drawn).bounding_box()
        assert box
        if drawn in {".stage", ".timeline"}:
            assert box["height"] >= 300, width
        assert box["width"] >= min(width - 400, 330), width
        assert page.evaluate(CLIPPED) == [], width
        assert page.evaluate(COVERED) == [], width
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    assert serious(page) == []
