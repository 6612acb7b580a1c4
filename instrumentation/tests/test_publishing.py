"""One PRODUCER span per message, and its context on the wire."""

import logging
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import BadHeaderError, MaxPayloadError
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, KeyNotFoundError, NoStreamResponseError
from opentelemetry import baggage, propagate
from opentelemetry import context as contexts
from opentelemetry.instrumentation.nats import NatsInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .support import Spans, context_of, id_of, parent_of

EVENT = {
    "ce-id": "e-1",
    "ce-type": "OrderPlaced",
    "ce-source": "/shop/order",
    "ce-subject": "A%2017",
    "ce-specversion": "1.0",
    "correlationid": "flow-1",
    "causationid": "e-0",
}


async def heard(subscription: Subscription) -> Msg:
    """The next message, taken without a span."""
    with suppress_instrumentation():
        return await subscription.next_msg(timeout=5)


async def test_message_carries_the_context_of_the_span_that_sent_it(nc: Client, spans: Spans) -> None:
    """Without it nothing downstream can be traced back to its cause."""
    subscription = await nc.subscribe("plain.one")
    await nc.publish("plain.one", b"body")

    (sent,) = spans.sent
    context = context_of(sent)
    traceparent = ((await heard(subscription)).headers or {})["traceparent"]
    assert traceparent.startswith(
        f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-"
    )


async def test_send_span_follows_the_conventions(nc: Client, spans: Spans) -> None:
    await nc.publish("plain.shape", b"12345", headers=dict(EVENT))

    (sent,) = spans.sent
    assert sent.name == "send plain.shape"
    assert sent.instrumentation_scope is not None
    assert sent.instrumentation_scope.schema_url == "https://opentelemetry.io/schemas/1.44.0"
    attributes = dict(sent.attributes or {})
    assert attributes.pop("server.port") == nc.connected_url.port  # type: ignore[union-attr]
    assert attributes.pop("messaging.client.id") == str(nc.client_id)
    assert attributes == {
        "messaging.system": "nats",
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.destination.name": "plain.shape",
        "messaging.message.body.size": 5,
        "messaging.message.id": "e-1",
        "messaging.message.conversation_id": "flow-1",
        "messaging.message.causation_id": "e-0",
        "cloudevents.event_id": "e-1",
        "cloudevents.event_type": "OrderPlaced",
        "cloudevents.event_source": "/shop/order",
        "cloudevents.event_subject": "A 17",
        "cloudevents.event_spec_version": "1.0",
        "server.address": "127.0.0.1",
    }


async def test_callers_headers_stay_untouched(nc: Client, js: JetStreamContext, spans: Spans) -> None:
    """A host may reuse the dict for the next message, which has another context."""
    headers = {"X-Mine": "1"}
    await nc.publish("plain.copy", b"", headers=headers)
    await js.publish("orders.copy", b"", headers=headers)
    await js.publish("orders.copy", b"", None, None, headers)
    await nc.publish("plain.copy", b"", "", headers)
    assert headers == {"X-Mine": "1"}
    assert len(spans.sent) == 4


async def test_stale_context_in_callers_headers_is_replaced_in_any_case(nc: Client, spans: Spans) -> None:
    """A forwarded message still has its old context; two contexts would contradict each other."""
    subscription = await nc.subscribe("plain.forward")
    await nc.publish("plain.forward", b"", "", {"Traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "Other": "x"})
    headers = (await heard(subscription)).headers or {}
    assert {name for name in headers if name.lower() == "traceparent"} == {"traceparent", "Traceparent"}
    assert format_span_id(id_of(spans.sent[0])) in headers["traceparent"]
    assert headers["Traceparent"] == headers["traceparent"]
    assert headers["Other"] == "x"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, {"traceparent", "Traceparent", "baggage", "Baggage"}),
        ("", {"traceparent", "Traceparent", "baggage", "Baggage"}),
        ("false", {"traceparent", "baggage"}),
    ],
)
async def test_context_is_written_for_readers_of_either_spelling(
    nc: Client, spans: Spans, monkeypatch: pytest.MonkeyPatch, said: str | None, expected: set[str]
) -> None:
    """Go's usual carrier finds capital names alone, exact readers small ones, and NATS.Net at most one."""
    if said is not None:
        monkeypatch.setenv("OTEL_PYTHON_NATS_CAPITAL_HEADERS", said)
    NatsInstrumentor().uninstrument()
    NatsInstrumentor().instrument(tracer_provider=spans.provider)
    subscription = await nc.subscribe("plain.spelling")
    token = contexts.attach(baggage.set_baggage("order.id", "A-17"))
    await nc.publish("plain.spelling", b"")
    contexts.detach(token)
    headers = (await heard(subscription)).headers or {}
    assert set(headers) == expected
    assert len(set(headers.values())) == 2


