"""What does a span say about itself, in every version of the conventions that services still use?"""

from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.conventions import Naming
from collector.model.readings import READINGS, Role
from collector.model.spans import SPANS, Kind
from tests.factories import NOW, Value, any_value, request, span, table

PRODUCER, CONSUMER, CLIENT = Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER, Span.SPAN_KIND_CLIENT


def read(*spans: Span, **how: Any) -> dict[str, Any]:
    """What is read from one span."""
    (row,) = conventions.read(table(request(*spans, service="shop")), **how).to_pylist()
    return dict(row)


def role_of(name: str = "work", kind: int = Kind.INTERNAL, **attributes: Value) -> Role:
    said = {key.replace("__", "."): value for key, value in attributes.items()}
    return Role(read(span(name, kind=kind, attributes=said))["role"])


@pytest.mark.parametrize(("verb", "role"), [("started", Role.STARTED), ("fetch", Role.FETCH)])
def test_what_our_own_instrumentation_tells_beside_a_handling_is_none(verb: str, role: Role) -> None:
    """Counted as reactions of their own, they would double every reaction."""
    said: dict[str, Value] = {"messaging.system": "nats", "messaging.operation.name": verb}
    if verb == "fetch":
        said["messaging.operation.type"] = "receive"
    attributes = {**said, "messaging.consumer.group.name": "stock", "messaging.destination.name": "placed"}
    row = read(span(f"{verb} placed", kind=Kind.CLIENT, attributes=attributes, links=[("trace", "sent")]))
    # A fetch must not join the messages that it brought into one flow.
    assert len(row["link_span_ids"]) == len(row["link_trace_ids"]) == (0 if verb == "fetch" else 1)
    assert Role(row["role"]) is role
    assert row["group"] == "stock"
    other = read(span("fetch placed", kind=Kind.CLIENT, attributes={**said, "messaging.system": "kafka"}))
    assert Role(other["role"]) is (Role.RECEIVE if verb == "fetch" else Role.NONE)


@pytest.mark.parametrize(
    ("verb", "name", "asks"),
    [
        ("request", "anything", True),  # our own instrumentation of NATS
        ("send", "request prices", False),
        (None, "prices request", True),  # NATS.Net
        (None, "request prices", True),
        (None, "publish request", False),  # a destination of that name
        (None, "request publish", True),  # since 1.27 the first word is the verb
        (None, "order.request", False),
    ],
)
def test_request_is_told_by_its_verb_or_its_name(verb: str | None, name: str, asks: bool) -> None:
    said: dict[str, Value] = {"messaging.system": "nats", "messaging.destination.name": "prices"}
    if verb:
        said |= {"messaging.operation.name": verb, "messaging.operation.type": "send"}

    assert read(span(name, kind=PRODUCER, attributes=said))["request"] is asks
    assert (
        read(span(name, kind=CONSUMER, attributes=said | {"messaging.operation.type": "process"}))["request"]
        is False
    )


def test_type_of_the_operation_counts_more_than_its_verb() -> None:
    """The verb is the broker's own: Kafka polls what others receive."""
    attributes = {"messaging.operation.type": "process", "messaging.operation.name": "poll"}

    assert Role(read(span(attributes=attributes))["role"]) is Role.PROCESS
    assert role_of(messaging__operation__name="poll") is Role.RECEIVE
    assert role_of(messaging__operation__name="nack") is Role.SETTLE


def test_kind_makes_the_role_where_no_operation_is_named() -> None:
    """Much of .NET makes producer spans that have nothing but their kind."""
    assert role_of(kind=Kind.PRODUCER) is Role.SEND
    assert role_of(kind=Kind.CONSUMER) is Role.PROCESS
    assert role_of(kind=Kind.SERVER) is Role.NONE


@pytest.mark.parametrize(
    ("name", "kind", "role"),
    [
        ("orders create", Kind.PRODUCER, Role.CREATE),  # FastStream names no operation there
        ("create orders", Kind.PRODUCER, Role.CREATE),  # the order of words since 1.27
        ("orders publish", Kind.PRODUCER, Role.SEND),
        ("EventHubs.message", Kind.PRODUCER, Role.CREATE),  # Azure's clients, in all languages
        ("Message", Kind.PRODUCER, Role.CREATE),
        ("Message", Kind.CONSUMER, Role.PROCESS),
        ("orders receive", Kind.CONSUMER, Role.RECEIVE),
        ("recv", Kind.CONSUMER, Role.RECEIVE),  # confluent-kafka's span around a poll, without any attribute
        ("orders create", Kind.CONSUMER, Role.RECEIVE),  # FastStream's span around a batch
        ("orders process", Kind.PRODUCER, Role.SEND),  # a destination called "orders process"
        ("publish orders", Kind.CONSUMER, Role.PROCESS),
        ("ack orders", Kind.PRODUCER, Role.SEND),
        ("", Kind.CONSUMER, Role.PROCESS),
    ],
)
def test_name_decides_where_the_kind_leaves_it_open(name: str, kind: Kind, role: Role) -> None:
    """A name may tell create from send and receive from process, but never producer from consumer."""
    assert role_of(name, kind) is role


