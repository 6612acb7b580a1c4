"""Each page runs, says its headline and sends its drawing, with a real collector behind it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.client import Answered, Api
from dashboard.expectation_shapes import ServiceNote
from dashboard.shapes import Stuck, Unexplained
from dashboard.total_shapes import ConnectionProblem, Connections, SpanCounts, Summary
from tests.dashboard.factories import made
from tests.dashboard.servers import ROOT, Collector
from tests.sample_services.harness import free_port


@pytest.fixture
def app(watched: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The dashboard without a browser."""
    yield from started(watched.api, monkeypatch)


@pytest.fixture
def lonely(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The dashboard without a collector."""
    yield from started(f"http://127.0.0.1:{free_port()}", monkeypatch)


def started(api: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("CHOREOSCOPE_API", api)
    monkeypatch.setenv("CHOREOSCOPE_SHOP", f"http://127.0.0.1:{free_port()}")
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "dashboard" / "frame.py"), default_timeout=20)
    st.cache_resource.clear()


def opened(app: AppTest, name: str, /, **address: str) -> AppTest:
    """Open the page *name* at *address*."""
    app.run()
    app.switch_page(str(ROOT / "dashboard" / "views" / f"{name}_page.py"))
    for part, value in address.items():
        app.query_params[part] = value
    app.run()
    assert not app.exception
    return app


def drawn(app: AppTest, kind: str) -> dict[str, Any]:
    """Return what was sent to be drawn as *kind*."""
    sent = [json.loads(element.proto.json) for element in app.get("bidi_component")]
    found = [data for data in sent if data["kind"] == kind]
    assert len(found) == 1, [data["kind"] for data in sent]
    return dict(found[0])


def said(parts: list[dict[str, Any]]) -> str:
    return "".join(part.get("text", "\u2026") for part in parts)


def test_the_first_page_knows_nothing_until_the_collector_has_replayed(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a start nothing is known about what was stuck before, so an empty list is no good news."""
    summary, stuck = Api.summary, Api.stuck
    states: dict[str, int] = {}

    def just_started(api: Api) -> Answered[Summary]:
        answered = summary(api)
        nothing = {"replayed": False, "replay_share": 0.45, "states": states, "spans": made(SpanCounts)}
        return replace(answered, value=msgspec.structs.replace(answered.value, **nothing))

    def none(api: Api, *, each: int = 6) -> Answered[Stuck]:
        answered = stuck(api, each=each)
        return replace(answered, value=msgspec.structs.replace(answered.value, stuck=[], cohorts=[]))

    monkeypatch.setattr(Api, "summary", just_started)
    monkeypatch.setattr(Api, "stuck", none)
    app.run()

    body = drawn(app, "stuck")
    assert said(body["head"]["title"]) == "Nothing is known yet."
    assert "goes through what it had stored: 45 %." in body["groups"][0]["calm"]

    states["stuck"] = 1_000
    app.run()
    body = drawn(app, "stuck")
    assert said(body["head"]["title"]) == "1,000 flows are stuck, as far as it was known before."
    assert "goes through what it had stored: 45 %." in body["groups"][0]["calm"]

    told = drawn(opened(app, "flow", flow="A-200"), "head")["lines"]
    assert "goes through what it had stored: 45 %. This flow is shown as it was known" in said(told[-1])
    told = drawn(opened(app, "flow", flow="Z-999"), "notice")["lines"]
    assert "goes through what it had stored: 45 %. It may not have arrived yet" in said(told[0])
    told = drawn(opened(app, "flow", flow="A-100"), "head")["lines"]
    assert "had stored" not in said(told[-1])  # it is done
    assert drawn(opened(app, "flows"), "flows")["showing"].endswith("goes through what it had stored: 45 %.")


def test_nothing_is_called_still_learned_beside_flows_that_stopped(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said "1,000 flows are stuck." and below that nothing can be called stuck yet."""
    summary, stuck = Api.summary, Api.stuck
    left = made(Unexplained, flows=1_000, sentence="1,000 flows are stuck or have failed.")

    def little_known(api: Api) -> Answered[Summary]:
        answered = summary(api)
        learning = msgspec.structs.replace(answered.value.learning, expectations=0)
        changed = msgspec.structs.replace(answered.value, states={"stuck": 1_000}, learning=learning)
        return replace(answered, value=changed)

    def none(api: Api, *, each: int = 6) -> Answered[Stuck]:
        answered = stuck(api, each=each)
        changed = msgspec.structs.replace(answered.value, stuck=[], cohorts=[], unexplained=left)
        return replace(answered, value=changed)

    monkeypatch.setattr(Api, "summary", little_known)
    monkeypatch.setattr(Api, "stuck", none)
    app.run()

    body = drawn(app, "stuck")
    assert said(body["head"]["title"]) == "1,000 flows are stuck."
    assert any(said(line).startswith(left.sentence) for line in body["head"]["lines"])
    assert body["groups"][0]["calm"] == "Which service each of them waits for is not known any more."


def test_what_may_be_wrong_with_spans_is_said_with_what_mends_it(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only while something is: the first three, and the command that has all."""
    problems: list[ConnectionProblem] = []

    def told(api: Api) -> Answered[Any]:
        answered: Answered[Any] = api.summary()
        return replace(answered, value=made(Connections, flows=1_204, problems=problems))

    monkeypatch.setattr(Api, "connections", told)
    app.run()
    assert not [one for one in app.get("bidi_component") if '"notice"' in one.proto.json]

    for number in range(5):
        sentence = f"shipping handles <b>d{number}</b> without a context."
        problems.append(made(ConnectionProblem, sentence=sentence, fix="Read the headers."))
    app.run()
    notice = drawn(app, "notice")

    assert said(notice["title"]) == "5 things may be wrong with what services send."
    lines = [said(line) for line in notice["lines"]]
    assert lines[0] == "shipping handles <b>d0</b> without a context. Read the headers."
    assert not any("mark" in part for line in notice["lines"] for part in line)  # it would be shortened
    assert len(lines) == 4
    assert "1,204 flows" in lines[3]
    assert notice["commands"][0]["text"].endswith("choreoscope doctor")


def test_what_ended_flows_are_owed_is_said_of_the_service(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled order is not stuck because fraud never answered; that fraud never did is no calm either."""
    summary, stuck = Api.summary, Api.stuck
    text = "fraud did not react to OrderPlaced in 12 flows that had ended (OrderCancelled)."
    note = made(ServiceNote, kind="ended_flows_owed", service="fraud", text=text, flows=["A-12"])

    def calm(api: Api) -> Answered[Summary]:
        answered = summary(api)
        return replace(answered, value=msgspec.structs.replace(answered.value, states={"done": 40}))

    def none(api: Api, *, each: int = 6) -> Answered[Stuck]:
        answered = stuck(api, each=each)
        rests = msgspec.structs.replace(answered.value.rests_on, notes=[note])
        changed = msgspec.structs.replace(answered.value, stuck=[], cohorts=[], drops=[], rests_on=rests)
        return replace(answered, value=changed)

    monkeypatch.setattr(Api, "summary", calm)
    monkeypatch.setattr(Api, "stuck", none)
    app.run()

    body = drawn(app, "stuck")
    assert said(body["head"]["title"]) == "No flow is stuck, but flows that ended are still owed something."
    (line,) = [line for line in body["head"]["lines"] if said(line).startswith(text)]
    assert line[-1] == {"text": "The newest of them", "target": {"page": "flow", "flow": "A-12"}}
    assert "all met" not in body["groups"][0]["calm"]


def test_the_first_page_says_what_is_stuck(app: AppTest) -> None:
    app.run()

    assert not app.exception
    body = drawn(app, "stuck")
    assert said(body["head"]["title"]) == "13 flows are stuck, the oldest for \u2026."
    assert {
        (group["service"], group["event"], group["flows"], group["cause"]) for group in body["groups"]
    } == {
        ("payment", "PaymentCaptured", "7", "is down"),
        ("payment", "PaymentCaptured", "3", "tried and failed"),
        ("shipping", "ParcelPacked", "3", "published nothing"),
    }
    assert [tile["label"] for tile in body["tiles"]] == [
        "Stuck",
        "Late",
        "Running",
        "Done per minute",
        "p95 end to end",
    ]


def test_a_group_shows_its_oldest_flows_and_leads_to_the_rest(app: AppTest) -> None:
    app.run()

    group = next(group for group in drawn(app, "stuck")["groups"] if group["flows"] == "7")
    assert [row["name"] for row in group["rows"]] == [f"A-{number}" for number in range(200, 206)]
    assert group["target"] == {"page": "flow", "flow": "A-200"}
    assert group["more"]["text"] == "1 more flow: show all that wait for payment"
    assert group["more"]["target"] == {"page": "flows", "state": "stuck", "waiting": "payment"}


def test_every_group_shows_flows(app: AppTest) -> None:
    """A group without rows says that something is wrong, but not with which orders."""
    app.run()

    for group in drawn(app, "stuck")["groups"]:
        assert len(group["rows"]) == min(int(group["flows"]), 6)
        assert group["target"] == group["rows"][0]["target"]


def test_flows_that_wait_for_one_service_are_shown_alone(app: AppTest) -> None:
    """Payment also occurs in flows that wait for shipping, which this filter leaves out."""
    opened(app, "flows", state="stuck", waiting="payment")

    body = drawn(app, "flows")
    assert {row["waiting"] for row in body["rows"]} == {"payment"}
    assert len(body["rows"]) == 10
    assert body["pills"][-1]["count"] == "payment"


def test_a_flow_that_is_over_says_how_long_it_took(app: AppTest) -> None:
    opened(app, "flows")

    rows = {row["name"]: row for row in drawn(app, "flows")["rows"]}
    done, stuck = rows["A-110"], rows["A-200"]
    assert (done["took"], done["waiting"], said(done["outcome"])) == (
        "631 ms",
        None,
        "ended with OrderShipped",
    )
    assert (stuck["took"], stuck["over"], stuck["waiting"]) == ("200 ms", False, "payment")  # so far
    assert done["over"]


def test_a_flow_draws_what_is_missing(app: AppTest) -> None:
    opened(app, "flow", flow="A-200")

    graph = drawn(app, "graph")
    ghost = next(node for node in graph["nodes"] if node["kind"] == "ghost")
    assert (ghost["title"], ghost["service"], ghost["problem"]) == ("PaymentCaptured", "payment", 1)
    assert next(edge["t"] for edge in graph["edges"] if edge.get("missing")) == ghost["id"]
    assert drawn(app, "inspector")["title"] == "PaymentCaptured"
    assert said(drawn(app, "head")["lines"][0]).startswith("payment has not taken StockReserved")


def test_the_address_chooses_the_view_and_the_step(app: AppTest) -> None:
    opened(app, "flow", flow="A-110", view="timeline")
    rows = drawn(app, "timeline")["rows"]
    paid = next(row for row in rows if row["title"] == "PaymentCaptured")

    app.query_params["span"] = paid["key"]
    app.run()

    assert drawn(app, "timeline")["selected"] == paid["key"]
    assert drawn(app, "inspector")["title"] == "PaymentCaptured"
    assert drawn(app, "inspector")["waited"] == "~80 ms"  # a difference of two clocks


@pytest.mark.parametrize("span", ["", "nonsense", "a:b"])
def test_a_step_that_is_not_there_is_no_error(app: AppTest, span: str) -> None:
    opened(app, "flow", flow="A-110", span=span)

    assert drawn(app, "graph")["selected"] is None


def test_a_flow_is_found_by_its_trace(app: AppTest, watched: Collector) -> None:
    document: Any = watched.ask("flows/A-110")
    opened(app, "flow", flow=document["flows"][0]["traces"][0])

    assert drawn(app, "head")["key"] == "A-110"


def test_an_unknown_flow_is_named(app: AppTest) -> None:
    opened(app, "flow", flow="Z-999")

    assert said(drawn(app, "notice")["title"]) == "No flow Z-999."


def test_no_flow_chosen_says_how_to_choose_one(app: AppTest) -> None:
    opened(app, "flow")

    assert said(drawn(app, "notice")["title"]) == "Which flow?"


def test_flows_are_narrowed_by_the_address(app: AppTest) -> None:
    opened(app, "flows", state="stuck", q="shipping")

    body = drawn(app, "flows")
    assert {row["name"] for row in body["rows"]} == {"A-400", "A-401", "A-402"}
    assert {row["waiting"] for row in body["rows"]} == {"shipping"}
    assert app.text_input(key="flows_q").value == "shipping"


@pytest.mark.parametrize(("text", "count"), [("notification", 73), ("stockreserved", 73), ("parcelp", 63)])
def test_flows_are_found_by_event_type_and_service(app: AppTest, text: str, count: int) -> None:
    """As the search box promises, any event or service of a flow matches, not only the last."""
    opened(app, "flows", q=text)

    assert len(drawn(app, "flows")["rows"]) == count


def test_stuck_flows_come_first_and_the_table_says_how_many_it_shows(app: AppTest) -> None:
    opened(app, "flows")

    body = drawn(app, "flows")
    assert {row["state"] for row in body["rows"][:13]} == {"stuck"}
    assert body["showing"].startswith("Showing 73 of 73 flows. Spans of the last 14 days are kept, at most ")
    assert {pill["key"]: pill["count"] for pill in body["pills"]}["done"] == "60"


def test_a_search_without_an_answer_offers_a_way_out(app: AppTest) -> None:
    opened(app, "flows", q="no such thing", window="900")

    notice = drawn(app, "notice")
    assert said(notice["title"]) == "No flow matches no such thing, last 15 min."
    assert [action["id"] for action in notice["actions"]] == ["clear", "all"]


@pytest.mark.parametrize("level", ["event", "service"])
@pytest.mark.parametrize("by", ["p95", "waiting", "stuck"])
def test_the_map_shows_who_leads_to_what(app: AppTest, level: str, by: str) -> None:
    opened(app, "choreography", level=level, by=by)

    graph = drawn(app, "graph")
    assert sum(bool(edge.get("stuck")) for edge in graph["edges"]) == 2
    titles = {node["title"] for node in graph["nodes"]}
    assert ("OrderPlaced" if level == "event" else "warehouse") in titles or "payment" in titles
    assert graph["variants"][0]["outcome"] == "done"


@pytest.mark.parametrize("view", ["stuck", "flows", "flow", "choreography", "expectations"])
def test_without_a_collector_each_page_says_how_to_start_one(lonely: AppTest, view: str) -> None:
    opened(lonely, view, **({"flow": "A-1"} if view == "flow" else {}))

    notice = drawn(lonely, "notice")
    assert said(notice["title"]) == "No collector answers."
    shown = notice["commands"][0]["text"]
    copied = subprocess.run(["/bin/sh", "-c", f"{shown} --help"], capture_output=True, check=False)
    assert b"Run the collector" in copied.stdout


def test_a_wrong_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what was wrong and what to do, instead of a stack trace."""
    for app in started("soon", monkeypatch):
        app.run()

        assert not app.exception
        assert said(drawn(app, "notice")["title"]) == (
            "CHOREOSCOPE_API is 'soon': expected an address such as http://127.0.0.1:4319."
        )


def test_an_answer_of_another_server_can_be_retried(
    watched: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of the OTLP port, instead of the API's, gives one sentence and a retry."""
    for app in started(watched.otlp, monkeypatch):
        app.run()

        assert not app.exception
        notice = drawn(app, "notice")
        assert said(notice["title"]).endswith("answered 404: is that the port of the collector's API?")
        assert [action["id"] for action in notice["actions"]] == ["retry"]