async def test_message_near_the_limit_goes_with_the_context_once(nc: Client, spans: Spans) -> None:
    """The second spelling must not cost the first."""
    subscription = await nc.subscribe("plain.limit")
    await nc.publish("plain.limit", b"x" * (nc.max_payload - 100))
    assert set((await heard(subscription)).headers or {}) == {"traceparent"}


async def test_baggage_travels_and_its_named_keys_are_attributes(nc: Client, spans: Spans) -> None:
    subscription = await nc.subscribe("plain.baggage")
    token = contexts.attach(baggage.set_baggage("order.id", "A-17"))
    try:
        await nc.publish("plain.baggage", b"")
    finally:
        contexts.detach(token)
    assert ((await heard(subscription)).headers or {})["baggage"] == "order.id=A-17"
    assert (spans.sent[0].attributes or {})["order.id"] == "A-17"


async def test_stream_publish_is_one_span_with_its_acknowledgement(
    js: JetStreamContext, spans: Spans
) -> None:
    """Its inner request, its inbox and its reply are not messages of the host."""
    with spans.tracer.start_as_current_span("handle") as outer:
        acknowledgement = await js.publish("orders.placed", b"x")
    (sent,) = spans.sent
    assert parent_of(sent) == outer.get_span_context().span_id
    attributes = sent.attributes or {}
    assert attributes["messaging.nats.stream"] == "ORDERS"
    assert attributes["messaging.nats.sequence"] == acknowledgement.seq
    assert attributes["messaging.message.id"] == f"ORDERS:{acknowledgement.seq}"
    assert len(spans.all) == 2


async def test_duplicate_is_marked(js: JetStreamContext, spans: Spans) -> None:
    for _ in range(2):
        await js.publish("orders.placed", b"x", headers={"Nats-Msg-Id": "once"})
    first, second = (span.attributes or {} for span in spans.sent)
    assert "messaging.nats.publish.duplicate" not in first
    assert second["messaging.nats.publish.duplicate"] is True
    assert first["messaging.message.id"] == second["messaging.message.id"] == "once"


async def test_publish_after_a_stream_publish_is_not_swallowed(
    js: JetStreamContext, nc: Client, spans: Spans
) -> None:
    """A span's context lives on in tasks started there; only the one inner publish is not a message."""
    await js.publish("orders.first", b"")
    await nc.publish("plain.second", b"")
    assert [span.name for span in spans.sent] == ["send orders.first", "send plain.second"]


async def test_failed_publish_ends_in_an_error_and_raises_it_unchanged(
    nc: Client, js: JetStreamContext, spans: Spans
) -> None:
    with pytest.raises(NoStreamResponseError):
        await js.publish("nobody.listens", b"")
    with pytest.raises(APIError):
        await js.publish("orders.placed", b"", stream="ANOTHER")
    with pytest.raises(BadHeaderError):
        await nc.publish("plain.bad", b"", headers={"no good": "x"})
    assert [span.status.status_code for span in spans.sent] == [StatusCode.ERROR] * 3
    assert [(span.attributes or {})["error.type"] for span in spans.sent] == [
        "nats.js.errors.NoStreamResponseError",
        "nats.js.errors.BadRequestError",
        "nats.errors.BadHeaderError",
    ]
    assert spans.sent[0].events[0].name == "exception"


async def test_misuse_fails_as_it_does_uninstrumented(nc: Client, spans: Spans) -> None:
    """Missing and wrong arguments are the host's mistake, and it must see the original error."""
    with pytest.raises(TypeError, match="subject"):
        await nc.publish()  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        await nc.publish("plain.wrong", b"", headers={"X": 1})  # type: ignore[dict-item]
    with pytest.raises(MaxPayloadError):
        await nc.publish("plain.big", b"x" * (nc.max_payload + 1))


