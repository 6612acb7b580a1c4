"""The options, and that none of them makes the host fail."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import PubAck
from nats.js.client import JetStreamContext
from opentelemetry import baggage
from opentelemetry import context as contexts
from opentelemetry.instrumentation.nats import NatsInstrumentor, process, process_batch
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import Span, SpanKind

from .support import Spans, attributes, id_of, links_of, parent_of, take, until


def again(spans: Spans, **options: Any) -> None:
    """Instrument the process once more, with *options*."""
    NatsInstrumentor().uninstrument()
    NatsInstrumentor().instrument(tracer_provider=spans.provider, **options)


async def test_hooks_get_the_span_and_what_it_is_about(
    nc: Client, js: JetStreamContext, spans: Spans
) -> None:
    seen: list[tuple[str, Any]] = []

    def asked(span: Span, subject: str, payload: bytes, headers: Any) -> None:
        span.set_attribute("host.size", len(payload))
        seen.append((subject, headers))

    def answered(span: Span, answer: Any) -> None:
        span.set_attribute("host.answer", str(answer.seq if isinstance(answer, PubAck) else answer.data))

    def handled(span: Span, message: Msg) -> None:
        span.set_attribute("host.message", message.data)

    again(spans, request_hook=asked, response_hook=answered, process_hook=handled)

    async def reply(message: Msg) -> None:
        await message.respond(b"yes")

    await nc.subscribe("plain.ask", cb=reply)
    await nc.request("plain.ask", b"12", headers={"X": "1"})
    await js.publish("orders.placed", b"123")
    assert seen == [("plain.ask", {"X": "1"}), ("orders.placed", None)]
    assert [attributes(span)["host.size"] for span in spans.sent] == [2, 3]
    assert [attributes(span)["host.answer"] for span in spans.sent] == ["b'yes'", "1"]
    assert attributes(spans.handled[0])["host.message"] == b"12"


def broken_function(*_: Any) -> Any:
    raise RuntimeError("of the host's own making")


@dataclass
class BrokenObject:
    """Unhashable, as dataclasses are."""

    name: str = "broken"

    def __call__(self, *_: Any) -> Any:
        raise RuntimeError("of the host's own making")


@pytest.mark.parametrize("broken", [broken_function, BrokenObject()], ids=["function", "object"])
async def test_hook_that_fails_is_logged_once_and_messages_go_on(
    nc: Client, spans: Spans, caplog: pytest.LogCaptureFixture, broken: Any
) -> None:
    again(spans, request_hook=broken, process_hook=broken, destination_template=broken)
    await nc.subscribe("plain.7", cb=take)
    with caplog.at_level(logging.WARNING, "opentelemetry.instrumentation.nats"):
        for _ in range(3):
            await nc.publish("plain.7", b"")
        await until(lambda: len(spans.handled) == 3)
    assert [span.name for span in spans.sent] == ["send plain.*"] * 3
    assert len([record for record in caplog.records if "failed" in record.getMessage()]) == 1


async def test_template_function_replaces_ids_that_only_the_host_knows(nc: Client, spans: Spans) -> None:
    def template(subject: str) -> str | None:
        return "pets.*" if subject.startswith("pets.") else None

    again(spans, destination_template=template)
    await nc.subscribe("pets.rex", cb=take)
    await nc.publish("pets.rex", b"")
    await nc.publish("orders.17", b"")
    await until(lambda: spans.handled)
    assert [span.name for span in spans.sent] == ["send pets.*", "send orders.*"]
    assert spans.handled[0].name == "process pets.*"
    assert attributes(spans.sent[0])["messaging.destination.template"] == "pets.*"
    assert attributes(spans.sent[0])["messaging.destination.name"] == "pets.rex"


async def test_old_attribute_names_are_added_on_request(
    nc: Client, js: JetStreamContext, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http, messaging/dup")
    again(spans)
    pull = await js.pull_subscribe("orders.*", durable="stock")
    await js.publish("orders.placed", b"12", headers={"ce-id": "e-1", "correlationid": "flow-1"})
    (message,) = await pull.fetch()
    await message.ack()
    (sent,), (handled,) = spans.sent, spans.handled
    for span, operation in ((sent, "publish"), (handled, "process")):
        said = attributes(span)
        assert said["messaging.operation"] == operation
        assert said["messaging.destination"] == said["messaging.destination.name"] == "orders.placed"
        assert said["messaging.client_id"] == said["messaging.client.id"]
        assert said["messaging.message_id"] == said["messaging.message.id"] == "e-1"
        assert said["messaging.conversation_id"] == "flow-1"
        assert said["messaging.message_payload_size_bytes"] == said["messaging.message.body.size"] == 2


async def test_old_attribute_names_are_left_out_otherwise(
    nc: Client, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "messaging")
    again(spans)
    await nc.publish("plain.new", b"")
    assert "messaging.operation" not in attributes(spans.sent[0])


async def test_stores_are_messages_on_request(js: JetStreamContext, spans: Spans) -> None:
    again(spans, stores=True)
    store = await js.create_key_value(bucket="state")
    watcher = await store.watch("*")
    await store.put("order-A-17", b"value")
    await until(lambda: spans.handled)
    await watcher.stop()  # type: ignore[no-untyped-call]
    await js.delete_key_value("state")
    assert [span.name for span in spans.sent] == ["send $KV.state.>"]
    assert {span.name for span in spans.handled} == {"process $KV.state.*"}


async def test_handling_is_announced_when_it_begins(js: JetStreamContext, nc: Client, spans: Spans) -> None:
    """The span of a handler that hangs never arrives; its announcement arrives at once."""
    again(spans, started=True)
    release = asyncio.Event()

    async def hang(message: Msg) -> None:
        await release.wait()

    await js.subscribe("orders.placed", durable="stock", cb=hang, manual_ack=True)
    await js.publish("orders.placed", b"", headers={"ce-id": "e-1", "baggage": "order.id=A-1"})
    await until(lambda: spans.kind(SpanKind.INTERNAL))
    (started,) = spans.kind(SpanKind.INTERNAL)
    assert spans.handled == []
    assert started.name == "started orders.placed"
    assert started.start_time == started.end_time
    assert parent_of(started) == id_of(spans.sent[0])
    said = attributes(started)
    assert said["messaging.operation.name"] == "started"
    assert "messaging.operation.type" not in said
    assert said["messaging.consumer.group.name"] == "stock"
    assert said["messaging.message.id"] == "e-1"
    assert said["messaging.nats.delivery_count"] == 1
    assert said["order.id"] == "A-1"
    release.set()
    await until(lambda: spans.handled)
    assert links_of(started) == [id_of(spans.handled[0])]


async def test_every_announcement_has_its_handling(js: JetStreamContext, spans: Spans) -> None:
    """An announcement without one would look like a handler that hangs."""
    again(spans, started=True)
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    for _ in range(6):
        await js.publish("orders.placed", b"")
    (first,) = await pull.fetch()
    async with process(first):
        await first.ack()
    messages = await pull.fetch(2)
    async with process_batch(messages):
        for message in messages:
            await message.ack()
    other = await js.pull_subscribe("orders.placed", durable="other")
    looked_at = await other.fetch(3)
    sizes = [len(message.data) for message in looked_at]
    async with process_batch(looked_at):
        assert sizes == [0, 0, 0]
    started = spans.kind(SpanKind.INTERNAL)
    assert {links_of(span)[0] for span in started} == {id_of(span) for span in spans.handled}
    assert len(started) == len(spans.handled)


async def test_failing_span_processor_loses_no_handling_span(
    js: JetStreamContext, nc: Client, spans: Spans
) -> None:
    """The host does not see the failure, and no span stays open because of it."""
    begun: list[str] = []

    class Failing(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            begun.append(span.name)

        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError

    spans.provider.add_span_processor(Failing())
    again(spans, started=True)
    await nc.subscribe("plain.failing", cb=take)
    await nc.publish("plain.failing", b"")
    for _ in range(2):
        await js.publish("orders.placed", b"")
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    messages = await pull.fetch(2)
    async with process_batch(messages):
        await messages[0].ack()
    with pytest.raises(KeyError):
        async with process_batch(messages):
            raise KeyError
    await until(lambda: "process plain.failing" in begun and len(spans.all) == len(begun))
    assert sorted(span.name for span in spans.all) == sorted(begun)
    assert begun.count("process orders.placed") == 2


async def test_baggage_reaches_every_span_of_the_service(nc: Client, spans: Spans) -> None:
    """Even those of libraries that know nothing of messages, but not those of other flows."""

    async def handle(message: Msg) -> None:
        with spans.tracer.start_as_current_span("database"):
            pass

    await nc.subscribe("plain.carried", cb=handle)
    await nc.publish("plain.carried", b"", headers={"baggage": "other=1"})
    token = contexts.attach(baggage.set_baggage("order.id", "A-1"))
    await nc.publish("plain.carried", b"")
    contexts.detach(token)
    await until(lambda: len(spans.handled) == 2)
    assert [attributes(span).get("order.id") for span in spans.kind(SpanKind.INTERNAL)] == [None, "A-1"]
    assert all("other" not in attributes(span) for span in spans.all)


async def test_baggage_reaches_no_span_after_uninstrument(spans: Spans) -> None:
    NatsInstrumentor().uninstrument()
    context = baggage.set_baggage("order.id", "A-1")
    spans.tracer.start_span("database", context).end()
    assert attributes(spans.all[0]) == {}


async def test_baggage_keys_may_come_from_the_environment(
    nc: Client, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_NATS_BAGGAGE_KEYS", "tenant, cart.id")
    again(spans)
    context = baggage.set_baggage("tenant", "t", baggage.set_baggage("order.id", "A-1"))
    token = contexts.attach(context)
    await nc.publish("plain.env", b"")
    contexts.detach(token)
    assert attributes(spans.sent[0])["tenant"] == "t"
    assert "order.id" not in attributes(spans.sent[0])
