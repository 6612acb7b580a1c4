"""The flow key from messages themselves, for hosts that have no baggage."""

import json
import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from opentelemetry import baggage
from opentelemetry import context as contexts
from opentelemetry.instrumentation.nats import NatsInstrumentor, process_batch
from opentelemetry.instrumentation.nats.flow_key import LARGEST, flow_key_of

from .support import Spans, attributes, until


def again(spans: Spans, **options: Any) -> None:
    """Instrument the process once more, with *options*."""
    NatsInstrumentor().uninstrument()
    NatsInstrumentor().instrument(tracer_provider=spans.provider, **options)


def key_of(wanted: Any, payload: Any = b"", subject: str = "orders.placed", **headers: Any) -> str | None:
    finder = flow_key_of(wanted)
    assert finder is not None
    return finder(subject, payload, {name.replace("_", "-"): value for name, value in headers.items()})


DEEP = b'{"a":' * 100_000


@pytest.mark.parametrize(
    ("wanted", "payload", "found"),
    [
        ("order_id", b'{"order_id": "A-17"}', "A-17"),
        ("order_id", b' \n{"other": [1, {"order_id": 2}], "order_id": 17 }', "17"),
        ("$.order.id", b'{"order": {"id": "A-17"}}', "A-17"),
        ("order.id", b'{"order.id": "A-17", "order": {"id": "B"}}', "A-17"),
        ("data.order.id", b'{"data": {"order.id": "A-17"}}', "A-17"),
        ("0.order_id", b'[{"order_id": "A-17"}]', "A-17"),
        ("items.1.id", b'{"items": [{"id": 1}, {"id": 2}]}', "2"),
        ("items.2.id", b'{"items": [{"id": 1}, {"id": 2}]}', None),
        ("order, data.order", b'{"order": {"id": 1}, "data": {"order": "A-17"}}', "A-17"),
        ("order.id, id", b'{"order": 5, "id": "A-17"}', "A-17"),
        ("id", b'{"id": "Bestellung \\u00e4 17 "}', "Bestellung ä 17"),
        ("id", bytearray(b'{"id": "A-17"}'), "A-17"),
        ("id", b'{"id": ""}', None),
        ("id", b'{"id": null}', None),
        ("id", b'{"id": true}', None),
        ("id", b'{"id": 1.5}', None),
        ("id", b'{"id": ["A-17"]}', None),
        ("id", b'{"id": "a\\nb"}', None),
        ("id", b'{"id": "' + b"A" * 129 + b'"}', None),
        ("id", b'{"id": ' + b"1" * 5000 + b"}", None),
        ("id", b'{"id": "A-17"', None),
        ("id", b"", None),
        ("id", b'"id"', None),
        ("id", b"\x00\x01id", None),
        ("id", b'{"id": "\xff"}', None),
        ("id", DEEP[: LARGEST - 1], None),
        ("a.a.a.a.a.a.a.a", DEEP[: LARGEST - 1], None),
        ("id", b'{"id": "A-17", "more": "' + b"x" * LARGEST + b'"}', None),
        ("id", None, None),
    ],
)
def test_path_finds_texts_and_integers_in_json(wanted: str, payload: Any, found: str | None) -> None:
    """Everything else names nothing, however it is broken."""
    assert key_of(wanted, payload) == found


@pytest.mark.parametrize(
    ("wanted", "subject", "headers", "found"),
    [
        ("header:X-Order-Id", "a", {"x_order_id": "A-17"}, "A-17"),
        ("header:x-order-id", "a", {"X_ORDER_ID": "A-17"}, "A-17"),
        ("header:x-order-id", "a", {}, None),
        ("ce-subject", "a", {"ce_subject": "order%2017"}, "order 17"),
        ("ce-subject", "a", {"CE_Subject": "A-17"}, "A-17"),
        ("subject:2", "orders.A-17.placed", {}, "A-17"),
        ("subject:-1", "orders.placed.A-17", {}, "A-17"),
        ("subject:4", "orders.A-17.placed", {}, None),
        ("subject:-4", "orders.A-17.placed", {}, None),
        ("order_id,ce-subject,subject:2", "orders.A-17.placed", {}, "A-17"),
        (["header:x", "subject:1"], "orders", {"x": " "}, "orders"),
        (lambda subject, payload, headers: len(payload), "a", {}, "0"),
    ],
)
def test_headers_and_subjects_have_keys_too(
    wanted: Any, subject: str, headers: dict[str, str], found: str | None
) -> None:
    assert key_of(wanted, b"", subject, **headers) == found