@pytest.mark.parametrize(("name", "role"), [("ack orders", Role.SETTLE), ("orders send", Role.SEND)])
def test_name_is_the_last_resort_of_what_is_messaging(name: str, role: Role) -> None:
    assert role_of(name, Kind.CLIENT, messaging__system="nats") is role
    assert role_of(name, Kind.CLIENT, messaging__destination="orders") is role
    assert role_of(name, Kind.CLIENT) is Role.NONE


@pytest.mark.parametrize(
    ("name", "kind", "destination"),
    [
        ("send orders", PRODUCER, "orders"),  # the order of words since 1.27
        ("orders publish", PRODUCER, "orders"),
        ("orders for Vienna receive", CONSUMER, "orders for Vienna"),
        ("orders process", PRODUCER, None),  # producers do not process, so this may be its destination
        ("orders", PRODUCER, None),
        ("send", PRODUCER, None),
    ],
)
def test_destination_is_read_from_the_name_where_nothing_else_says_it(
    name: str, kind: int, destination: str | None
) -> None:
    """Otherwise the publish and the handling of one subject would be two event types."""
    row = read(span(name, kind=kind))

    assert (row["destination"], row["event_type"]) == (destination, destination or name)
    assert read(span(name, kind=kind, attributes={"messaging.destination.name": "x"}))["destination"] == "x"


@pytest.mark.parametrize(
    ("subject", "kind", "role"),
    [
        ("$JS.ACK.SHOP.payment.1.17.17.1795000000000000000.0", PRODUCER, Role.SETTLE),
        ("$JS.API.CONSUMER.MSG.NEXT.SHOP.payment", PRODUCER, Role.NONE),
        ("$SYS.REQ.SERVER.PING", PRODUCER, Role.NONE),
        ("$SRV.INFO", CONSUMER, Role.NONE),
        ("_INBOX.xyz.1", PRODUCER, Role.REPLY),
        ("_INBOX.xyz.1", CONSUMER, Role.ANSWERED),
        ("amq.rabbitmq.reply-to.g1h2AA5y.8ykeVYir", PRODUCER, Role.REPLY),
        ("amq.rabbitmq.reply-to.g1h2AA5y.8ykeVYir", CONSUMER, Role.ANSWERED),
        ("$KV.stock.chairs", PRODUCER, Role.SEND),
        ("INBOX.orders", PRODUCER, Role.SEND),
    ],
)
def test_what_is_said_to_the_broker_itself_is_no_message(subject: str, kind: int, role: Role) -> None:
    """Otherwise each order's acknowledgement would look like an event without a reaction."""
    word = "receive" if kind == CONSUMER else "send"
    named = read(span(f"{subject} {word}", kind=kind))
    said = read(span(word, kind=kind, attributes={"messaging.destination.name": subject}))

    assert (Role(named["role"]), Role(said["role"])) == (role, role)
    assert (named["event_type"] is None) is (role is Role.NONE)


def test_todays_name_counts_more_than_older_ones() -> None:
    """Services that migrate to new conventions write both names for a while."""
    attributes = {"messaging.destination": "old", "messaging.destination.name": "new"}

    assert read(span(kind=PRODUCER, attributes=attributes))["destination"] == "new"


def test_consumer_without_a_group_is_a_group_by_its_service() -> None:
    """All processes of one service share one job; a publisher is in no group."""
    assert read(span(kind=CONSUMER))["group"] == "shop"
    assert read(span(kind=PRODUCER, attributes={"messaging.consumer.group.name": "x"}))["group"] is None
    assert read(span())["group"] is None


def test_consumer_without_a_group_is_told_from_others_by_its_name() -> None:
    """Two subscriptions of one service are two handlers, and only their names tell them apart."""
    grouped = {"messaging.consumer.group.name": "packers"}

    assert read(span("audit", kind=CONSUMER))["handler"] == "audit"
    assert read(span("audit", kind=CONSUMER, attributes=grouped))["handler"] is None
    assert read(span("audit", kind=PRODUCER))["handler"] is None


def test_event_type_is_the_events_own_name_first() -> None:
    said = {
        "cloudevents.event_type": "OrderPlaced",
        "messaging.destination.name": "shop.order.placed.A-1",
        "messaging.destination.template": "shop.order.placed.*",
    }

    def event_type(kind: int, *without: str) -> str:
        attributes = {key: value for key, value in said.items() if key not in without}
        return str(read(span("the name", kind=kind, attributes=attributes))["event_type"])

    names = list(said)
    assert event_type(PRODUCER) == event_type(CONSUMER) == "OrderPlaced"
    # A publisher's template covers one type of message, a subscriber's covers all that it listens to.
    assert event_type(PRODUCER, names[0]) == "shop.order.placed.*"
    assert event_type(CONSUMER, names[0]) == "shop.order.placed.A-1"
    assert event_type(CONSUMER, *names[:2]) == "shop.order.placed.*"
    assert event_type(PRODUCER, *names) == "the name"


