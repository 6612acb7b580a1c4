"""One CONSUMER span per handled message: linked to its sender's span, a child of it, and current."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import ConsumerConfig
from nats.js.client import JetStreamContext
from opentelemetry import trace
from opentelemetry.instrumentation.nats import NatsInstrumentor, process
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import StatusCode

from .support import Spans, id_of, links_of, parent_of, trace_of, until


async def ignore(message: Msg) -> None:
    """Handle nothing."""


async def test_callback_span_is_linked_to_the_sender_and_its_child(nc: Client, spans: Spans) -> None:
    """The link is how the conventions express causality; the parent keeps the flow in one trace."""
    seen: list[int] = []

    async def handle(message: Msg) -> None:
        seen.append(trace.get_current_span().get_span_context().span_id)
        await nc.publish("plain.caused", b"")

    await nc.subscribe("plain.*.placed", queue="stock", cb=handle)
    await nc.publish("plain.7.placed", b"abc")
    await until(lambda: spans.handled)

    (handled,) = spans.handled
    first, second = sorted(spans.sent, key=lambda span: span.start_time or 0)
    assert handled.name == "process plain.*.placed"
    assert links_of(handled) == [id_of(first)]
    assert parent_of(handled) == id_of(first)
    assert parent_of(second) == id_of(handled)
    assert seen == [id_of(handled)]
    assert {trace_of(span) for span in spans.all} == {trace_of(first)}
    attributes = dict(handled.attributes or {})
    assert attributes.pop("server.port") == nc.connected_url.port  # type: ignore[union-attr]
    assert attributes == {
        "messaging.system": "nats",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "plain.7.placed",
        "messaging.destination.template": "plain.*.placed",
        "messaging.consumer.group.name": "stock",
        "messaging.client.id": str(nc.client_id),
        "messaging.message.body.size": 3,
        "server.address": "127.0.0.1",
    }


async def test_handler_error_is_on_its_span_and_propagates_unchanged(nc: Client, spans: Spans) -> None:
    """nats-py passes it to the host's error callback, which must get the same object."""
    raised = ValueError("out of stock")
    reported: list[Exception] = []

    async def handle(message: Msg) -> None:
        raise raised

    async def report(error: Exception) -> None:
        reported.append(error)

    nc._error_cb = report
    await nc.subscribe("plain.fails", cb=handle)
    await nc.publish("plain.fails", b"")
    await until(lambda: reported and spans.handled)

    (handled,) = spans.handled
    assert reported == [raised]
    assert handled.status.status_code is StatusCode.ERROR
    assert handled.status.description == "ValueError: out of stock"
    assert (handled.attributes or {})["error.type"] == "ValueError"
    assert [event.name for event in handled.events] == ["exception"]


async def test_context_ends_with_the_handler(nc: Client, spans: Spans) -> None:
    """The next message is a child of its own sender only."""
    await nc.subscribe("plain.many", cb=ignore)
    with spans.tracer.start_as_current_span("ambient"):
        # A subscription made inside a span does not tie its messages to that span.
        await nc.subscribe("plain.many", cb=ignore)
    await nc.publish("plain.many", b"1")
    await nc.publish("plain.many", b"2")
    await until(lambda: len(spans.handled) == 4)
    assert {parent_of(span) for span in spans.handled} == {id_of(span) for span in spans.sent}
    assert all(len(span.links) == 1 for span in spans.handled)


@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "TRACEPARENT"])
async def test_context_is_found_in_any_case(nc: Client, spans: Spans, name: str) -> None:
    """Go writes ``Traceparent``: a case-sensitive lookup would lose its whole flow."""
    with suppress_instrumentation():
        await nc.subscribe("plain.go", cb=ignore)
    subscription = await nc.subscribe("plain.go", cb=ignore)
    with suppress_instrumentation():
        await nc.publish(
            "plain.go", b"", headers={name: f"00-{'a' * 32}-{'b' * 16}-01", "Baggage": "order.id=A-1"}
        )
    await until(lambda: spans.handled)
    (handled,) = spans.handled  # the suppressed subscription made none
    assert parent_of(handled) == int("b" * 16, 16)
    assert links_of(handled) == [int("b" * 16, 16)]
    assert (handled.attributes or {})["order.id"] == "A-1"
    await subscription.unsubscribe()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "rubbish",
        f"00-{'0' * 32}-{'b' * 16}-01",
        f"ff-{'a' * 32}-{'b' * 16}-01",
        f"00-{'A' * 32}-{'b' * 16}-01",
    ],
)
async def test_malformed_context_is_ignored(nc: Client, spans: Spans, value: str) -> None:
    """The message is still handled, in a trace of its own."""
    await nc.subscribe("plain.malformed", cb=ignore)
    with suppress_instrumentation():
        await nc.publish("plain.malformed", b"", headers={"traceparent": value})
    await until(lambda: spans.handled)
    (handled,) = spans.handled
    assert handled.parent is None
    assert not handled.links


