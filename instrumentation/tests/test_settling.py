"""Whether, when and how a message was settled."""

import asyncio
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.errors import MsgAlreadyAckdError
from nats.js.api import ConsumerConfig
from nats.js.client import JetStreamContext
from opentelemetry.instrumentation.nats import process, process_batch
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from .support import Spans, id_of, links_of, parent_of, until

Pull = JetStreamContext.PullSubscription


@pytest.fixture
async def pull(js: JetStreamContext) -> Pull:
    return await js.pull_subscribe(
        "orders.placed", durable="stock", config=ConsumerConfig(ack_wait=30, max_deliver=5)
    )


def said(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def outcome(span: ReadableSpan) -> object:
    return (span.attributes or {}).get("messaging.nats.outcome")


@pytest.mark.parametrize(
    ("settle", "expected", "details"),
    [
        (lambda message: message.ack(), "ack", {}),
        (lambda message: message.ack_sync(), "ack", {}),
        (lambda message: message.nak(), "nak", {}),
        (lambda message: message.nak(2), "nak", {"messaging.nats.nak.delay": 2.0}),
        (lambda message: message.nak(delay=0.5), "nak", {"messaging.nats.nak.delay": 0.5}),
        (lambda message: message.term(), "term", {}),
    ],
)
@pytest.mark.parametrize("marked", [True, False])
async def test_each_way_of_settling_is_recorded(
    js: JetStreamContext, pull: Pull, spans: Spans, settle: Any, expected: str, details: object, marked: bool
) -> None:
    await js.publish("orders.placed", b"")
    (message,) = await pull.fetch()
    if marked:
        async with process(message):
            await message.in_progress()
            await settle(message)
    else:
        await message.in_progress()
        await settle(message)
    (handled,) = spans.handled
    assert said(handled) == [("in_progress", {}), (expected, details)]
    assert outcome(handled) == expected
    first, second = (event.timestamp for event in handled.events)
    assert (handled.start_time or 0) < first < second <= (handled.end_time or 0)
    assert len(spans.all) == 2  # one sent, one handled: no span is about an acknowledgement


async def test_handling_that_ends_without_settling_is_visible(js: JetStreamContext, spans: Spans) -> None:
    """It looks like success, but the broker will redeliver."""

    async def forgetful(message: Msg) -> None:
        """Return without settling."""

    await js.subscribe("orders.placed", durable="forgetful", cb=forgetful, manual_ack=True)
    await js.publish("orders.placed", b"")
    await until(lambda: spans.handled)
    assert outcome(spans.handled[0]) == "unsettled"
    assert spans.handled[0].status.status_code is StatusCode.UNSET


async def test_messages_without_acknowledgement_are_never_unsettled(
    js: JetStreamContext, spans: Spans
) -> None:
    """Core NATS, and consumers that do not acknowledge."""
    seen: list[Msg] = []

    async def handle(message: Msg) -> None:
        seen.append(message)

    await js._nc.subscribe("plain.core", cb=handle)
    await js.subscribe("orders.placed", cb=handle, ordered_consumer=True)
    await js._nc.publish("plain.core", b"")
    await js.publish("orders.placed", b"")
    await until(lambda: len(spans.handled) == 2)
    assert [outcome(span) for span in spans.handled] == [None, None]


async def test_settling_twice_raises_as_nats_py_does(js: JetStreamContext, pull: Pull, spans: Spans) -> None:
    await js.publish("orders.placed", b"")
    (message,) = await pull.fetch()
    async with process(message):
        await message.ack()
        with pytest.raises(MsgAlreadyAckdError):
            await message.term()
    (handled,) = spans.handled
    assert said(handled) == [("ack", {}), ("term", {"error.type": "nats.errors.MsgAlreadyAckdError"})]
    assert outcome(handled) == "ack"


async def test_settling_after_the_handling_is_a_child_span(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    """The handling's span has been sent by then, and the nak must not be lost."""
    await js.publish("orders.placed", b"")
    (message,) = await pull.fetch()
    with pytest.raises(RuntimeError):
        async with process(message):
            raise RuntimeError("no stock")
    await message.nak(delay=3)
    (handled,) = spans.handled
    (settled,) = spans.kind(SpanKind.CLIENT)
    assert outcome(handled) == "unsettled"
    assert settled.name == "nak orders.placed"
    assert parent_of(settled) == id_of(handled)
    assert links_of(settled) == [id_of(spans.sent[0])]
    attributes = dict(settled.attributes or {})
    assert attributes["messaging.operation.type"] == "settle"
    assert attributes["messaging.operation.name"] == "nak"
    assert attributes["messaging.nats.nak.delay"] == 3.0
    assert attributes["messaging.nats.outcome"] == "nak"


async def test_batch_records_how_each_message_was_settled(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    await js.publish("orders.placed", b"", headers={"ce-id": "e-1"})
    await js.publish("orders.placed", b"", headers={"ce-id": "e-2"})
    messages = await pull.fetch(2)
    async with process_batch(messages):
        await messages[0].ack()
        await messages[1].nak(delay=1)
    (handled,) = spans.handled
    assert [(event.name, (event.attributes or {})["messaging.message.id"]) for event in handled.events] == [
        ("ack", "e-1"),
        ("nak", "e-2"),
    ]


async def test_hanging_handler_keeps_its_in_progress_event(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    """When it is cancelled, the span says so, and that nothing was settled."""
    await js.publish("orders.placed", b"")
    (message,) = await pull.fetch()

    async def hang() -> None:
        async with process(message):
            await message.in_progress()
            await asyncio.sleep(60)

    task = asyncio.create_task(hang())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    (handled,) = spans.handled
    assert [name for name, _ in said(handled)] == ["in_progress", "exception"]
    assert outcome(handled) == "unsettled"
    assert (handled.attributes or {})["error.type"] == "asyncio.exceptions.CancelledError"
