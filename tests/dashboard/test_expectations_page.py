"""The page Expectations, and what the first page says of them, with expectations made by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from collector.diagnosis.standing import Change, Crowd, Standings
from collector.model.flows import State
from collector.store.clickhouse.embedded import Engine
from collector.store.contracts import Stores
from collector.upkeep.retention import Limits, Retained
from tests.conftest import new_stores
from tests.dashboard.conftest import NASTY
from tests.dashboard.servers import Dashboard
from tests.dashboard.test_apptest import drawn, opened, said, started
from tests.dashboard.test_browser import ready, seen
from tests.factories import NOW, SECOND
from tests.sample_services.harness import free_port
from tests.standing_factories import HOUR, Told, app_of, drop, learning, serving, standing
from tests.stores.contract import flows, put


def known() -> Standings:
    """Of a shop that a reader looks at now. One name tries to be more than text."""
    now = time.time_ns()
    dates: dict[str, Any] = {"since": now - 48 * HOUR, "kept": now - 5 * SECOND}
    learned = (Change(now - 40 * HOUR, "always", "taken by 20 of 20"),)
    weaker = (*learned, Change(now - HOUR, "sometimes", "taken by 18 of 60"))
    return Standings(
        (
            standing(**dates, history=learned),
            standing(kind="event", event_type="PaymentCaptured", **dates),
            standing("audit", state="sometimes", share=0.3, deadline_ms=None, **dates, history=weaker),
            learning(**dates),
            standing("nightly", "OrderShipped", **{**dates, "kept": now - 26 * HOUR}, disused=True),
            standing(NASTY, "OrderPlaced", kept=0, since=0),  # neither is known
        ),
        (drop(since=now - 60 * SECOND), drop("follow", event_type=NASTY, flows=())),
    )


@pytest.fixture
def told() -> Told:
    told = Told(known())
    told.snapshot = replace(told.snapshot, now=time.time_ns())
    return told


@pytest.fixture
def stores(engine: Engine) -> Iterator[Stores]:
    with new_stores(engine) as opened_:
        yield opened_()


@pytest.fixture
def api(told: Told, stores: Stores) -> Iterator[str]:
    with serving(app_of(told, stores)) as address:
        yield address


@pytest.fixture
def app(api: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The dashboard without a browser."""
    yield from started(api, monkeypatch)


@pytest.fixture
def beside(api: str, tmp_path: Path) -> Iterator[Dashboard]:
    dashboard = Dashboard(tmp_path, api, f"http://127.0.0.1:{free_port()}")
    dashboard.run()
    yield dashboard
    dashboard.stop()


def body(app: AppTest) -> dict[str, Any]:
    return drawn(app, "expectations")


def notices(app: AppTest) -> list[str]:
    """The texts of all notices."""
    sent = [json.loads(element.proto.json) for element in app.get("bidi_component")]
    found = [data for data in sent if data["kind"] == "notice"]
    return [" | ".join(map(said, [data.get("title", []), *data.get("lines", [])])) for data in found]


def services(app: AppTest) -> list[str]:
    return [said(row["texts"][0]) for row in body(app)["rows"]]


def test_the_first_page_says_what_its_calm_rests_on(app: AppTest) -> None:
    """Never "Nothing is stuck." alone while less happens than normally."""
    app.run()

    head = drawn(app, "stuck")["head"]
    assert said(head["title"]) == "No flow is stuck, but less happens than normally."
    fallen, _, rests = map(said, head["lines"])
    assert fallen.startswith("audit normally takes 30 % of StockReserved; it took 0 of the last 60.")
    assert rests.startswith("Rests on 4 expected steps; 1 still learning; 1 watched as a share; 1 changed in")
    assert {"text": "Show them", "target": {"page": "expectations"}} in head["lines"][-1]
    assert "met" not in drawn(app, "stuck")["groups"][0]["calm"]


def test_the_first_page_is_calm_only_where_something_is_expected(app: AppTest, told: Told) -> None:
    told.snapshot = replace(told.snapshot, standings=Standings((standing(),)))
    app.run()
    assert said(drawn(app, "stuck")["head"]["title"]) == "Nothing is stuck."
    assert said(drawn(app, "stuck")["head"]["lines"][0]) == "Rests on 1 expected step. Show them"

    told.snapshot = replace(told.snapshot, standings=Standings((learning(),)))
    time.sleep(0.6)  # one answer serves all viewers of half a second
    app.run()
    assert said(drawn(app, "stuck")["head"]["title"]) == "Nothing can be called stuck yet."


