"""Can names, times and marks be told apart, whatever they are made of and however small the window is?"""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import msgspec
from playwright.sync_api import Page, expect

from dashboard.expectation_shapes import Note
from dashboard.shapes import Cohort, Evidence, Flow, Flows, Stuck
from tests.dashboard.factories import SECOND, Story, finding, made
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage, item, of, summary

PREFIX = "com.example.shop.fulfilment.orders.v1."
HEBREW = "\u05e9\u05d9\u05e8\u05d5\u05ea-\u05ea\u05e9\u05dc\u05d5\u05dd"
# The texts of cards that reach beyond their box.
OVERFLOWING = """(all) => all.filter((node) => {
  const card = node.querySelector('.card').getBoundingClientRect();
  return [...node.querySelectorAll('text')].some((text) => text.getBoundingClientRect().right > card.right);
}).map((node) => node.textContent)"""
# Where the sign of the offset is drawn, and the right edge of what is drawn of the service.
ORDER = """(text) => {
  const sign = text.textContent.indexOf('+');
  const at = (index) => text.getStartPositionOfChar(index).x;
  const service = Math.max(...Array.from({length: sign - 3}, (_, index) => at(index)));
  return { service, sign: at(sign), digit: at(sign + 1), unit: at(text.getNumberOfChars() - 1) };
}"""


def strange() -> Flow:
    """Long names, names from right to left, names of control characters, and four steps at two minutes."""
    story = Story()
    placed = story.publish("OrderPlaced")
    for number in range(4):
        story.step(placed, "payment", f"Paid{number}", wait_ms=123_400.0 + 20 * number)
    for name in ("Accepted", "Rejected", "Returned"):
        story.step(placed, "fulfilment", f"{PREFIX}Order{name}")
    story.step(placed, HEBREW, "Translated")
    story.step(placed, "x" * 60, "\x07" * 30 + "Bell")
    story.react(placed, "\x07" * 30 + "analytics")
    last = story.messages[1].ref
    proofs = [made(Evidence, text="OrderPlaced was published", ref=placed), made(Evidence, text="alone")]
    owed = finding(last, "s" * 60, "\x07" * 30 + "Missing", evidence=proofs)
    return of(story, "strange", state="stuck", findings=[owed])


def test_cards_can_be_told_apart_and_hold_what_is_written_on_them(
    page: Page, theatre: Dashboard, stage: Stage
) -> None:
    stage.flow("strange", strange())
    page.goto(theatre.url + "/flow?flow=strange")
    page.locator("[data-ready=true] .stage").wait_for()

    card = page.locator(".node.message")
    second = [text for text in card.locator(".second").all_text_contents() if text.startswith("payment")]
    assert sorted(second) == [f"payment \u00b7 +2 m 3.4{digit} s" for digit in "1357"]
    titles = [text for text in card.locator(".title").all_text_contents() if text.startswith("com.")]
    assert len(set(titles)) == 3
    assert all(re.search("(Accepted|Rejected|Returned)$", title) for title in titles)
    assert page.locator(".node").evaluate_all(OVERFLOWING) == []
    drawn = card.filter(has_text="Translated").locator(".second").evaluate(ORDER)
    assert drawn["service"] < drawn["sign"] < drawn["digit"] < drawn["unit"]

    proof = page.get_by_role("button", name="OrderPlaced was published")
    colour = "(node) => getComputedStyle(node).color"
    assert proof.evaluate(colour) != page.get_by_text("alone", exact=True).evaluate(colour)

    page.get_by_role("radio", name="Timeline").click()
    rows = page.locator(".row .what")
    rows.first.wait_for()
    tails = rows.evaluate_all("(all) => all.map((one) => one.lastChild.textContent)")
    assert {"cepted", "jected", "turned"} <= set(tails)


def test_keys_and_words_of_a_table_stay_on_one_line(page: Page, theatre: Dashboard, stage: Stage) -> None:
    """Beside a long key, "PaymentCaptured" stood as "PaymentCapt" over "ured", and "29 %" over two lines."""
    long = {"wait_ms": 29.0, "work_ms": 71.0, "last_event_type": "PaymentCaptured", "last_service": "payment"}
    key = "tenant-7/eu-central/order-2026-11-30-000017"
    shown = [item(key), item("Z" * 200, **long)]
    stage.documents["/api/v1/flows"] = made(Flows, flows=shown, total=2)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(theatre.url + "/flows")
    for text in ("PaymentCaptured", "29 %"):
        word = page.locator("td span", has_text=text).last
        assert word.evaluate("(node) => node.getClientRects().length") == 1, text

    page.set_viewport_size({"width": 390, "height": 844})

    box = page.get_by_role("link", name=key).bounding_box()
    assert box
    assert box["height"] < 24


def test_what_was_first_seen_on_another_day_says_so_and_paper_has_no_menu(
    page: Page, theatre: Dashboard, stage: Stage
) -> None:
    now = time.time_ns()
    cohorts = [
        made(Cohort, id=str(days), missing_service=f"service{days}", triggers=["OrderPlaced"], flows=1)
        for days in (0, 3)
    ]
    cohorts = [
        msgspec.structs.replace(one, first_unix_nano=now - int(one.id) * 86_400 * SECOND) for one in cohorts
    ]
    stage.documents["/api/v1/stuck"] = made(Stuck, cohorts=cohorts, replayed=True)
    stage.documents["/api/v1/summary"] = lambda: summary(states={"stuck": 2})
    page.goto(theatre.url)
    seen = page.locator("[data-ready=true] dl > div:last-child time")
    expect(seen).to_have_count(2)

    assert sorted(bool(re.search("[a-zA-Z]{3}", text)) for text in seen.all_text_contents()) == [False, True]

    page.emulate_media(media="print")
    expect(page.get_by_role("banner")).to_be_hidden()
    expect(page.get_by_role("button", name="Break something")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_every_attribute_can_be_had(page: Page, theatre: Dashboard, stage: Stage) -> None:
    """They were cut at 120, in alphabetical order: the body of the message was not among them."""
    body = "{" + "b" * 5_000 + "}"
    many: dict[str, Any] = {f"a{number:03}": f"value {number}" for number in range(200)}
    story = Story()
    story.publish("OrderPlaced")
    story.messages[0] = msgspec.structs.replace(
        story.messages[0], attributes={**many, "messaging.message.body": body}
    )
    counted = itertools.count()

    def growing() -> Flow:  # the inspector changes with each refresh
        notes = [made(Note, kind="doubt", text=f"number {next(counted)}")]
        return msgspec.structs.replace(of(story, "many"), notes=notes)

    stage.documents["/api/v1/flows/many"] = growing
    page.goto(theatre.url + "/flow?flow=many")
    panel = page.get_by_role("complementary", name="Inspector")
    values = panel.locator("dl.pairs").nth(1)
    expect(values.locator("dt").first).to_have_text("messaging.message.body")
    expect(values.locator("dd").first).to_contain_text("all 5002 characters")
    panel.get_by_role("button", name="show all 201").click()
    expect(values.locator("dt")).to_have_count(201)
    values.get_by_role("button", name="all 5002 characters").click()
    expect(values.locator("dd").first).to_have_text(body)

    field = panel.get_by_role("searchbox", name="Search in attributes")
    field.press_sequentially("cr")  # shortcuts of Streamlit
    field.fill("value 19")
    expect(values.locator("dt")).to_have_count(11)
    before = panel.inner_text()
    expect(panel).not_to_have_text(before)
    page.wait_for_timeout(2_500)

    expect(field).to_have_value("value 19")
    expect(field).to_be_focused()
    expect(values.locator("dt")).to_have_count(11)