async def test_push_consumer_span_names_stream_consumer_and_attempt(
    js: JetStreamContext, spans: Spans
) -> None:
    """JetStream delivers to an inbox: the span names the consumer, not the inbox."""
    attempts: list[int] = []

    async def handle(message: Msg) -> None:
        attempts.append(message.metadata.num_delivered)
        if len(attempts) == 1:
            await message.nak()
        else:
            await message.ack()

    await js.subscribe("orders.*", durable="stock", cb=handle, manual_ack=True)
    acknowledgement = await js.publish("orders.placed", b"x", headers={"ce-id": "e-1"})
    await until(lambda: len(spans.handled) == 2)

    (sent,) = spans.sent
    first, second = (dict(span.attributes or {}) for span in spans.handled)
    assert {span.name for span in spans.handled} == {"process orders.*"}
    assert [links_of(span) for span in spans.handled] == [[id_of(sent)]] * 2
    assert (first["messaging.nats.delivery_count"], second["messaging.nats.delivery_count"]) == (1, 2)
    assert second["messaging.nats.stream"] == "ORDERS"
    assert second["messaging.nats.consumer"] == "stock"
    assert second["messaging.nats.sequence"] == acknowledgement.seq
    assert second["messaging.consumer.group.name"] == "stock"
    assert second["messaging.message.id"] == "e-1"


async def test_callback_that_nats_py_acknowledges_has_one_span(js: JetStreamContext, spans: Spans) -> None:
    """Without `manual_ack` nats-py wraps the callback again; there is still one span."""
    await js.subscribe("orders.placed", "workers", cb=ignore)
    await js.publish("orders.placed", b"x")
    await until(lambda: spans.handled)
    await asyncio.sleep(0.05)
    (handled,) = spans.handled
    assert (handled.attributes or {})["messaging.consumer.group.name"] == "workers"
    assert len(spans.all) == 2


async def test_process_marks_a_message_from_any_subscription(nc: Client, spans: Spans) -> None:
    """Only the host knows where it handles an iterator's messages."""
    subscription = await nc.subscribe("plain.iterated", queue="readers")
    await nc.publish("plain.iterated", b"")
    message = await subscription.next_msg()
    async with process(message) as span:
        await nc.publish("plain.after", b"")
    (handled,) = spans.handled
    assert span.get_span_context().span_id == id_of(handled)
    first, second = sorted(spans.sent, key=lambda span: span.start_time or 0)
    assert (parent_of(handled), parent_of(second)) == (id_of(first), id_of(handled))
    assert (handled.attributes or {})["messaging.consumer.group.name"] == "readers"


async def test_span_around_the_handling_is_linked(nc: Client, spans: Spans) -> None:
    """The parent is the sender's span, so the host's own span around it becomes a link."""
    subscription = await nc.subscribe("plain.ambient")
    await nc.publish("plain.ambient", b"")
    message = await subscription.next_msg()
    with spans.tracer.start_as_current_span("work") as work, process(message):
        pass
    (handled,) = spans.handled
    assert links_of(handled) == [id_of(spans.sent[0]), work.get_span_context().span_id]


async def test_live_subscriptions_stop_tracing_after_uninstrument(nc: Client, spans: Spans) -> None:
    seen: list[Msg] = []

    async def handle(message: Msg) -> None:
        seen.append(message)

    await nc.subscribe("plain.later", cb=handle)
    NatsInstrumentor().uninstrument()
    await nc.publish("plain.later", b"")
    await until(lambda: seen)
    async with process(seen[0]) as span:
        assert not span.is_recording()
    assert spans.all == ()


async def test_plain_function_is_refused_as_nats_py_does(nc: Client, spans: Spans) -> None:
    with pytest.raises(Error, match="coroutine"):
        await nc.subscribe("plain.refused", cb=lambda message: None)  # type: ignore[arg-type, return-value]


async def test_consumer_with_several_filters_names_the_one_that_matched(
    js: JetStreamContext, spans: Spans
) -> None:
    """A template serves to group spans; a list of all filters would group nothing."""
    config = ConsumerConfig(filter_subjects=["orders.placed", "orders.paid.*"])
    pull = await js.pull_subscribe("", durable="both", stream="ORDERS", config=config)
    await js.publish("orders.paid.late", b"")
    await js.publish("orders.placed", b"")
    for message in await pull.fetch(2):
        async with process(message):
            await message.ack()
    assert [span.name for span in spans.handled] == ["process orders.paid.*", "process orders.placed"]