def test_what_has_to_do_with_no_message_has_no_event_type() -> None:
    row = read(span(kind=CLIENT, attributes={"cloudevents.event_type": "OrderPlaced"}))

    assert (row["event_type"], row["destination"]) == (None, None)


def test_flow_key_is_the_first_of_the_configured_attributes_that_a_span_has() -> None:
    one = span(attributes={"tenant": "T", "flow.key": "F", "order.id": "A-1"})

    assert read(one)["flow_key"] == "A-1"
    assert read(one, naming=Naming(("basket", "flow.key", "order.id")))["flow_key"] == "F"
    assert read(one, naming=Naming(("basket",)))["flow_key"] is None
    assert read(one, naming=Naming(()))["flow_key"] is None


@pytest.mark.parametrize(
    ("value", "key"),
    [(17, "17"), (True, "true"), (1.5, "1.5"), (b"A-1", "A-1"), ("Ä&<b>", "Ä&<b>"), (" ", " ")],
)
def test_flow_key_may_be_any_plain_value(value: Value, key: str) -> None:
    """In many shops, order numbers are numbers."""
    assert read(span(attributes={"order.id": value}))["flow_key"] == key


@pytest.mark.parametrize("value", ["", None, b"A\n1", b"\xc3\x84", ["A-1"], {"id": "A-1"}])
def test_what_names_nothing_is_passed_over(value: Value) -> None:
    """Otherwise all orders with an empty id would be one flow."""
    assert read(span(attributes={"order.id": value, "order_id": "A-2"}))["flow_key"] == "A-2"


def test_last_of_two_equal_names_counts() -> None:
    """As in a map whose key is set twice."""
    one = span(attributes={"order.id": "first"})
    one.attributes.add(key="order.id", value=any_value("second"))

    assert read(one)["flow_key"] == "second"


@pytest.mark.parametrize(
    ("flags", "kind", "remote"),
    [
        (0x300, PRODUCER, True),
        (0x100, CONSUMER, False),
        (0, CONSUMER, True),  # a sender that does not know the flag
        (0, PRODUCER, False),
        (0xFFFFFFFF, PRODUCER, True),
    ],
)
def test_parent_is_remote_as_flags_say_or_as_consumers_parents_are(
    flags: int, kind: int, remote: bool
) -> None:
    one = span(kind=kind)
    one.flags = flags

    assert read(one)["remote"] is remote


def test_times_beyond_the_calendar_are_its_end() -> None:
    """Nanoseconds beyond 63 bits would be negative, and so lie before everything else."""
    row = read(span(start=2**64 - 1, end=2**63))

    assert (row["start"], row["end"], row["received"]) == (2**63 - 1, 2**63 - 1, NOW)


def test_failure_says_why_and_success_says_nothing() -> None:
    failed, fine = read(span(error="no stock")), read(span())

    assert (failed["failed"], failed["error"]) == (True, "no stock")
    assert (fine["failed"], fine["error"]) == (False, None)


@pytest.mark.parametrize(
    ("attributes", "final"),
    [
        ({"messaging.system": "nats"}, True),
        ({"messaging.system": "nats", "messaging.nats.stream": "SHOP"}, False),
        ({"messaging.system": "kafka"}, False),
        ({}, False),
    ],
)
def test_failure_is_final_where_the_broker_does_not_deliver_again(
    attributes: dict[str, Value], final: bool
) -> None:
    """Core NATS forgets a message as soon as it delivers it."""
    assert read(span(kind=CONSUMER, attributes=attributes))["final"] is final


def test_rows_keep_their_order_however_the_table_is_cut() -> None:
    """Each row must describe the span of the same row."""
    spans = [
        span(
            f"{number}",
            attributes={"order.id": number, **{f"x{k}": k for k in range(number)}},
            links=[("t", "l")],
        )
        for number in range(6)
    ]
    whole = table(request(*spans))
    pieces = pa.concat_tables([whole.slice(0, 2), whole.slice(2, 0), whole.slice(2)])

    assert conventions.read(pieces).to_pylist() == conventions.read(whole).to_pylist()
    assert conventions.read(pieces)["flow_key"].to_pylist() == [str(number) for number in range(6)]
    assert conventions.read(whole.slice(3, 2))["flow_key"].to_pylist() == ["3", "4"]


def test_no_spans_give_no_rows() -> None:
    rows = conventions.read(SPANS.empty_table())

    assert (rows.num_rows, rows.schema) == (0, READINGS)
