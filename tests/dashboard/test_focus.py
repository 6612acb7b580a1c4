"""Where is the focus after a refresh? Who uses the keyboard would begin at the top again, each second."""

from __future__ import annotations

import msgspec
import pytest
from playwright.sync_api import Page, expect

from dashboard.shapes import Cohort, Flow, Stuck
from tests.dashboard.factories import START, finding, made
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage, of, short_story, summary


def two_incidents(flows: int) -> Stuck:
    """Payment and shipping owe something to so many flows."""
    cohorts, findings = [], []
    for service in ("payment", "shipping"):
        said = {
            "missing_service": service,
            "next_event_type": f"{service}Done",
            "sentence": f"{service} is away.",
        }
        said |= {"event_type": "OrderPlaced", "cause": "consumer_down", "id": service}
        cohorts.append(made(Cohort, triggers=["OrderPlaced"], flows=flows, first_unix_nano=START, **said))
        more = {"flow": f"{service}-1", "key": f"{service}-1", "cohort": service}
        findings.append(finding("a:b", service, f"{service}Done", **more))
    return made(Stuck, stuck=findings, cohorts=cohorts, replayed=True, flows=2 * flows)


@pytest.mark.parametrize(
    ("role", "name"), [("button", "Dismiss"), ("link", "Open the oldest flow that waits for shipping")]
)
def test_a_row_that_is_made_anew_keeps_the_focus(
    page: Page, theatre: Dashboard, stage: Stage, role: str, name: str
) -> None:
    stage.documents["/api/v1/summary"] = lambda: summary(states={"stuck": 4})
    stage.documents["/api/v1/stuck"] = two_incidents(2)
    page.goto(theatre.url)
    group = page.get_by_role("region", name="shipping owes shippingDone")
    held = group.get_by_role(role, name=name)  # type: ignore[arg-type]  # of two that are tried
    held.focus()
    held.evaluate("(node) => { window.held = node; }")

    stage.documents["/api/v1/stuck"] = two_incidents(31)
    expect(group).to_contain_text("31")

    expect(held).to_be_focused()
    assert not page.evaluate("window.held.isConnected")  # else it shows nothing


def changed(flow: Flow, *, gone: bool = False) -> Flow:
    """*flow*, in which payment tried three times; or without all after its first message."""
    if gone:
        first = flow.messages[:1]
        return msgspec.structs.replace(flow, messages=first, reactions=[], edges=[])
    paid = [msgspec.structs.replace(one, attempts=3) for one in flow.reactions]
    return msgspec.structs.replace(flow, reactions=paid)


def test_a_box_that_changes_keeps_the_focus_and_one_that_goes_leaves_it_to_the_drawing(
    page: Page, theatre: Dashboard, stage: Stage
) -> None:
    """An attempt more redraws a box; keys went nowhere then."""
    flow = of(short_story(), "A-1")
    stage.flow("A-1", flow)
    page.goto(theatre.url + "/flow?flow=A-1")
    box = page.locator('.hit[aria-label^="PaymentCaptured"]')
    box.click()
    expect(box).to_be_focused()

    stage.flow("A-1", changed(flow))
    expect(page.locator(".node", has=box)).to_contain_text("\u00d73")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator('.hit[aria-label^="OrderPlaced"]')).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")

    stage.flow("A-1", changed(flow, gone=True))
    expect(page.locator(".node")).to_have_count(1)
    expect(page.get_by_role("group", name="Graph of flow A-1")).to_be_focused()
