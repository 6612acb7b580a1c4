"""Can a person dismiss what stopped, by group and by flow, and see who did it and why?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from collector.diagnosis.standing import Standings
from tests.conftest import Engines, new_database
from tests.dashboard.conftest import NASTY
from tests.dashboard.servers import Dashboard
from tests.dashboard.test_apptest import drawn, opened, said, started
from tests.dashboard.test_browser import ready
from tests.sample_services.harness import free_port
from tests.scenes import Watch
from tests.standing_factories import Told, app_of, serving
from tests.test_dismissing import stopped


@pytest.fixture(scope="module")
def watch(engines: Engines) -> Iterator[Watch]:
    """Payment did not take A-0, A-1 and A-2, nor fraud B-0."""
    with new_database(engines.on_folder()) as database:
        watch = Watch(database)
        watch.learn()
        yield stopped(watch)


@pytest.fixture
def api(watch: Watch) -> Iterator[str]:
    for table in ("dismissals", "dismissed_flows"):
        watch.database.execute(f"TRUNCATE TABLE {table}")
    told = Told(Standings())
    told.snapshot = watch.snapshot
    with serving(app_of(told, watch.stores)) as address:
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


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click()
    app.run()


def test_a_flow_is_dismissed_on_its_page_and_shown_again(app: AppTest) -> None:
    """What a person wrote is text: nothing of it becomes more."""
    opened(app, "flow", flow="A-0")
    press(app, "Dismiss")
    app.text_input(key="expected_author").input("ada")
    app.text_input[-1].input(NASTY)
    next(button for button in app.button if button.label == "Dismiss" and button.key != "dismiss").click()
    app.run()

    head = drawn(app, "head")
    assert head["lines"][0][0]["text"] == "Dismissed by ada "
    assert said(head["lines"][0]).endswith(f" ago: {NASTY}")
    assert "payment" in said(head["lines"][1])
    opened(app, "flows", state="dismissed")
    (row,) = drawn(app, "flows")["rows"]
    assert (row["name"], row["state"], row["waiting"]) == ("A-0", "stuck", None)
    assert said(row["outcome"]) == f"by ada \u2026 ago: {NASTY[:59]}\u2026"
    assert row["chips"] == [{"text": "dismissed", "title": NASTY}]
    opened(app, "flow", flow="A-0")
    press(app, "Show again")
    assert [button.label for button in app.button].count("Show again") == 2


def test_nothing_is_dismissed_without_a_name_and_a_reason(app: AppTest, watch: Watch) -> None:
    opened(app, "flow", flow="A-0")
    press(app, "Dismiss")
    next(button for button in app.button if button.label == "Dismiss" and button.key != "dismiss").click()
    app.run()

    assert watch.stores.dismissals.said() == []


def test_a_group_is_dismissed_in_the_browser(beside: Dashboard, page: Page, watch: Watch) -> None:
    """The main job of a broom: never mind these three."""
    page.goto(beside.url)
    ready(page, "stuck")
    expect(page.get_by_role("heading", level=1)).to_contain_text("4 flows are stuck")
    group = page.get_by_role("region", name="payment owes PaymentCaptured")
    group.get_by_role("button", name="Dismiss").click()

    expect(page.get_by_role("heading", name="Never mind 3 flows that wait for payment")).to_be_visible()
    page.get_by_label("Your name").fill("ada")
    page.get_by_label("Reason, for those who read it beside the flow").fill("a load test")
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Dismiss").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("1 flow is stuck")
    expect(page.get_by_text("3 flows dismissed, as ada said.")).to_be_visible()
    page.get_by_role("link", name="3 dismissed").click()
    ready(page, "flows")
    expect(page.get_by_role("row")).to_have_count(4)
    expect(page.get_by_role("row").nth(1)).to_contain_text("a load test")
    (said_,) = watch.stores.dismissals.said()
    assert (said_.author, said_.reason, said_.incident.split(",")[0]) == (
        "ada",
        "a load test",
        "payment after StockReserved",
    )
