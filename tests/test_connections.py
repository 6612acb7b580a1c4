"""What is wrong with what services send? Said when many messages show it, and never of what is well."""

import json
import re
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.model.answers import SendingService
from collector.model.courses import Course, Published, Reacted
from collector.model.flows import State
from collector.queries import Page, Reader, asked
from collector.queries.connection_check import connections
from collector.queries.connection_problems import problems
from collector.queries.meetings import Meetings, met
from collector.store.clickhouse.connections import Database
from tests.collecting import Collector, until
from tests.documents import sources
from tests.factories import NOW, SECOND, span
from tests.scenes import Watch, order, publish, react
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


def service(
    name: str,
    *,
    language: str = "python",
    delay: float = 1.0,
    usual: float | None = None,
    ago: float = 1.0,
    heard_for: float = 2_000.0,
    pause: int = 60,
) -> SendingService:
    """A service that was last heard so many seconds ago; half of its spans come with the *usual* delay."""
    heard = NOW - int(ago * SECOND)
    return SendingService(
        service=name,
        language=language,
        sdk="1.40",
        first_unix_nano=heard - int(heard_for * SECOND),
        last_unix_nano=heard,
        longest_pause_s=pause,
        export_delay_p50_s=delay / 2 if usual is None else usual,
        export_delay_p99_s=delay,
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
    ("language", "sender", "told"),
    [
        ("go", "python", "HeaderCarrier"),
        ("go", "java", "HeaderCarrier"),
        ("dotnet", "python", "CAPITAL_HEADERS=false"),
        ("dotnet", "java", None),  # the setting is of services in Python
        ("java", "python", None),
    ],
)
def test_a_lost_context_is_told_with_what_is_usual_for_the_receiver(
    language: str, sender: str, told: str | None
) -> None:
    """It may be the cause: broker and carrier cannot be seen, so what is usual elsewhere is said as well."""
    seen = met([(WELL, 100), (Course((), (lost(),)), 60)])
    services = [service("shipping", language=language), service("order", language=sender)]
    (found,) = problems(seen, services, NOW, HOUR)

    assert (found.kind, found.service) == ("no_context", "shipping")
    assert found.sentence == (
        "shipping handles orders.created, which order publishes: 60 of 60 had no traceparent."
    )
    usual = "ave the sender put the context into the headers of the message, and the receiver read it."
    assert found.fix.endswith(usual)
    assert (found.fix == f"H{usual}") == (told is None)
    assert (told or "") in found.fix


def test_only_what_begins_flows_has_to_be_handled() -> None:
    """Many flows end with an event that is meant for nobody, or for others."""
    assert [kind for kind, _ in said((Course((CREATED,), ()), 75))] == ["unhandled"]
    assert said((WELL, 75)) == []


def test_slow_and_silent_services_are_named_while_others_are_heard() -> None:
    services = [service("order", delay=31), service("payment", ago=720)]

    assert [kind for kind, _ in said((WELL, 100), services=services)] == ["silent_service", "slow_export"]
    assert said((WELL, 100), services=[service("order", ago=900), service("payment", ago=720)]) == []


@pytest.mark.parametrize(
    "healthy",
    [
        [service("order"), service("payment", ago=660, pause=720)],  # works every twelve minutes
        [service("order"), service("payment", ago=900, heard_for=300)],  # a job that took five minutes
        [service("order", pause=900), service("payment", ago=960)],  # nobody was heard, and it is not back
        [service("order", delay=40, usual=2)],  # made up for an outage
        [service("order", delay=9, usual=6)],
    ],
)
def test_what_is_usual_for_a_service_is_not_called_wrong(healthy: list[SendingService]) -> None:
    """The first page shows it: a warning that is always there is read by nobody."""
    assert said((WELL, 100), services=healthy) == []


def test_a_service_that_was_quiet_before_is_named_when_it_is_for_much_longer() -> None:
    services = [service("order"), service("payment", ago=1_300, pause=420)]

    assert [kind for kind, _ in said((WELL, 100), services=services)] == ["silent_service"]


def test_what_somebody_is_known_to_handle_is_stuck_and_not_uninstrumented() -> None:
    """A consumer that was down all the time handled nothing either, and the first page says that."""
    seen = met([(Course((CREATED,), ()), 75)])

    assert problems(seen, [], NOW, HOUR, frozenset({"orders.created"})) == []
    assert [one.kind for one in problems(seen, [], NOW, HOUR, frozenset({"else"}))] == ["unhandled"]


def test_a_consumer_that_is_down_is_not_called_uninstrumented(database: Database) -> None:
    """What was learned says who handles it, although nobody did in the window; of others nothing is known."""
    watch = Watch(database)
    watch.learn()
    watch.wait(600, every_s=30)
    everyone = ("mailer", "inventory", "fraud")
    waiting = [one for n in range(60) for one in order(f"W-{n}", watch.now, down=everyone)]
    watch.receive([*waiting, *(publish("till", "TillOpened", f"T-{n}", at=watch.now) for n in range(60))])
    watch.wait(40)
    now = watch.now
    found = connections(replace(sources(watch), clock=lambda: now), 120)

    sent = {one.destination: (one.sent, one.handled) for one in found.connections}
    assert sent == {"OrderPlaced": (60, 0), "TillOpened": (60, 0)}
    assert [(one.kind, one.service) for one in found.problems] == [("unhandled", "till")]


def test_messages_without_a_flow_key_are_named_as_they_may_belong_to_none() -> None:
    beat = Published("beat.sent", "order", request=False, caused=True, followed=False)
    seen = met([(WELL, 100), (Course((beat,), (), keyed=False), 60)])
    (found,) = problems(seen, [], NOW, HOUR)

    assert found.sentence == (
        "23 % of 260 messages carry no flow key, most of them beat.sent: flows are named by trace id."
    )
    assert found.fix.endswith("If they belong to no order, nothing is wrong.")


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
    (depot,) = (one for one in found["services"] if one["service"] == "depot")
    assert depot["first_unix_nano"] <= depot["last_unix_nano"]
    assert depot["longest_pause_s"] <= 60  # one request, which may fall in two minutes
    assert 30 < depot["export_delay_p50_s"] <= depot["export_delay_p99_s"]


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
