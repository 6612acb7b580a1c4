"""What is an event called? Nothing in its name differs from message to message, and no name is lost."""

import string
from random import Random
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collector import conventions
from collector.config import Config, ConfigError
from collector.conventions import Naming
from collector.conventions.generalised import generalised
from collector.conventions.random_words import random_words
from collector.model.spans import Kind
from collector.stitching import stitch
from tests.documents import document
from tests.factories import Value, request, span, table

BASE62 = string.ascii_letters + string.digits
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# What people write into names: none of it may be taken for an id.
_WRITTEN = """
    orders placed v2 http2 s3-uploads OrderPlaced OrderV2Placed XMLHttpRequest GetUserByIdV2 Envelope`1
    OAuth2TokenIssued EC2InstanceStateChange IPv4Addr B2BOrder2Cash HL7v2Message MT103Received PSD2ConsentV3
    iso8601 utf-8 http-404 sha256sum base64 x86_64 k8s face2face decade80s retry-1 level-12 a2bConverted
    invoice_pdf_generated größe 注文 {orderId} * > com UserMFAEnabled notificationpreferencesset deadbeef Z
"""
NAMES = _WRITTEN.split()
names = st.sampled_from(NAMES)
ids = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda one: one.hex),
    st.tuples(st.sampled_from("01234567"), st.text(CROCKFORD, min_size=25, max_size=25)).map("".join),
    st.text("0123456789abcdef", min_size=12, max_size=40).filter(lambda one: any(map(str.isdigit, one))),
    st.integers(0, 10**30).map(str),
    st.dates().map(str),
    st.integers(10_000, 10**9).map("ORD{}".format),
)
separators = st.sampled_from([".", "/", ":", " ", "|", ", "])


def short(*texts: str) -> list[str]:
    found: list[str] = generalised(pa.array(texts, pa.string())).to_pylist()
    return found


@given(st.lists(st.tuples(names, separators), min_size=1, max_size=6), ids, st.integers(0, 5))
def test_no_event_type_holds_an_id(parts: list[tuple[str, str]], one: str, place: int) -> None:
    """Two orders would have two event types, of which nothing could be learned."""
    before, after = parts[:place], parts[place:]
    text = "".join(word + sign for word, sign in before) + one + "".join(sign + word for word, sign in after)
    expected = "".join(w + s for w, s in before) + "*" + "".join(s + w for w, s in after)

    assert short(text) == [expected]


@given(st.lists(names, min_size=1, max_size=6), separators)
def test_names_that_people_write_stay(parts: list[str], separator: str) -> None:
    """Two event types that became one would hide that one of them stopped."""
    assert short(separator.join(parts)) == [separator.join(parts)]


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_was_left_out_stays_out_and_rows_stay_apart(one: str, other: str) -> None:
    """A name that is read again, or beside others, is the same name."""
    assume("\0" not in one + other and "\1" not in one + other)
    alone = short(one)

    assert short(one, other) == [*alone, *short(other)]
    assert short(*alone) == short(*short(*alone))


def test_words_drawn_at_random_are_recognized() -> None:
    """The shorter a word is, the less it proves: the rest would be event types of their own."""
    rng = Random(7)
    for length, least in ((10, 0.9), (16, 0.99), (22, 0.999)):
        drawn = {"".join(rng.choices(BASE62, k=length)) for _ in range(5_000)}
        mixed = [word for word in drawn if not word.isupper() and not word.islower()]
        assert random_words(pa.array(mixed)).mean() >= least


def test_short_random_words_are_recognized_and_names_are_not() -> None:
    """What people write must stay."""
    drawn = [
        "k3j9x2m7q1",
        "7ZQ4K9X2",
        "aB3xK9pQ",
        "x7Hf2LpQ9w",
        "V1StGXR8",
        "Zk5LmQ2rTv",
        "9fKp2XwQz7Lm",
        "qW8eR5tY1uI",
    ]

    assert random_words(pa.array(drawn)).all()
    assert [word for word, found in zip(NAMES, random_words(pa.array(NAMES)), strict=True) if found] == []
    assert short("orders.V1StGXR8_Z5jdHi6B-myT.placed", "shop-svc.cjld2cjxh0000qzrmn831i7rn") == [
        "orders.*.placed",
        "shop-svc.*",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orders-2026-12-01", "orders-*"),
        ("ORD-2026-00017", "ORD-*"),
        ("shop.order_12345.placed", "shop.order_*.placed"),
        ("reply-550e8400-e29b-41d4-a716-446655440000-x", "reply-*-x"),
        ("parcels-partition-12", "parcels"),
        ("orders_shard_0", "orders"),
        ("orders.partition.3", "orders"),
        ("shardId-000000000003", "shardId-*"),
        ("orders[3]", "orders[*]"),
        ("com.shop.placed.v1.0.2", "com.shop.placed.v1.0.2"),
        ("Shop:OrderPlaced:1.0", "Shop:OrderPlaced:1.0"),
        ("", ""),
    ],
)
def test_what_differs_is_left_out_between_hyphens_as_well(text: str, expected: str) -> None:
    assert short(text) == [expected]