@pytest.mark.parametrize("wanted", ["subject:x", "subject:0", "header:", "a..b", "a.b.c.d.e.f.g.h.i", " , "])
def test_option_that_cannot_be_read_is_logged_and_left_out(
    wanted: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in a setting must not stop a service."""
    with caplog.at_level(logging.WARNING):
        assert flow_key_of(wanted) is None
    assert len(caplog.records) == (1 if wanted.strip(" ,") else 0)


def test_sources_are_bounded() -> None:
    assert key_of(",".join(f"f{number}" for number in range(9)), b'{"f8": 1}') is None
    assert key_of(",".join(f"f{number}" for number in range(9)), b'{"f7": 1}') == "1"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "a", "0"]), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(values, st.sampled_from(["id", "a.id", "0.id", "a.0", "id.id"]))
def test_path_agrees_with_a_plain_reading(value: Any, wanted: str) -> None:
    """The parser skips what is not asked for; that must not change what is found."""
    expected = value = msgspec.json.decode(msgspec.json.encode(value))
    for step in wanted.split("."):
        if isinstance(expected, dict):
            expected = expected.get(step)
        elif isinstance(expected, list) and step == "0" and expected:
            expected = expected[0]
        else:
            expected = None
    if not isinstance(expected, str | int) or isinstance(expected, bool):
        expected = None
    if expected is not None:
        expected = str(expected).strip()
        expected = expected if 0 < len(expected) <= 128 and expected.isprintable() else None
    assert key_of(wanted, json.dumps(value).encode()) == expected


async def test_key_of_a_payload_is_on_both_spans_and_on_what_follows(
    nc: Client, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole point: a service that knows nothing of baggage, and one that does not look itself."""
    monkeypatch.setenv("OTEL_PYTHON_NATS_FLOW_KEY", "order_id")
    again(spans)
    carried: list[Any] = []

    async def handle(message: Msg) -> None:
        with spans.tracer.start_as_current_span("database"):
            await nc.publish("plain.followed", b"no json")

    async def follow(message: Msg) -> None:
        carried.append((message.headers or {})["baggage"])

    await nc.subscribe("plain.keyed", cb=handle)
    await nc.subscribe("plain.followed", cb=follow)
    await nc.publish("plain.keyed", b'{"order_id": "A-17"}')
    await until(lambda: len(spans.handled) == 2)
    assert {span.name: attributes(span).get("order.id") for span in spans.all} == {
        "send plain.keyed": "A-17",
        "process plain.keyed": "A-17",
        "database": "A-17",
        "send plain.followed": "A-17",
        "process plain.followed": "A-17",
    }
    assert carried == ["order.id=A-17"]


async def test_key_of_a_message_counts_more_than_the_carried_one(nc: Client, spans: Spans) -> None:
    """A handler of one order may send a message about another, and a stale context may still be current."""
    again(spans, flow_key="order_id", baggage_keys=["tenant"])
    await nc.subscribe("plain.other", cb=_nothing)
    token = contexts.attach(baggage.set_baggage("order.id", "A-1", baggage.set_baggage("tenant", "t")))
    await nc.publish("plain.other", b'{"order_id": "A-2"}')
    contexts.detach(token)
    await until(lambda: spans.handled)
    for span in spans.all:
        assert attributes(span)["order.id"] == "A-2"
        assert attributes(span)["tenant"] == "t"


async def test_a_batch_has_a_key_for_each_message(js: JetStreamContext, spans: Spans) -> None:
    again(spans, flow_key="id")
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    NatsInstrumentor().uninstrument()
    sender = spans.tracer.start_span("sender").get_span_context()
    parent = f"00-{sender.trace_id:032x}-{sender.span_id:016x}-01"
    for number in (1, 2):
        await js.publish("orders.placed", b'{"id": %d}' % number, headers={"traceparent": parent})
    again(spans, flow_key="id")
    messages = await pull.fetch(2)
    async with process_batch(messages) as batch:
        for message in messages:
            with batch.handling(message):
                await js.publish("orders.picked", b"")
    assert [(link.attributes or {})["order.id"] for link in spans.handled[0].links] == ["1", "2"]
    assert [attributes(span)["order.id"] for span in spans.sent] == ["1", "2"]


async def test_messages_are_not_looked_into_unless_requested(nc: Client, spans: Spans) -> None:
    await nc.publish("plain.unkeyed", b'{"order_id": "A-17", "order.id": "A-17"}')
    assert "order.id" not in attributes(spans.sent[0])


async def test_function_that_fails_is_logged_once_and_messages_go_on(
    nc: Client, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("of the host's own making")

    again(spans, flow_key=broken)
    with caplog.at_level(logging.WARNING, "opentelemetry.instrumentation.nats"):
        for _ in range(3):
            await nc.publish("plain.keyless", b"")
    assert len(spans.sent) == 3
    assert len([record for record in caplog.records if "failed" in record.getMessage()]) <= 1


@pytest.mark.parametrize("name", ["order_id", "orderId", "OrderId", "order-id", "ORDER_ID", "orderid"])
async def test_baggage_in_another_spelling_is_the_same_key(nc: Client, spans: Spans, name: str) -> None:
    """Services in Java and JavaScript set the baggage, and each spells it in its own way."""

    async def handle(message: Msg) -> None:
        spans.tracer.start_span("database").end()

    await nc.subscribe("plain.spelled", cb=handle)
    token = contexts.attach(baggage.set_baggage(name, "A-17"))
    await nc.publish("plain.spelled", b"")
    contexts.detach(token)
    await until(lambda: spans.handled)
    assert [attributes(span)["order.id"] for span in spans.all] == ["A-17"] * 3


async def test_exact_spelling_comes_first(nc: Client, spans: Spans) -> None:
    context = baggage.set_baggage("order.id", "A-1", baggage.set_baggage("order_id", "A-2"))
    token = contexts.attach(context)
    await nc.publish("plain.spelled", b"")
    contexts.detach(token)
    assert attributes(spans.sent[0])["order.id"] == "A-1"


async def _nothing(message: Msg) -> None:
    """Handle nothing."""
