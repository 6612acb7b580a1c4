"""What is wrong with what services send? Said when many messages show it, and never of what is well."""

import json
import re
import signal
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.model.answers import SendingService
from collector.model.courses import Course, Published, Reacted
from collector.model.flows import State
from collector.queries import Page, Reader, asked
from collector.queries.connection_problems import problems
from collector.queries.meetings import Meetings, met
from collector.store.clickhouse.connections import Database
from tests.collecting import Collector, until
from tests.documents import sources
from tests.factories import NOW, SECOND, span
from tests.scenes import Watch, order, react
from tests.spawning import call, ended
from tests.stores.search_contract import flow, put_one

HOUR = 3600
CREATED = Published("orders.created", "order", request=False, caused=False, followed=True)
TAKEN = Reacted("orders.created", "payment", "payment", failed=False)
PAID = Published("payments.captured", "payment", request=False, caused=True, followed=False)
WELL = Course((CREATED, PAID), (TAKEN,))


def lost(name: str = "orders.created", *, alone: bool = True, count: int = 1) -> Reacted:
    """A reaction of shipping whose message was not seen."""
    return Reacted(name, "shipping", "shipping", failed=False, count=count, unseen=True, alone=alone)


def service(name: str, *, language: str = "python", delay: float = 1.0, ago: float = 1.0) -> SendingService:
    """A service that was last heard so many seconds ago."""
    heard = NOW - int(ago * SECOND)
    return SendingService(
        service=name, language=language, sdk="1.40", last_unix_nano=heard, export_delay_p99_s=delay
    )


def said(*courses: tuple[Course, int], services: Sequence[SendingService] = ()) -> list[tuple[str, str]]:
    """The kind and the sentence of each problem."""
    found = problems(met(courses), services, NOW, HOUR)
    return [(one.kind, one.sentence) for one in found]


@pytest.mark.parametrize(
    "courses",
    [
        [(WELL, 1_000)],
        [(WELL, 1_000), (Course((), (lost(),)), 19)],  # few
        [(WELL, 1_000), (Course((CREATED,), ()), 300)],  # some are not handled yet
        [(WELL, 1_000), (Course((CREATED, PAID), (TAKEN, lost(alone=False))), 300)],  # a context names it
    ],
)
def test_of_what_is_well_nothing_is_said(courses: list[tuple[Course, int]]) -> None:
    services = [service("order"), service("payment", delay=9.9), service("shipping", ago=599)]

    assert said(*courses, services=services) == []


def test_nothing_is_said_of_a_beginning() -> None:
    assert said((Course((CREATED,), (), keyed=False), 49)) == []
    assert [kind for kind, _ in said((Course((CREATED,), (), keyed=False), 50))] == [
        "no_flow_key",
        "unhandled",
    ]