def event_type(name: str, said: dict[str, Value], patterns: tuple[str, ...] = ()) -> str:
    one = span(name, kind=Kind.PRODUCER, attributes=said)
    (row,) = conventions.read(table(request(one)), Naming(event_names=patterns)).to_pylist()
    return str(row["event_type"])


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("ChargeCard publish", {"messaging.destination": "default"}, "ChargeCard"),
        ("default publish", {"messaging.destination": "default"}, "default"),
        ("send", {"messaging.destination.name": "orders"}, "orders"),
        ("send", {}, "send"),
        ("place order", {"messaging.destination": "queue"}, "place order"),
        (
            "send",
            {"cloudevents.event_type": "task.create", "messaging.destination": "tasks"},
            "task.create",
        ),
        ("send", {"cloudevents.event_type": "message", "messaging.destination": "chat"}, "chat"),
        ("Parcels", {"messaging.destination.name": "8f14e45f"}, "Parcels"),
        ("send", {"messaging.destination.name": str(UUID(int=7**40))}, "*"),
    ],
)
def test_what_says_nothing_is_a_name_only_where_nothing_else_is_known(
    name: str, said: dict[str, Value], expected: str
) -> None:
    assert event_type(name, said) == expected


@pytest.mark.parametrize(
    ("patterns", "destination", "expected"),
    [
        (("shop.*.sent",), "shop.eu.sent", "shop.*.sent"),
        (("shop.*.sent",), "shop.eu.west.sent", "shop.eu.west.sent"),
        (("shop.**.sent=Sent",), "shop.eu.west.sent", "Sent"),
        (("!errors.*", "**=other"), "errors.404", "errors.404"),
        (("!errors.*", "**=other"), "errors.404.5", "other"),
        (("a(b|c)+.*",), "a(b|c)+.7", "a(b|c)+.*"),
        (("ab.*",), "abc.7", "abc.*"),
        (("!default",), "default", "default"),
    ],
)
def test_users_have_the_last_word(patterns: tuple[str, ...], destination: str, expected: str) -> None:
    """What the collector takes for an id may be a name, and what it takes for a name an id."""
    said: dict[str, Value] = {"messaging.destination.name": destination}

    assert event_type("x publish", said, patterns) == expected


@pytest.mark.parametrize(
    "value", ["=OrderPlaced", "orders.*=", "!", "!errors.*=Error", "x" * 201, ",".join(["a"] * 101), "a\x07b"]
)
def test_a_pattern_that_names_nothing_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="CHOREOSCOPE_EVENT_NAMES has"):
        Config.from_env({"CHOREOSCOPE_EVENT_NAMES": value})


def test_what_was_left_out_is_told() -> None:
    """The user sees that several names were taken for one, and where."""
    subject: dict[str, Value] = {
        "messaging.system": "nats",
        "messaging.destination.name": "seats.c9f0f895.taken",
    }
    template: dict[str, Value] = {**subject, "messaging.destination.template": "seats.c9f0f895.taken"}
    sent = span("seats.c9f0f895.taken publish", id="sent", kind=Kind.PRODUCER, attributes=subject)
    here = span(
        "seats.c9f0f895.taken receive", id="here", parent="sent", kind=Kind.CONSUMER, attributes=template
    )
    lost = span(
        "seats.7a1b2c3d.taken receive",
        id="lost",
        trace="other",
        parent="not here",
        kind=Kind.CONSUMER,
        attributes={"messaging.destination.name": "seats.7a1b2c3d.taken"},
    )
    answer = document(stitch(conventions.read(table(request(sent, here, lost)))))

    (message,) = answer["messages"]
    assert (message["event_type"], message["destination"]) == ("seats.*.taken", "seats.c9f0f895.taken")
    told = {note["ref"].split(":")[1] for note in answer["notes"] if note["kind"] == "general_name"}
    assert told == {sent.span_id.hex(), lost.span_id.hex()}
