"""Two dozen incidents at once: a row for each, those with the most harm open, the others on demand."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from dashboard.shapes import Cohort, Stuck
from tests.dashboard.factories import SECOND, finding, made
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage, of, short_story, summary


def incidents(count: int) -> Stuck:
    """The one of number 9 has the most flows, then those of 8 and 7; number 0 is the oldest."""
    now = time.time_ns()
    cohorts, findings = [], []
    for number in range(count):
        flows, since = (number if number < 10 else 1) + 1, now - (100 - number) * SECOND
        service, event = f"service{number}", f"Event{number}"
        cohorts.append(
            made(
                Cohort,
                id=str(number),
                triggers=["OrderPlaced"],
                event_type="OrderPlaced",
                missing_service=service,
                next_event_type=event,
                cause="consumer_down",
                sentence=f"{service} has not taken OrderPlaced.",
                flows=flows,
                first_unix_nano=since,
                oldest_unix_nano=since,
            )
        )
        findings += [
            finding("a:b", service, event, flow=f"{number}-{at}", key=f"{number}-{at}", cohort=str(number))
            for at in range(min(flows, 6))
        ]
    return made(Stuck, stuck=findings, cohorts=cohorts, replayed=True, flows=count)


def test_an_incident_is_a_row_and_opens_on_demand(page: Page, theatre: Dashboard, stage: Stage) -> None:
    """24 of them made a page of 9,118 px."""
    stage.documents["/api/v1/stuck"] = lambda: incidents(24)
    stage.documents["/api/v1/summary"] = lambda: summary(states={"stuck": 68})
    page.goto(theatre.url)
    groups = page.locator("[data-ready=true] section.group")
    expect(groups).to_have_count(24)

    heights = groups.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")
    assert heights[3:]
    assert max(heights[3:]) < 64
    assert sum(heights) < 2_700
    opened = page.get_by_role("button", expanded=True)
    expect(opened).to_have_count(3)
    assert [name.split()[0] for name in opened.all_inner_texts()] == ["service9", "service8", "service7"]

    oldest = page.get_by_role("button", name="service0 is down")
    expect(page.get_by_role("link", name="0-0", exact=True)).to_be_hidden()
    oldest.press("Enter")
    expect(page.get_by_role("link", name="0-0", exact=True)).to_be_visible()
    page.get_by_role("button", name="service9 is down").click()
    page.wait_for_timeout(2_500)  # a refresh

    expect(page.get_by_role("link", name="0-0", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="9-0", exact=True)).to_be_hidden()
    expect(opened).to_have_count(3)


def test_the_key_of_a_stuck_flow_stays_on_one_line_of_a_phone(
    page: Page, theatre: Dashboard, stage: Stage
) -> None:
    """A-HBQFHD8C stood on three lines, beside five columns."""
    (cohort,), key = incidents(1).cohorts, "A-HBQFHD8C"
    found = [finding("a:b", "service0", "PaymentCaptured", flow=key, key=key, cohort="0")]
    stage.documents["/api/v1/stuck"] = made(Stuck, stuck=found, cohorts=[cohort], replayed=True, flows=1)
    stage.documents["/api/v1/summary"] = lambda: summary(states={"stuck": 1})
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(theatre.url)

    box = page.get_by_role("link", name=key, exact=True).bounding_box()
    assert box
    assert box["height"] < 24
    group = page.locator("section.group > div")
    assert group.evaluate("(inside) => inside.scrollWidth <= inside.clientWidth")


def test_a_flow_with_many_findings_still_shows_its_drawing(
    page: Page, theatre: Dashboard, stage: Stage
) -> None:
    """A sentence for each of 24 pushed the drawing out of the window."""
    story = short_story()
    ref = story.messages[0].ref
    owed = [finding(ref, f"service{number}", f"Event{number}") for number in range(24)]
    stage.flow("owing", of(story, "owing", state="stuck", findings=owed))
    page.goto(theatre.url + "/flow?flow=owing")
    page.locator("[data-ready=true] .stage").wait_for()

    expect(page.get_by_text("20 more findings: the drawing has a mark for each.")).to_be_visible()
    expect(page.locator(".node.ghost")).to_have_count(24)
    box = page.locator(".stage").bounding_box()
    assert box
    assert box["y"] < 300
