"""What may people dismiss, who may, and where does it show?"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import numpy as np
import pytest

from collector.diagnosis.standing import Standings
from collector.model import answers as shapes
from collector.model.dismissals import Dismissal
from collector.model.flows import State
from collector.queries import Reader, dismissing
from collector.queries.paging import Page
from collector.store.clickhouse.connections import Database
from collector.store.contracts import Search, StoreError
from tests.documents import fields, sources
from tests.factories import SECOND
from tests.scenes import Watch, order
from tests.standing_factories import Told, app_of, serving

WHO = {"author": "ada", "reason": "a load test"}
PATH = "/api/v1/dismissals"
PAID_NOT = {"A-0", "A-1", "A-2"}


@dataclass
class Asked:
    """An API on what a watch knows; `look` shows it what the watch knows now."""

    watch: Watch
    told: Told
    address: str

    def look(self) -> "Asked":
        self.told.snapshot = self.watch.snapshot
        return self

    def get(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(f"{self.address}/api/v1{path}", params=parameters, trust_env=False)
        return answer.raise_for_status().json()

    def post(self, body: Any = None, headers: Mapping[str, str] | None = None, **said: Any) -> httpx.Response:
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": {**WHO, **said}}
        return httpx.post(self.address + PATH, headers=dict(headers or {}), trust_env=False, **given)

    def states(self) -> dict[str, int]:
        found: dict[str, int] = self.get("/summary")["states"]
        return {state: number for state, number in found.items() if number}

    def metric(self) -> dict[str, float]:
        text = httpx.get(f"{self.address}/metrics", trust_env=False).text
        rows = [line for line in text.splitlines() if line.startswith("choreoscope_live_flows{")]
        return {row.split('"')[1]: float(row.split()[-1]) for row in rows if float(row.split()[-1])}


def stopped(watch: Watch) -> Watch:
    """*watch* after an order that went well, three without payment, which is no chance, and one other."""
    watch.receive(order("C-0", watch.now))
    for number in range(3):
        watch.receive(order(f"A-{number}", watch.now, down={"payment"}))
    watch.receive(order("B-0", watch.now, down={"fraud"}))
    watch.wait(12)
    return watch


@pytest.fixture(scope="module")
def shared(module_database: Database) -> Watch:
    """One for all tests in which nothing more arrives: learning takes seconds."""
    watch = Watch(module_database)
    watch.learn()
    return stopped(watch)


@pytest.fixture
def asked(shared: Watch) -> Iterator[Asked]:
    """Nothing is dismissed yet."""
    for table in ("dismissals", "dismissed_flows"):
        shared.database.execute(f"TRUNCATE TABLE {table}")
    with asking(shared) as asked:
        yield asked


@pytest.fixture(scope="module")
def refusing(shared: Watch) -> Iterator[Asked]:
    """For tests in which nothing is dismissed."""
    with asking(shared) as asked:
        yield asked


@pytest.fixture
def going(watch: Watch) -> Iterator[Asked]:
    """For tests in which more arrives."""
    with asking(stopped(watch)) as asked:
        yield asked


@contextmanager
def asking(watch: Watch) -> Iterator[Asked]:
    told = Told(Standings())
    with serving(app_of(told, watch.stores)) as address:
        yield Asked(watch, told, address).look()


def test_a_flow_is_dismissed_by_its_name_and_shown_as_such(asked: Asked) -> None:
    assert asked.states()["stuck"] == 4

    answer = asked.post(flows=["A-0"])

    assert answer.status_code == 200
    fields(shapes.Dismissal, answer.json())
    said = {"time_unix_nano": answer.json()["time_unix_nano"], **WHO, "incident": None}
    assert answer.json() == {**said, "undo": False, "flows": 1, "examples": ["A-0"]}
    assert (asked.states()["stuck"], asked.states()["dismissed"]) == (3, 1)
    assert asked.metric() == {"stuck": 3, "dismissed": 1}
    found = asked.get("/stuck")
    assert (found["total"], found["flows"], found["dismissed"]) == (3, 3, 1)
    assert {one["flow"] for one in found["stuck"]} == {"A-1", "A-2", "B-0"}
    assert {one["missing_service"]: one["flows"] for one in found["cohorts"]} == {"payment": 2, "fraud": 1}
    listed = asked.get("/flows", state="dismissed")
    assert [(one["id"], one["state"], one["dismissed"]) for one in listed["flows"]] == [
        ("A-0", "stuck", said)
    ]
    assert (listed["total"], listed["counts"]["stuck"], listed["counts"]["dismissed"]) == (1, 3, 1)
    assert asked.get("/flows", state="stuck")["total"] == 3
    assert asked.get("/flows", state="stuck,dismissed")["total"] == 4
    assert asked.get("/flows/A-0")["flows"][0]["dismissed"] == said
    assert asked.get("/flows/A-1")["flows"][0]["dismissed"] is None
    assert [one["missing_service"] for one in asked.get("/why/A-0")["cohorts"]] == ["payment"]
    assert sum(one["flows"] for one in asked.get("/map", window_s=31 * 86_400)["stuck"]) == 3


@pytest.mark.parametrize(
    ("incident", "gone"),
    [
        ({"service": "payment"}, PAID_NOT),
        (
            {"service": "payment", "triggers": ["StockReserved"], "next_event_type": "PaymentCaptured"},
            PAID_NOT,
        ),
        ({"triggers": ["OrderPlaced"]}, {"B-0"}),
        ({"before_unix_nano": 2**62}, {*PAID_NOT, "B-0"}),
        ({"before_unix_nano": 2**62, "service": "payment"}, PAID_NOT),
    ],
)
def test_an_incident_is_dismissed_by_what_it_is_about(
    asked: Asked, incident: dict[str, Any], gone: set[str]
) -> None:
    assert asked.post(incident=incident, undo=True).status_code == 404
    answer = asked.post(incident=incident).raise_for_status().json()

    assert (answer["flows"], set(answer["examples"])) == (len(gone), gone)
    assert {one["id"] for one in asked.get("/flows", state="dismissed")["flows"]} == gone
    assert answer["incident"].split()[0] in {"payment", "after", "fraud,", "payment,", "quiet"}

    again = asked.post(incident=incident)
    assert again.status_code == 404
    assert again.json()["error"].startswith("no stuck or failed flow is part of the incident: ")
    asked.post(incident=incident, undo=True).raise_for_status()
    assert asked.states()["stuck"] == 4


def test_every_group_that_is_shown_can_be_dismissed_by_its_own_fields(asked: Asked) -> None:
    names = {"missing_service": "service", "triggers": "triggers", "next_event_type": "next_event_type"}
    for cohort in asked.get("/stuck")["cohorts"]:
        incident = {mine: cohort[its] for its, mine in names.items()} | {"cause": cohort["cause"]}
        assert asked.post(incident=incident).json()["flows"] == cohort["flows"]

    found = asked.get("/stuck")
    assert (found["cohorts"], found["total"], found["dismissed"]) == ([], 0, 4)


def test_what_was_dismissed_can_be_taken_back(asked: Asked) -> None:
    asked.post(flows=["A-0", "A-1"]).raise_for_status()
    answer = asked.post(flows=["A-0"], undo=True)

    assert (answer.json()["undo"], answer.json()["flows"]) == (True, 1)
    assert (asked.states()["stuck"], asked.states()["dismissed"]) == (3, 1)
    twice = asked.post(flows=["A-0"], undo=True)
    assert (twice.status_code, "is not dismissed" in twice.json()["error"]) == (409, True)
    assert [one.word for one in asked.watch.stores.dismissals.said()] == ["dismiss", "undo"]


def test_a_flow_that_goes_on_and_stops_again_is_shown_again(going: Asked) -> None:
    """What was dismissed is the flow as it stood: a person who has seen a payment fail has not seen this."""
    watch, asked = going.watch, going
    asked.post(flows=["A-0"]).raise_for_status()
    watch.receive(
        [one for one in order("A-0", watch.now - 20 * SECOND, down={"shipping"}) if one[0] == "payment"]
    )
    watch.wait(12)

    asked.look()

    assert "A-0" in {one["flow"] for one in asked.get("/stuck")["stuck"]}
    assert asked.get("/flows/A-0")["flows"][0]["dismissed"] is None
    assert asked.states().get("dismissed") is None


def test_a_copy_of_a_span_that_is_sent_again_is_no_news(going: Asked) -> None:
    """Exporters resend a batch when they miss its answer: nothing has happened in the flow."""
    watch, asked = going.watch, going
    asked.post(flows=["B-0"]).raise_for_status()
    watch.receive(order("B-0", watch.now - 20 * SECOND, down={"fraud"})[:1])
    at = next(one for one in asked.get("/flows", state="dismissed")["flows"])["started_unix_nano"]
    watch.receive(order("B-0", at, down={"fraud"}))
    watch.wait(12)

    assert asked.look().states()["dismissed"] == 1


def test_flows_that_only_the_store_has_are_dismissed_too(going: Asked) -> None:
    """Memory holds a part of what ever stopped."""
    watch, asked = going.watch, going
    watch.tick._pacing = replace(watch.tick._pacing, most_spans=5)
    watch.receive(order("D-0", watch.now))
    watch.wait(2)
    held = set(asked.look().told.snapshot.flows["id"].to_pylist())
    assert not held & {*PAID_NOT, "B-0"}
    assert asked.states()["stuck"] == 4

    asked.post(flows=["A-0"]).raise_for_status()

    assert (asked.states()["stuck"], asked.states()["dismissed"]) == (3, 1)
    assert asked.get("/stuck")["dismissed"] == 1
    assert asked.get("/flows/A-0")["flows"][0]["dismissed"]["author"] == "ada"
    assert asked.get("/flows", state="stuck")["total"] == 3
    assert asked.post(incident={"before_unix_nano": 2**62}).json()["flows"] == 3
    assert asked.states()["dismissed"] == 4
    assert asked.post(incident={"before_unix_nano": 2**62}, undo=True).json()["flows"] == 4
    assert asked.states()["stuck"] == 4


def test_it_survives_a_restart(asked: Asked) -> None:
    asked.post(flows=["A-0"]).raise_for_status()

    again = Reader(sources(asked.watch))

    assert again.summary().states["dismissed"] == 1
    assert again.live_flows()["stuck"] == 3
    assert again.stuck(Page(10), late=False).dismissed == 1


def test_what_cannot_be_stored_is_not_applied(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: Any) -> None:
        raise StoreError("The store could not insert into dismissals: no room")

    monkeypatch.setattr(asked.watch.stores.dismissals, "write", failing)
    answer = asked.post(flows=["A-0"])

    assert (answer.status_code, "no room" in answer.json()["error"]) == (503, True)
    assert asked.states()["stuck"] == 4


def test_a_scrape_does_not_fail_with_the_store(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> None:
        raise StoreError("The store could not answer a query")

    monkeypatch.setattr(asked.watch.stores.dismissals, "standing", failing)

    assert asked.metric() == {"stuck": 4}


def test_the_newest_word_counts_though_the_clock_was_set_back(asked: Asked) -> None:
    ahead = asked.post(flows=["A-0"]).json()["time_unix_nano"] + 3_600 * SECOND
    store, flow = asked.watch.stores.dismissals, asked.told.snapshot.flows["id"][0].as_py()
    store.write(Dismissal(ahead, "dismiss", "", "ada", "r"), [flow], np.array([2**62]))
    with serving(app_of(asked.told, asked.watch.stores)) as address:
        again = replace(asked, address=address)
        assert again.post(flows=["A-0"], undo=True).json()["time_unix_nano"] > ahead


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        (
            {"flows": ["A-0", "A-0x"]},
            404,
            "no flow 'A-0x': expected a flow key, a flow id or a trace id. Near it",
        ),
        ({"flows": ["A-0", "C-0"]}, 409, "flow 'C-0' is done: expected one that is stuck or failed."),
        ({"flows": []}, 400, "flows is a list of 0: expected a list of 1 to 1,000 texts."),
        ({"flows": "A-0"}, 400, "flows is 'A-0': expected a list of 1 to 1,000 texts."),
        ({"flows": [7]}, 400, "flows is 7: expected text of 1 to 1,000 characters."),
        ({"flows": ["x"] * 1_001}, 400, "flows is a list of 1,001: expected a list of 1 to 1,000 texts."),
        ({}, 400, "expected one of the two"),
        ({"flows": ["A-0"], "incident": {"service": "payment"}}, 400, "expected one of the two"),
        ({"incident": {}}, 400, "incident is empty: expected at least one of its fields."),
        ({"incident": []}, 400, "incident is no JSON object: expected one with service, triggers"),
        ({"incident": {"colour": "red"}}, 400, "colour is 'red': no such field, expected service, triggers"),
        ({"incident": {"service": ""}}, 400, "service is '': expected text of 1 to 200 characters."),
        ({"incident": {"before_unix_nano": True}}, 400, "before_unix_nano is True: expected nanoseconds"),
        ({"incident": {"before_unix_nano": 1.5}}, 400, "before_unix_nano is 1.5: expected nanoseconds"),
        ({"incident": {"before_unix_nano": 2**70}}, 400, "expected nanoseconds since 1970"),
        (
            {"incident": {"service": "nobody"}},
            404,
            "no stuck or failed flow is part of the incident: nobody.",
        ),
        ({"flows": ["A-0"], "undo": "yes"}, 400, "undo is 'yes': expected true or false."),
        ({"flows": ["A-0"], "author": " "}, 400, "author is ' ': expected text of 1 to 100 characters."),
        ({"flows": ["A-0"], "reason": "x" * 1_001}, 400, "expected text of 1 to 1,000 characters."),
        (
            {"flows": ["A-0"], "flow": "A-0"},
            400,
            "flow is 'A-0': no such field, expected author, reason, flows",
        ),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    refusing: Asked, said: dict[str, Any], status: int, error: str
) -> None:
    before = refusing.watch.stores.dismissals.said()
    answer = refusing.post(**said)

    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert before == refusing.watch.stores.dismissals.said()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json", "origin": "https://evil.example"}, 403),
        ({"content-type": "application/json", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a_page_of_another_site_can_dismiss_nothing(
    asked: Asked, headers: dict[str, str], status: int
) -> None:
    body = b'{"flows":["A-0"],"author":"a","reason":"r"}'

    assert asked.post(body, headers).status_code == status
    assert asked.watch.stores.dismissals.said() == []


def test_there_is_a_bound(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dismissing, "MOST_STORED", 2)

    assert asked.post(flows=["A-0", "A-1"]).status_code == 200
    answer = asked.post(flows=["B-0"])
    assert (answer.status_code, "at most 2 are: 1 cannot be added" in answer.json()["error"]) == (409, True)


def test_nothing_can_be_dismissed_before_anything_is_known(asked: Asked) -> None:
    asked.told.replayed = threading.Event()

    assert asked.post(flows=["A-0"]).status_code == 503


def test_what_was_dismissed_teaches_no_more_and_no_less(watch: Watch) -> None:
    """It is laid over the verdict: the live part knows nothing of it."""
    watch.receive(order("A-0", watch.now, down={"payment"}))
    watch.wait(12)
    before = watch.snapshot.learned
    source = sources(watch)
    source.live.replayed.set()
    reader = Reader(source)
    reader.dismiss(dismissing.never_of({"flows": ["A-0"], **WHO}))
    watch.wait(5)

    assert watch.state("A-0") is State.STUCK
    assert watch.snapshot.learned == before
    assert reader.flows(Search(dismissed=True), Page(5)).total == 1


def test_no_flow_is_said_to_be_unknown_for_good_before_the_past_is_replayed(asked: Asked) -> None:
    """What came since the start is acknowledged, stored, and in no flow yet."""
    said = []
    for replayed in (asked.told.replayed, threading.Event()):
        asked.told.replayed = replayed
        answer = httpx.get(f"{asked.address}/api/v1/flows/Z-9", trust_env=False)
        assert answer.status_code == 404
        said.append("in no flow yet. Ask again in some seconds." in answer.json()["error"])

    assert said == [False, True]