async def test_message_at_the_payload_limit_is_still_sent(nc: Client, spans: Spans) -> None:
    """The server counts headers: ours must not break the connection."""
    subscription = await nc.subscribe("plain.limit")
    await nc.publish("plain.limit", b"x" * nc.max_payload)
    message = await heard(subscription)
    assert len(message.data) == nc.max_payload
    assert message.headers is None
    assert len(spans.sent) == 1


@pytest.mark.parametrize("value", ["v", "\u00e9"])
async def test_headers_at_the_payload_limit_are_still_sent(nc: Client, spans: Spans, value: str) -> None:
    """A server closes the connection of a client that sends more: the host would lose it because of us."""
    size = len(value.encode())
    filling = value * ((nc.max_payload - len(b"NATS/1.0\r\nk: \r\n\r\n") - 8) // size)
    subscription = await nc.subscribe("plain.headers")
    await nc.publish("plain.headers", b"", headers={"k": filling})
    await nc.flush()

    assert (await heard(subscription)).headers == {"k": filling}
    assert nc.is_connected
    assert nc.stats["reconnects"] == 0
    assert [span.name for span in spans.sent] == ["send plain.headers"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("a b", "v"), ("a:b", "v"), ("", "v"), (1, "v"), ("k", b"v"), ("k", 1), ("k", None), ("k", "\ud800")],
)
async def test_propagator_headers_that_nats_does_not_allow_are_dropped(
    nc: Client, spans: Spans, name: Any, value: Any
) -> None:
    """Jaeger's propagator makes a header name of each baggage key: no message may be refused for it."""

    class Odd(TraceContextTextMapPropagator):
        def inject(self, carrier: Any, *context: Any, **setter: Any) -> None:
            super().inject(carrier, *context, **setter)
            carrier[name] = value

    before = propagate.get_global_textmap()
    subscription = await nc.subscribe("plain.odd")
    propagate.set_global_textmap(Odd())
    try:
        await nc.publish("plain.odd", b"", headers={"mine": "1"})
    finally:
        propagate.set_global_textmap(before)

    assert set((await heard(subscription)).headers or {}) == {"mine", "traceparent", "Traceparent"}
    assert [span.status.status_code for span in spans.sent] == [StatusCode.UNSET]


async def test_plumbing_makes_no_spans(nc: Client, js: JetStreamContext, spans: Spans) -> None:
    """API calls, inboxes, acknowledgements, heartbeats and stores are not business messages."""
    await js.streams_info()
    await nc.publish("$SRV.PING", b"")
    await nc.publish(nc.new_inbox(), b"")
    store = await js.create_key_value(bucket="state")
    await store.put("key", b"value")
    with pytest.raises(KeyNotFoundError):
        await store.get("other")
    await js.delete_key_value("state")
    assert spans.all == ()


async def test_unsampled_span_still_propagates_its_context(nc: Client, spans: Spans) -> None:
    """The next service must know that this flow is not sampled."""
    NatsInstrumentor().uninstrument()
    NatsInstrumentor().instrument(tracer_provider=TracerProvider(sampler=ALWAYS_OFF))
    subscription = await nc.subscribe("plain.unsampled")
    await nc.publish("plain.unsampled", b"")
    flags = ((await heard(subscription)).headers or {})["traceparent"].rsplit("-", 1)[1]
    assert int(flags, 16) & 1 == 0


async def test_suppressed_and_uninstrumented_clients_publish_without_context(
    nc: Client, spans: Spans
) -> None:
    subscription = await nc.subscribe("plain.off")
    with suppress_instrumentation():
        await nc.publish("plain.off", b"1")
    NatsInstrumentor().uninstrument()
    await nc.publish("plain.off", b"2")
    assert (await heard(subscription)).headers is None
    assert (await heard(subscription)).headers is None
    assert spans.all == ()


async def test_our_own_failure_is_logged_once_and_never_reaches_the_host(
    nc: Client, spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nothing: dict[str, None] = {}
    monkeypatch.setattr(
        "opentelemetry.instrumentation.nats.publishing.connection", lambda *_: nothing["missing"]
    )
    subscription = await nc.subscribe("plain.broken")
    with caplog.at_level(logging.WARNING, "opentelemetry.instrumentation.nats"):
        for _ in range(3):
            await nc.publish("plain.broken", b"")
    for _ in range(3):
        assert (await heard(subscription)).headers is None
    told = [record for record in caplog.records if "_begin failed" in record.getMessage()]
    assert len(told) == 1
