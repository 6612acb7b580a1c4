"""What does a reader see while the collector is slow, answers one question late, or answers nothing?"""

from __future__ import annotations

import re
import time

import httpx
import pytest
from playwright.sync_api import Page, expect

from dashboard import client
from dashboard.client import Answered, Api, SlowError, UnreachableError
from dashboard.page import old
from dashboard.total_shapes import Map, MapEvent
from tests.dashboard.factories import made
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage

# From now on, notes 20 times a second where our drawings stand, and which skeletons there are.
WATCH = """() => {
  window.places = new Set();
  window.skeletons = 0;
  setInterval(() => {
    const all = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')];
    const tops = all.map((one) => Math.round(one.getBoundingClientRect().top));
    window.places.add(tops.join(' '));
    window.skeletons += document.querySelectorAll('.stSkeleton').length;
  }, 50);
}"""
QUESTIONS = ("summary", "stuck", "flows", "flows/A-1", "map")


def opened(page: Page, theatre: Dashboard, address: str) -> None:
    page.goto(theatre.url + address)
    page.locator(".cs[data-ready=true]").last.wait_for()
    page.wait_for_timeout(1200)  # the drawing takes its place


@pytest.mark.parametrize("address", ["/", "/flows", "/flow?flow=A-1"])
def test_a_slow_refresh_moves_nothing(page: Page, theatre: Dashboard, stage: Stage, address: str) -> None:
    """A skeleton of 560 px stood above the content whenever an answer took more than 200 ms."""
    opened(page, theatre, address)
    page.evaluate(WATCH)

    stage.slow |= {f"/api/v1/{question}": 0.5 for question in QUESTIONS}
    page.wait_for_timeout(4_000)

    assert page.evaluate("window.skeletons") == 0
    assert len(page.evaluate("[...window.places]")) == 1


def test_a_skeleton_stands_where_nothing_was_shown(page: Page, theatre: Dashboard, stage: Stage) -> None:
    stage.slow["/api/v1/flows"] = 4.0

    page.goto(theatre.url + "/flows?q=first")

    expect(page.locator(".stSkeleton")).to_be_visible()
    page.locator(".cs-flows[data-ready=true]").wait_for()
    expect(page.locator(".stSkeleton")).to_have_count(0)
    stage.slow.clear()
    page.wait_for_timeout(500)
    page.evaluate(WATCH)
    page.wait_for_timeout(3_000)  # a refresh, which needs no skeleton
    assert len(page.evaluate("[...window.places]")) == 1


def test_one_slow_answer_is_called_slow_by_its_name(page: Page, theatre: Dashboard, stage: Stage) -> None:
    """The page said "No answer from the collector" while every other question was answered."""
    opened(page, theatre, "/")
    page.evaluate(WATCH)

    stage.slow["/api/v1/stuck"] = 6.0
    strip = page.get_by_role("status")
    expect(strip).to_contain_text("The answer about what is stuck is slow: what is shown is")
    expect(page.get_by_text("No answer from the collector")).to_have_count(0)
    stage.slow.clear()
    expect(strip).to_have_count(0)

    moved = {place.split(" ")[-1] for place in page.evaluate("[...window.places]")}
    assert len(moved) == 1  # that of the drawing: the strip lies over it


def test_silence_is_said_and_controls_keep_what_was_chosen(
    page: Page, theatre: Dashboard, stage: Stage
) -> None:
    event = made(MapEvent, event_type="OrderPlaced", count=9, services=["order"])
    stage.documents["/api/v1/map"] = made(Map, flows=9, flows_in_window=9, events=[event])
    opened(page, theatre, "/choreography")
    stage.silent = True
    expect(page.get_by_role("status")).to_contain_text("No answer from the collector for")

    page.get_by_role("radio", name="Services").click()

    page.locator(".node.service").wait_for()
    page.wait_for_timeout(6_000)  # a refresh
    expect(page.get_by_role("radio", name="Services")).to_be_checked()
    expect(page).to_have_url(re.compile("level=service"))
    stage.silent = False
    expect(page.get_by_role("status")).to_have_count(0)


def test_controls_are_there_before_the_first_answer(page: Page, theatre: Dashboard, stage: Stage) -> None:
    stage.slow["/api/v1/flows/A-9"] = 6.0
    stage.documents["/api/v1/flows/A-9"] = stage.documents["/api/v1/flows/A-1"]
    page.goto(theatre.url + "/flow?flow=A-9")

    page.get_by_role("radio", name="Timeline").click()

    expect(page.locator(".stSkeleton")).to_be_visible()
    page.locator(".cs-timeline[data-ready=true]").wait_for()
    expect(page.get_by_role("radio", name="Timeline")).to_be_checked()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than 0.3 s."""
    monkeypatch.setattr(client, "TIMEOUT", httpx.Timeout(0.3))
    usual = Api._ask.__kwdefaults__ or {}
    monkeypatch.setattr(Api._ask, "__kwdefaults__", {**usual, "timeout": client.TIMEOUT})


def test_silence_begins_with_the_first_question_that_nobody_answered(stage: Stage) -> None:
    """Counted from a question's last answer, an hour in which nobody looked was an hour of silence."""
    api = Api(stage.url)
    api.map()
    api._held[next(iter(api._held))].answered -= 3_600.0
    api._held[next(iter(api._held))].asked -= 3_600.0

    stage.silent = True
    answer = api.map()

    assert isinstance(answer.problem, UnreachableError)
    assert answer.silent_s < 5.0
    assert answer.age_s >= 3_600.0
    api.close()


def test_while_nobody_answers_no_question_waits_for_its_own_limit(stage: Stage) -> None:
    """A page asked one thing after another of a collector that hung: for 37 s it said nothing."""
    api = Api(stage.url)
    stage.silent = True
    with pytest.raises(UnreachableError):
        api.summary()
    stage.asked.clear()

    with pytest.raises(UnreachableError):
        api.flow("A-1")

    assert stage.asked == ["/healthz"]
    api.close()


def test_one_silence_is_said_once() -> None:
    """Two questions of a page said "for 12.5 s" and "for 18.5 s" beside each other."""
    gone = UnreachableError("nobody")
    first, second = Answered(1, 12.5, gone, 40.0, "the figures"), Answered(2, 18.5, gone, 33.0, "this flow")

    assert old(first, second) == ["No answer from the collector for 18.5 s, retrying."]
    assert old(first, Answered(3)) == ["No answer from the collector for 12.5 s, retrying."]


@pytest.mark.usefixtures("hasty")
def test_a_slow_answer_is_no_silence(stage: Stage) -> None:
    api = Api(stage.url)
    api.stuck()
    time.sleep(0.6)
    stage.slow["/api/v1/stuck"] = 1.0

    answer = api.stuck()

    assert isinstance(answer.problem, SlowError)
    assert (answer.about, answer.silent_s) == ("what is stuck", 0.0)
    assert answer.age_s > 0
    stage.slow["/api/v1/map"] = 1.0
    with pytest.raises(SlowError, match=r"No answer about the choreography within 0\.3 s"):
        api.map()
    api.close()


def test_what_nobody_answered_is_asked_again_as_soon_as_anything_is(stage: Stage) -> None:
    api = Api(stage.url)
    api.map()
    api._held[next(iter(api._held))].asked -= 60.0
    stage.silent = True
    assert api.map().problem

    stage.silent = False
    api.summary()

    assert api.map().problem is None
    api.close()
