"""What can be taken along from the page of a flow? Its table, raw spans, its address, other programs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard import guarding, words
from dashboard.drawing import step_table
from dashboard.drawing.steps import steps
from dashboard.taken_along import spans_of
from dashboard.trace_links import TraceLinkError, trace_link
from tests.dashboard.conftest import TRACE_LINK
from tests.dashboard.factories import Story, finding
from tests.dashboard.servers import Dashboard

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def story() -> Story:
    story = Story()
    placed = story.publish("OrderPlaced")
    paid = story.step(placed, "payment", "PaymentCaptured")
    story.react(paid, "ledger", status="error", status_message="502", event_type="PaymentCaptured")
    return story


# In a browser


def chosen_row(page: Page, number: int) -> None:
    """Choose the row *number* of the table, from 1, by its box at the left."""
    table = page.get_by_test_id("stDataFrame")
    place = table.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + 16, place["y"] + 32 * number + 16)


def code(page: Page) -> Locator:
    return page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").locator("code")


def test_a_flow_is_taken_along_as_table_raw_spans_and_links(page: Page, dashboard: Dashboard) -> None:
    """Whoever writes a post-mortem needs what was seen, without a screenshot."""
    page.goto(f"{dashboard.url}/flow?flow=A-110&view=table")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    foot = page.locator(".st-key-table-foot")
    expect(foot).to_contain_text(re.compile(r"\d+ messages, \d+ reactions\."))
    with page.expect_download() as saved:
        foot.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(Path(saved.value.path()).read_text().splitlines()))
    assert saved.value.suggested_filename == "A-110.csv"
    assert rows[0]["event_type"] == "OrderPlaced"
    stock = next(number for number, row in enumerate(rows, 1) if row["event_type"] == "StockReserved")
    assert rows[stock - 1]["kind"] in {"message", "reaction"}

    chosen_row(page, stock)

    expect(page).to_have_url(re.compile("span="))
    heading = page.get_by_role("complementary", name="Inspector").get_by_role("heading", level=2)
    expect(heading).to_contain_text("StockReserved")
    trace = rows[stock - 1]["ref"].split(":")[0]
    away = page.get_by_role("link", name="Open this trace in jaeger.example")
    expect(away).to_have_attribute("href", TRACE_LINK.replace("{trace_id}", trace))
    expect(away).to_have_attribute("rel", re.compile("noopener"))

    page.get_by_role("button", name="Raw spans").click()
    expect(code(page)).to_contain_text("resourceSpans")
    sent = json.loads(code(page).text_content() or "")
    refs = {
        f"{span['traceId']}:{span['spanId']}"
        for resource in sent["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    assert rows[stock - 1]["ref"] in refs
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Link", exact=True).click()
    expect(code(page)).to_contain_text("view=table&span=")
    page.goto((code(page).text_content() or "").strip())
    expect(heading).to_contain_text("StockReserved")
    expect(page.get_by_role("radio", name="Table")).to_be_checked()


# Without one


def test_each_message_reaction_and_missing_step_has_a_row_by_time() -> None:
    told = story()
    flow = told.flow(finding("t:m1", service="shipping", event="ParcelPacked"))
    rows, ids = step_table.rows(steps(flow), flow)

    assert [(row["kind"], row["event_type"], row["service"], row["state"]) for row in rows] == [
        ("message", "OrderPlaced", "order", ""),
        ("missing", "ParcelPacked", "shipping", "stuck"),
        ("reaction", "", "payment", ""),
        ("message", "PaymentCaptured", "payment", ""),
        ("reaction", "PaymentCaptured", "ledger", "failed"),
    ]
    assert ids == ["t:m0", "ghost:0", "t:m1", "t:m1", "t:r1"]
    assert [row["caused_by"] for row in rows] == [
        "",
        "StockReserved",
        "OrderPlaced",
        "payment",
        "PaymentCaptured",
    ]
    assert [row["after_ms"] for row in rows] == [0.0, 0.0, 5.0, 15.0, 20.0]


def test_a_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_table, "MOST_ROWS", 2)
    flow = story().flow()
    rows, ids = step_table.rows(steps(flow), flow)

    assert len(rows) == len(ids) == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("OrderPlaced \u65e5\u672c", "OrderPlaced \u65e5\u672c"),
        ("\u202eevil", "\\u202eevil"),
        ("a\x07\n\u200b\U000e0041", "a\\u0007\\n\\u200b\\udb40\\udc41"),
    ],
)
def test_what_nobody_sees_is_shown(text: str, shown: str) -> None:
    """A name that turns the direction of what follows would say something else than it is."""
    assert words.visible(text) == shown
    assert json.loads(f'"{shown}"') == text


@pytest.mark.parametrize(
    ("text", "safe"), [("=1+1", "'=1+1"), (" @x", "' @x"), ("-5", "'-5"), ("A-1", "A-1"), ("", "")]
)
def test_a_text_is_no_formula_in_a_spreadsheet(text: str, safe: str) -> None:
    assert step_table.harmless(text) == safe


def test_the_spans_of_a_step_are_its_message_and_what_published_it() -> None:
    found = steps(story().flow())

    assert spans_of(found.by_id["t:m1"]) == ["t:m1", "t:r0", "t:r0x"]


def test_a_link_leads_to_the_trace_and_the_span() -> None:
    link = trace_link("https://[::1]:16686/trace/{trace_id}?uiFind={span_id}#x")
    assert link is not None

    assert link.place == "[::1]:16686"
    assert link.to(f"{TRACE.upper()}:{SPAN}") == f"https://[::1]:16686/trace/{TRACE}?uiFind={SPAN}#x"
    assert link.to("f1:x") is None
    assert link.to(None) is None
    assert link.to_trace(TRACE) is None
    plain = trace_link(" http://tempo/{trace_id} ")
    assert plain is not None
    assert plain.to_trace(TRACE) == f"http://tempo/{TRACE}"
    assert trace_link("  ") is None


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("javascript:alert(1)//{trace_id}", "expected http:// or https://"),
        ("ftp://x/{trace_id}", "expected http:// or https://"),
        ("https:///{trace_id}", "expected http:// or https://, a host"),
        ("https://user:pass@x/{trace_id}", "a host without user and password"),
        ("https://{trace_id}.example/", "expected http:// or https://, a host"),
        ("https://x/trace", "expected {trace_id} in it"),
        ("https://x/{trace_id}/{other}", "no other braces"),
        ("https://x/{{trace_id}}", "no other braces"),
        ("https://x/{trace_id!r}", "expected {trace_id} in it"),
        ("https://x/{trace_id}/a b", "spaces, quotes or other characters"),
        ('https://x/{trace_id}"onclick=x', "spaces, quotes or other characters"),
        ("https://x/{trace_id}\u202e", "spaces, quotes or other characters"),
        ("https://x/{trace_id}" + "y" * 2_000, "has 2,020 characters: expected at most 2,000"),
    ],
)
def test_a_link_that_is_not_safe_is_refused_at_start(
    setting: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TraceLinkError, match=re.escape(said)):
        trace_link(setting)

    monkeypatch.setenv("CHOREOSCOPE_TRACE_LINK", setting)
    monkeypatch.setattr(guarding, "own_token", lambda: "a token of sixteen")
    with pytest.raises(SystemExit):
        guarding.refuse_unsafe()
    line = capsys.readouterr().err
    assert line.startswith("choreoscope: CHOREOSCOPE_TRACE_LINK ")
    assert line.count("\n") == 1
    assert "pass@" not in line