def test_what_nobody_publishes_is_named_with_its_contexts() -> None:
    found = said((WELL, 200), (Course((), (lost("a"), lost("b", alone=False))), 179))

    assert found == [
        (
            "unseen_publisher",
            "shipping handles a, which nobody was seen to publish: 179 of 179 had no traceparent.",
        ),
        (
            "unseen_publisher",
            (
                "shipping handles b, which nobody was seen to publish:"
                " all 179 had a context, and the spans that it names are not here."
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("language", "told"),
    [("go", "HeaderCarrier"), ("dotnet", "CAPITAL_HEADERS=false"), ("java", "headers of the message")],
)
def test_a_lost_context_is_told_with_what_is_usual_for_the_receiver(language: str, told: str) -> None:
    seen = met([(WELL, 100), (Course((), (lost(),)), 60)])
    (found,) = problems(seen, [service("shipping", language=language)], NOW, HOUR)

    assert (found.kind, found.service) == ("no_context", "shipping")
    assert found.sentence == (
        "shipping handles orders.created, which order publishes: 60 of 60 had no traceparent."
    )
    assert told in found.fix


def test_only_what_begins_flows_has_to_be_handled() -> None:
    """Many flows end with an event that is meant for nobody, or for others."""
    assert [kind for kind, _ in said((Course((CREATED,), ()), 75))] == ["unhandled"]
    assert said((WELL, 75)) == []


def test_slow_and_silent_services_are_named_while_others_are_heard() -> None:
    services = [service("order", delay=31), service("payment", ago=720)]

    assert [kind for kind, _ in said((WELL, 100), services=services)] == ["silent_service", "slow_export"]
    assert said((WELL, 100), services=[service("order", ago=900), service("payment", ago=720)]) == []


def test_what_concerns_most_messages_comes_first_and_the_list_ends() -> None:
    many = [(Course((), (lost(f"d{n}"),)), 50 + n) for n in range(200)]
    found = said(*many)

    assert len(found) == 100
    assert "d199" in found[0][1]


def test_connections_add_up() -> None:
    seen: Meetings = met([(WELL, 10), (Course((CREATED,), (lost(count=2),), keyed=False), 3), (None, 5)])
    rows = {(one.service, one.destination): one for one in seen.connections(10)}

    created = rows["order", "orders.created"]
    assert (created.sent, created.handled, created.with_flow_key) == (13, 0, 10)
    shipping = rows["shipping", "orders.created"]
    assert (shipping.sent, shipping.handled, shipping.with_context, shipping.with_flow_key) == (0, 6, 0, 0)
    assert seen.flows == 13
    assert len(seen.connections(1)) == 1


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that has 60 orders of a minute ago, and 30 parcels that nobody was seen to send off."""
    running = Collector(tmp_path_factory.mktemp("connections")).start()
    at = time.time_ns() - 60 * SECOND
    running.send([one for number in range(60) for one in order(f"C-{number}", at)])
    running.send([react("depot", "ParcelSent", f"P-{number}", at=at) for number in range(30)])
    until(lambda: running.ask("/connections?window_s=900")["flows"] == 90, within_s=60)
    yield running
    assert running.stop(signal.SIGTERM) == 0


def test_a_collector_knows_who_sends_what_to_whom(collector: Collector) -> None:
    found = collector.ask("/connections")

    assert found["enough"]
    assert {one["service"] for one in found["services"]} >= {"order", "payment", "depot"}
    placed = [one for one in found["connections"] if one["destination"] == "OrderPlaced"]
    assert {one["sent"] for one in placed if one["service"] == "order"} == {60}
    assert {one["handled"] for one in placed if one["service"] == "inventory"} == {60}
    # Their spans were sent a minute late, too.
    said = [(one["kind"], one["service"]) for one in found["problems"] if one["kind"] != "slow_export"]
    assert said == [("unseen_publisher", "depot")]


def test_the_doctor_says_what_is_wrong_first(collector: Collector) -> None:
    done = ended(call, "doctor", environment=collector.environment)
    text = done.stdout

    assert (done.returncode, done.stderr) == (0, "")
    assert " may be wrong, as far as 90 flows tell:\n\n" in text
    assert "\n\ndepot handles ParcelSent, which nobody was seen to publish: all 30 had a context" in text
    assert re.search(r"^inventory +OrderPlaced +0 +60 +60 +60$", text, re.MULTILINE)
    exact = ended(call, "doctor", "--format", "json", "--window", "600", environment=collector.environment)
    assert json.loads(exact.stdout)["window_s"] == 600


def test_a_search_in_flows_without_keys_says_that_none_can_be_found(database: Database) -> None:
    """In memory and in the store; one flow with a key is enough to be silent."""
    watch = Watch(database)
    reader = Reader(sources(watch))
    asked_for = asked("A-17", watch.now)
    assert not reader.flows(asked_for, Page()).keyless  # there are no flows

    nameless = span(
        "send paid", kind=Span.SPAN_KIND_PRODUCER, attributes={"messaging.destination.name": "paid"}
    )
    watch.receive([("payment", nameless)])
    reader = Reader(sources(watch))
    assert reader.flows(asked_for, Page()).keyless
    put_one(watch.flows, flow("S-1", key=None), State.DONE)
    assert reader.flows(asked_for, Page()).keyless
    put_one(watch.flows, flow("S-2", last=NOW), State.DONE)
    assert not reader.flows(asked_for, Page()).keyless