def test_the_first_page_says_what_left_it_with_its_spans(app: AppTest, told: Told, stores: Stores) -> None:
    """Never "Nothing is stuck." alone while flows that stopped are no longer listed."""
    told.snapshot = replace(told.snapshot, standings=Standings((standing(),)))
    put(stores.flows, flows("A-1", "A-2", received=NOW, begun=NOW), State.STUCK)
    told.retained = Retained(since=NOW + SECOND, days=1, limits=Limits(14, 10**9, 90, 10**6))
    app.run()

    head = drawn(app, "stuck")["head"]
    assert said(head["title"]) == "Nothing newer is stuck."
    assert said(head["lines"][0]).startswith(
        "2 flows that stopped before 2026-11-18 are no longer listed here"
    )
    assert head["lines"][0][-1] == {"text": "Show them", "target": {"page": "flows", "state": "stuck"}}
    assert "met" not in drawn(app, "stuck")["groups"][0]["calm"]
    opened(app, "flow", flow="A-1")
    lines = [said(line) for line in drawn(app, "head")["lines"]]
    assert lines == [
        "It stopped after OrderPlaced. 1 message, 0 reactions.",
        "Its spans are no longer kept: all of them were received before 2026-11-18.",
    ]
    assert notices(app)[-1].startswith(
        "Nothing of this flow is left to draw. | The last thing known of it happened"
    )
    opened(app, "flows")
    kept = "Spans of the last 14 days are kept, at most 1.0 GB; the oldest is of 2026-11-18."
    assert drawn(app, "flows")["showing"] == f"Showing 2 of 2 flows. {kept}"


def test_the_first_page_is_not_calm_about_what_a_limit_leaves_out(app: AppTest, told: Told) -> None:
    """What is counted together may be stuck, and nobody would know."""
    crowd = Crowd("More than 2,000 services were seen.", NOW)
    told.snapshot = replace(told.snapshot, standings=Standings((standing(),), crowds=(crowd,)))
    app.run()

    assert said(drawn(app, "stuck")["head"]["title"]) == "Nothing is known to be stuck."
    assert said(drawn(app, "stuck")["head"]["lines"][0]) == crowd.text


def test_the_page_lists_what_is_expected(app: AppTest) -> None:
    opened(app, "expectations")

    shown = body(app)
    assert said(shown["head"]["title"]) == "4 steps are expected."
    rows = {(said(row["texts"][0]), said(row["texts"][2])): row for row in shown["rows"]}
    assert [said(parts) for parts in rows["audit", ""]["texts"]] == [
        "audit",
        "StockReserved",
        "",
        "sometimes 30 %",
    ]
    assert [said(parts) for parts in rows["payment", "PaymentCaptured"]["numbers"]] == [
        *("100 %", "1,234", "80 ms", "240 ms", "5.00 s", "\u2026", "\u2026", "0 of 60"),
    ]
    counts = {pill["key"]: pill["count"] for pill in shown["pills"]}
    assert counts == {
        "learning": "1",
        "always": "4",
        "sometimes": "1",
        "declared": "0",
        "forgotten": "0",
        "not seen": "1",
    }
    assert "nightly after OrderShipped was not seen for \u2026: still expected; forget it?" in map(
        said, shown["head"]["lines"]
    )
    assert notices(app)[0].startswith(
        " | audit normally takes 30 % of StockReserved; it took 0 of the last 60."
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ({"q": "PAYM"}, ["payment", "payment"]),
        ({"state": "learning"}, ["mailer"]),
        ({"state": "not seen"}, ["nightly"]),
        ({"service": "Audit"}, ["audit"]),
        ({"event_type": "stockreserved"}, ["audit", "payment", "payment"]),
        ({"event_type": "StockReserved", "q": "audit"}, ["audit"]),
        ({"state": "nonsense", "service": "mailer"}, ["mailer"]),
    ],
)
def test_the_address_narrows_it(app: AppTest, address: dict[str, str], found: list[str]) -> None:
    opened(app, "expectations", **address)

    assert services(app) == found
    assert not app.button


def test_what_matches_nothing_can_be_cleared(app: AppTest) -> None:
    opened(app, "expectations", service="nobody")

    assert notices(app)[-1] == "No step matches."
    assert services(app) == []


