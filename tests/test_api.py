"""Does a running collector answer with the documents that scripts and the dashboard rely on?"""

import contextlib
import csv
import gzip
import io
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.commands.api_client import named
from collector.model import answers as shapes
from collector.model.conditions import SORTS
from tests.collecting import Collector, until
from tests.documents import fields
from tests.factories import SECOND, protobuf, request, span
from tests.scenes import order


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that learned from 30 orders; a later one, whose name is a trap, stopped at payment."""
    with _with_a_stuck_order(tmp_path_factory.mktemp("api")) as running:
        yield running


@contextlib.contextmanager
def _with_a_stuck_order(folder: Path) -> Iterator[Collector]:
    running = Collector(folder, CHOREOSCOPE_DEADLINE_S="1").start()
    try:
        _stop_an_order(running)
        yield running
    finally:
        assert running.stop() == 0


def _stop_an_order(running: Collector) -> None:
    now = time.time_ns()
    running.send([one for number in range(30) for one in order(f"A-{number}", now - 3 * SECOND)])
    until(lambda: running.ask("/summary")["learning"]["flows"] == 30)
    running.send(order(STUCK, time.time_ns(), down={"payment"}))
    until(lambda: running.ask("/stuck")["total"] == 1)


STUCK = "<b>A-17</b>/x y"
MISSING = {"service": "payment", "group": "payment", "next_event_type": "PaymentCaptured"}


def test_stuck_order_is_listed_with_its_cause(collector: Collector) -> None:
    answer = collector.ask("/stuck")

    fields(shapes.Stuck, answer)
    (finding,) = answer["stuck"]
    assert (finding["key"], finding["state"], finding["cause"]) == (STUCK, "stuck", "consumer_down")
    assert finding["stopped_at"]["event_type"] == "StockReserved"
    assert finding["missing"] == {
        "service": "payment",
        "group": "payment",
        "next_event_type": "PaymentCaptured",
        "triggers": ["StockReserved"],
    }
    assert finding["expectation"]["deadline_ms"] == 1000
    assert finding["blocked"] == ["OrderShipped"]
    assert [cohort["flows"] for cohort in answer["cohorts"]] == [1]
    assert (answer["total"], answer["flows"]) == (1, 1)


@pytest.mark.parametrize("name", [STUCK, "trace"])
def test_flow_is_found_by_key_and_by_trace(collector: Collector, name: str) -> None:
    item = next(flow for flow in collector.ask("/flows")["flows"] if flow["key"] == STUCK)
    asked = item["traces"][0] if name == "trace" else name
    answer = collector.get(f"/api/v1/flows/{_quoted(asked)}").raise_for_status().json()

    fields(shapes.Flow, answer)
    assert [flow["key"] for flow in answer["flows"]] == [STUCK]
    assert [finding["cause"] for finding in answer["findings"]] == ["consumer_down"]
    placed = next(message for message in answer["messages"] if message["event_type"] == "OrderPlaced")
    assert placed["attributes"]["order.id"] == STUCK
    assert placed["resource"]["service.name"] == "order"
    inventory = next(reaction for reaction in answer["reactions"] if reaction["service"] == "inventory")
    assert (inventory["event_type"], inventory["wait_ms"], inventory["work_ms"]) == ("OrderPlaced", 5.0, 20.0)
    assert inventory["expected"]["n"] == 30
    ghost = answer["findings"][0]["stopped_at"]["ref"]
    assert ghost in {message["ref"] for message in answer["messages"]}


def test_finished_flow_is_answered_from_the_store(collector: Collector) -> None:
    """An evicted flow is shown like one in memory."""
    until(lambda: collector.ask("/summary")["states"]["running"] == 0)
    answer = collector.ask("/flows/A-3")

    fields(shapes.Flow, answer)
    assert (answer["flows"][0]["state"], answer["flows"][0]["outcome"]) == ("done", "OrderShipped")
    assert len(answer["messages"]) == 5
    nothing = {"stuck": [], "cohorts": [], "replayed": True, "total": 0, "notes": [], "set_aside": False}
    assert collector.ask("/why/A-3") == nothing


def test_unknown_flow_is_not_found_and_the_like_are_named(collector: Collector) -> None:
    answer = collector.get("/api/v1/flows/A-2999")

    assert answer.status_code == 404
    assert answer.json()["error"] == "no flow 'A-2999': expected a flow key, a flow id or a trace id."
    assert "A-29" in answer.json()["nearest"]
    assert collector.get("/api/v1/why/nobody").status_code == 404


def test_flows_come_in_pages_that_hold_each_flow_once(collector: Collector) -> None:
    """Two sources, memory and store, must read as one list."""
    seen: list[str] = []
    cursor = None
    while True:
        answer = collector.ask("/flows", limit=7, **({"cursor": cursor} if cursor else {}))
        fields(shapes.Flows, answer)
        seen += [flow["key"] for flow in answer["flows"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert seen[0] == STUCK
    assert sorted(seen) == sorted([STUCK, *(f"A-{number}" for number in range(30))])
    assert answer["total"] == 31
    assert answer["counts"]["stuck"] == 1


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{by}" for by in SORTS)])
def test_any_order_turns_in_pages_over_memory_and_store(collector: Collector, sort: str) -> None:
    seen: list[dict[str, Any]] = []
    cursor = None
    while cursor or not seen:
        answer = collector.ask("/flows", sort=sort, limit=11, **({"cursor": cursor} if cursor else {}))
        seen += answer["flows"]
        cursor = answer["next_cursor"]
    once = collector.ask("/flows", sort=sort)["flows"]

    assert [flow["id"] for flow in seen] == [flow["id"] for flow in once]
    assert len({flow["id"] for flow in seen}) == 31
    if sort in {"-waiting", "-overdue", "-outcome", "state", "messages"}:  # it is in memory, others are not
        assert (seen[0]["key"] == STUCK) == (sort != "-outcome")
    took = [flow["last_unix_nano"] - flow["started_unix_nano"] for flow in seen]
    if sort.endswith("took"):
        assert took == sorted(took, reverse=sort.startswith("-"))


def test_what_cannot_be_read_of_a_line_is_said_and_the_rest_counts(collector: Collector) -> None:
    answer = collector.ask("/flows", q="took:>x state:stuck")

    fields(shapes.Flows, answer)
    assert (answer["total"], answer["states"]) == (1, ["stuck"])
    (problem,) = answer["line"]["problems"]
    assert (problem["start"], problem["end"]) == (5, 7)
    assert problem["sentence"].startswith("took is '>x': expected a duration with its unit")
    term = {"start": 8, "end": 19, "field": "state", "negated": False}
    assert answer["line"]["terms"] == [term]


def test_names_like_a_text_that_matches_nothing_are_said(collector: Collector) -> None:
    assert "A-29" in collector.ask("/flows", q="A-2999 state:done")["nearest"]
    assert collector.ask("/flows", q="A-29")["nearest"] == []
    # Its event types and services are no names of a flow.
    assert collector.get("/api/v1/flows/payments").json()["nearest"] == []


def test_flows_are_sent_as_a_table_that_holds_no_formula(collector: Collector) -> None:
    """A page holds a thousand: the table goes on."""
    answer = collector.get("/api/v1/flows.csv", q="state:stuck", columns="flow,state,messages,took_ms")
    every = collector.get("/api/v1/flows.csv", sort="flow")
    refused = collector.get("/api/v1/flows.csv", columns="flow,colour")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(answer.text)))[:2] == [
        ["flow", "state", "messages", "took_ms"],
        [STUCK, "stuck", "3", "40.0"],
    ]
    assert len(every.text.splitlines()) == 32
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("columns has 'colour': expected some of state, flow,")


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ({"q": "a-17"}, 2),
        ({"q": "payment"}, 31),
        ({"q": "INVENT"}, 31),
        ({"q": "stockres"}, 31),
        ({"q": "OrderShipped"}, 30),
        ({"q": "shipping", "state": "stuck"}, 1),
        ({"q": "mailer"}, 31),
        ({"waiting_for": "payment"}, 1),
        ({"waiting_for": "pay"}, 0),
        ({"waiting_for": "payment", "state": "done"}, 0),
        ({"q": "a-17", "state": "stuck"}, 1),
        ({"state": "done"}, 30),
        ({"state": "late,failed"}, 0),
        ({"q": "%' OR 1=1 --"}, 0),
        ({"window_s": 3600}, 31),
        ({"q": "state:stuck"}, 1),
        ({"q": "state:stuck", "state": "done"}, 0),
        ({"q": "service:inventory took:<1h messages:>1 -state:done"}, 1),
        ({"q": "event:ordershipped outcome:OrderShipped"}, 30),
        ({"q": "waiting:Payment"}, 1),
        ({"q": "-waiting:payment"}, 30),
        ({"q": "error:yes"}, 0),
        ({"q": "variant:OrderPlaced,OrderCleared,StockReserved"}, 1),
        ({"q": "started:>-1h took:>x"}, 31),
    ],
)
def test_search_finds_what_it_names(collector: Collector, search: dict[str, Any], count: int) -> None:
    """It finds flows wherever they are: healthy ones may be in the store or still in memory."""
    answer = collector.ask("/flows", **search)

    assert (answer["total"], len(answer["flows"])) == (count, count)


def test_map_shows_who_reacts_to_what(collector: Collector) -> None:
    answer = collector.ask("/map")

    fields(shapes.Map, answer)
    events = {event["event_type"]: event for event in answer["events"]}
    assert events["OrderPlaced"]["count"] == 31
    assert [name for name, event in events.items() if event["terminal"]] == ["OrderShipped"]
    reactions = {(row["event_type"], row["service"]): row for row in answer["reactions"]}
    assert reactions["StockReserved", "payment"]["count"] == 30
    assert reactions["StockReserved", "payment"]["share"] == pytest.approx(30 / 31, abs=1e-3)
    assert {emit["emits"] for emit in answer["emits"] if emit["service"] == "shipping"} == {"OrderShipped"}
    assert [variant["count"] for variant in answer["variants"]] == [30, 1]
    assert answer["stuck"] == [
        {
            "event_type": "StockReserved",
            "missing_service": "payment",
            "next_event_type": "PaymentCaptured",
            "flows": 1,
        }
    ]


def test_summary_adds_up(collector: Collector) -> None:
    answer = collector.ask("/summary")

    fields(shapes.Summary, answer)
    spans = answer["spans"]
    assert spans["received"] == spans["stored"] + spans["duplicate"] + spans["refused"] > 300
    assert answer["states"]["stuck"] == 1
    assert answer["oldest_stuck_s"] > 1


def test_posted_spans_are_stitched_and_not_stored(collector: Collector) -> None:
    before = collector.ask("/summary")["spans"]["received"]
    sent = [one for _, one in order("P-1", time.time_ns())]
    answer = httpx.post(
        f"{collector.api}/api/v1/stitch",
        content=protobuf(request(*sent)),
        headers={"content-type": "application/x-protobuf"},
        trust_env=False,
    ).raise_for_status()

    fields(shapes.Stitched, answer.json())
    assert [flow["key"] for flow in answer.json()["flows"]] == ["P-1"]
    assert collector.ask("/summary")["spans"]["received"] == before


ZIPKIN = [
    {
        "traceId": "a1",
        "id": "b1",
        "kind": "PRODUCER",
        "name": "send",
        "localEndpoint": {"serviceName": "shop"},
    },
    {
        "traceId": "a1",
        "id": "b2",
        "parentId": "b1",
        "kind": "CONSUMER",
        "localEndpoint": {"serviceName": "mail"},
    },
    {"traceId": "a1", "kind": "CONSUMER"},
]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("headers", [{}, {"content-type": "application/x-protobuf"}])
def test_posted_file_of_any_format_is_stitched(
    collector: Collector, pack: Callable[[bytes], bytes], headers: dict[str, str]
) -> None:
    """It reads whatever `choreoscope stitch` reads; an unusable record becomes a note, and is counted."""
    answer = httpx.post(
        f"{collector.api}/api/v1/stitch",
        content=pack(json.dumps(ZIPKIN).encode()),
        headers=headers,
        trust_env=False,
    ).raise_for_status()

    told = answer.json()
    fields(shapes.Stitched, told)
    assert [(edge["from"], edge["to"]) for edge in told["edges"]] == [("a1:b1", "a1:b2")]
    assert (told["unusable"], [note["kind"] for note in told["notes"]]) == (1, ["invalid_id"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"hello", "is no trace file"),
        (b"", "it is empty"),
        (b"{}\n{}\nhello\n{}", "line 3 of 4"),
        (b"\x1f\x8bhello", "no gzip"),
    ],
)
def test_posted_file_that_is_none_is_refused(collector: Collector, body: bytes, said: str) -> None:
    answer = httpx.post(f"{collector.api}/api/v1/stitch", content=body, trust_env=False)

    assert answer.status_code == 400
    assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/flows?limit=0", 400, "limit is '0'"),
        ("/api/v1/flows?state=asleep", 400, "state is 'asleep': expected done, running"),
        ("/api/v1/flows?cursor=nonsense", 400, "cursor is 'nonsense'"),
        ("/api/v1/map?window_s=x", 400, "window_s is 'x'"),
        ("/api/v1/nothing", 404, "no page /api/v1/nothing"),
    ],
)
def test_bad_question_is_told_what_was_expected(
    collector: Collector, path: str, status: int, said: str
) -> None:
    answer = collector.get(path)

    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_page_from_another_host_name_is_refused(collector: Collector) -> None:
    """DNS rebinding: a name that resolves to this machine must not open its traces to a web page."""
    answer = httpx.get(f"{collector.api}/api/v1/flows", headers={"host": "evil.example"}, trust_env=False)

    assert answer.status_code == 400


def test_pages_for_people_and_programs_are_there(collector: Collector) -> None:
    assert collector.get("/healthz").json() == {"status": "ok"}
    assert "choreoscope_spans_stored_total" in collector.get("/metrics").text
    described = collector.get("/openapi.json").json()
    assert {"/api/v1/stuck", "/api/v1/flows/{key}", "/api/v1/map"} <= set(described["paths"])
    page = collector.get("/docs").text
    assert "/api/v1/stuck" in page
    assert "http" not in page.replace("<!doctype html>", "").split("</style>")[0]


def test_collector_is_again_what_it_was_after_a_restart(tmp_path: Path) -> None:
    """The live part's memory is a cache: killing the process loses nothing."""
    with _with_a_stuck_order(tmp_path) as collector:
        before = collector.ask("/stuck")["stuck"]
        collector.stop(signal.SIGKILL)
        collector.start()
        # What was owed just before it was killed may have been paid while nobody listened. How long that is
        # allowed for depends on how long the start took.
        until(lambda: collector.ask("/stuck")["total"] == 1, within_s=120)
        after = collector.ask("/stuck")["stuck"]

        assert [f["stopped_at"] for f in after] == [f["stopped_at"] for f in before]
        assert [f["expectation"]["n"] for f in after] == [30]


def test_flow_with_any_key_is_found_under_it(tmp_path: Path) -> None:
    """Senders choose keys freely, but some characters have a meaning of their own in a path."""
    keys = [".", "..", "a/../b", "line\nbreak", "tab\t", "a?b#c%2F", " "]
    running = Collector(tmp_path).start()
    try:
        running.send([one for key in keys for one in order(key, time.time_ns())])
        until(lambda: running.ask("/flows")["total"] == len(keys))

        found = [running.ask(f"/flows/{named(key)}")["flows"][0]["key"] for key in keys]
        assert found == keys
    finally:
        assert running.stop() == 0


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def test_span_of_one_service_is_no_flow(collector: Collector) -> None:
    """Plain traces without messaging are stored, but they are not flows."""
    total = collector.ask("/flows")["total"]
    collector.send([("web", span("GET /", trace="plain"))])
    time.sleep(1.5)

    assert collector.ask("/flows")["total"] == total