def test_one_step_shows_why_and_what_changed(app: AppTest) -> None:
    opened(app, "expectations", service="audit", event_type="StockReserved")

    (detail,) = [text for text in notices(app) if text.startswith("Why, and what changed")]
    assert "audit takes StockReserved: sometimes, in 30 % of 1,234 cases." in detail
    assert detail.index("taken by 18 of 60") < detail.index("taken by 20 of 20")


def decided(app: AppTest, button: str, author: str = "ada", reason: str = "it was retired") -> None:
    app.text_input(key="expected_author").input(author)
    next(one for one in app.text_input if one.label.startswith("Reason")).input(reason)
    press(app, button)


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception


def test_a_step_is_forgotten_only_after_it_was_asked_again(app: AppTest, told: Told, stores: Stores) -> None:
    """The names in a link may have another case: what is stored has that of the spans."""
    opened(app, "expectations", service="PAYMENT", event_type="StockReserved")
    decided(app, "Forget")
    assert stores.decisions.all() == []
    assert "Forget all that is expected of PAYMENT after StockReserved?" in notices(app)[-1]
    press(app, "No")
    assert (stores.decisions.all(), len(app.button)) == ([], 2)

    decided(app, "Forget")
    press(app, "Yes, forget it")

    (stored,) = stores.decisions.all()
    assert (stored.word, stored.service, stored.event_type) == ("forget", "payment", "StockReserved")
    assert (stored.author, stored.reason) == ("ada", "it was retired")
    assert told.decided == [stored]
    assert "Forgotten, as ada said." in notices(app)[-1]
    assert [said(row["texts"][3]) for row in body(app)["rows"]] == ["forgotten", "forgotten"]
    assert any("no longer expected: it was retired (ada)" in text for text in notices(app))


def test_a_step_is_kept(app: AppTest, stores: Stores) -> None:
    opened(app, "expectations", service="audit", event_type="StockReserved")
    decided(app, "Keep", reason="it is paid for")

    assert [(one.word, one.reason) for one in stores.decisions.all()] == [("keep", "it is paid for")]
    assert "Kept, as ada said." in notices(app)[-1]


@pytest.mark.parametrize(("author", "reason"), [("", "r"), ("ada", " ")])
def test_nothing_changes_without_a_name_and_a_reason(
    app: AppTest, stores: Stores, author: str, reason: str
) -> None:
    opened(app, "expectations", service="audit", event_type="StockReserved")
    for button in ("Forget", "Keep"):
        decided(app, button, author, reason)
        assert "a name and a reason are needed" in notices(app)[-1]

    assert stores.decisions.all() == []


def test_what_the_collector_refuses_is_said(app: AppTest, told: Told, stores: Stores) -> None:
    opened(app, "expectations", service="audit", event_type="StockReserved")
    told.replayed.clear()
    decided(app, "Keep")

    assert "Nothing was changed: The collector has just started" in notices(app)[-1]


def test_a_reader_finds_and_forgets_a_step(beside: Dashboard, page: Page, stores: Stores) -> None:
    """From the first page to the step, in which nothing is cut off, and back to what it says then."""
    page.goto(beside.url)
    ready(page, "stuck")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        ["No flow is stuck, but less happens than normally.", " 1 s ago"][0]
    )
    page.get_by_role("link", name="Show them").click()
    ready(page, "expectations")
    assert page.url == f"{beside.url}/expectations"
    expect(page.get_by_text(seen(NASTY)).first).to_be_attached()
    expect(page.locator("tbody tr")).to_have_count(6)

    page.get_by_role("button", name="sometimes 1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody tr").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is expected of audit after StockReserved")
    for width in (390, 720, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        expect(page.get_by_role("button", name="Forget", exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    page.get_by_label("Your name").fill("ada")
    page.get_by_label("Reason").fill("**it** was <b>retired</b>")
    page.get_by_role("button", name="Forget", exact=True).click()
    page.get_by_role("button", name="Yes, forget it").click()

    expect(page.get_by_text("Forgotten, as ada said.")).to_be_visible()
    expect(page.get_by_text("**it** was <b>retired</b> (ada)")).to_be_visible()
    assert [one.service for one in stores.decisions.all()] == ["audit"]
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("4 steps are expected.")
