"""What is instrumented, and that nothing of it stays or gets in the way of others."""

import asyncio
import functools
import inspect
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry import trace
from opentelemetry.instrumentation.nats import NatsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from wrapt import wrap_function_wrapper

from .support import Spans, arrived, attributes, id_of, parent_of, take, until


async def test_one_client_instrumented(nats_url: str) -> None:
    """With the subscriptions it already has; uninstrumenting restores everything."""
    spans, seen = Spans(), asyncio.Queue[bytes]()

    async def handle(message: Msg) -> None:
        await seen.put(message.data)

    ours, others = await nats.connect(nats_url), await nats.connect(nats_url)
    earlier = await ours.subscribe("alone", cb=handle)
    await others.subscribe("alone", cb=handle)
    await arrived(ours)
    await arrived(others)
    NatsInstrumentor.instrument_client(ours, tracer_provider=spans.provider)
    try:
        await ours.subscribe("alone", cb=handle)
        await arrived(ours)
        await ours.publish("alone", b"1")
        await others.publish("alone", b"2")
        for _ in range(6):
            await asyncio.wait_for(seen.get(), 5)
        await until(lambda: len(spans.handled) == 4)
        assert len(spans.sent) == 1
        NatsInstrumentor.uninstrument_client(ours)
        assert earlier._cb is handle
        assert not hasattr(Client.publish, "__wrapped__")
        await ours.publish("alone", b"3")
        for _ in range(3):
            await asyncio.wait_for(seen.get(), 5)
        assert len(spans.all) == 5
    finally:
        NatsInstrumentor.uninstrument_client(ours)
        await ours.close()
        await others.close()


async def test_one_client_uninstrumented(nc: Client, nats_url: str, spans: Spans) -> None:
    quiet = await nats.connect(nats_url)
    NatsInstrumentor.uninstrument_client(quiet)
    await quiet.publish("plain.quiet", b"")
    await nc.publish("plain.loud", b"")
    await quiet.close()
    assert [span.name for span in spans.sent] == ["send plain.loud"]


async def test_unsampled_messages_are_not_described(
    nc: Client, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attributes that nobody will see are not computed."""
    provider = TracerProvider(sampler=ALWAYS_OFF)
    NatsInstrumentor().uninstrument()
    NatsInstrumentor().instrument(tracer_provider=provider)
    described: list[object] = []
    for name in ("add_message", "add_headers", "add_delivery"):
        monkeypatch.setattr(
            f"opentelemetry.instrumentation.nats.attributes.{name}",
            lambda *details: described.extend(details),
        )
    seen: list[int] = []

    async def handle(message: Msg) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_flags & 1)

    await nc.subscribe("plain.unsampled", cb=handle)
    await nc.publish("plain.unsampled", b"", headers={"ce-id": "e-1"})
    await until(lambda: seen)
    assert seen == [0]
    assert described == []


def test_event_loops_in_threads_do_not_interfere(nats_url: str, spans: Spans) -> None:
    """A context belongs to a task, and no state of the package belongs to a loop."""

    def one(number: int) -> None:
        async def main() -> None:
            client = await nats.connect(nats_url)
            done = asyncio.Event()
            count = 0

            async def handle(message: Msg) -> None:
                nonlocal count
                await client.publish(f"answer.{number}", message.data)
                count += 1
                if count == 50:
                    done.set()

            await client.subscribe(f"loops.{number}.>", cb=handle)
            for _ in range(50):
                await client.publish(f"loops.{number}.x", b"")
            await asyncio.wait_for(done.wait(), 20)
            await client.close()

        asyncio.run(main())

    async def together() -> None:
        await asyncio.gather(*(asyncio.to_thread(one, number) for number in range(4)))

    asyncio.run(together())
    by_id = {id_of(span): span for span in spans.all}
    answers = [
        span for span in spans.sent if attributes(span)["messaging.destination.name"].startswith("answer.")
    ]
    assert len(answers) == 200
    for answer in answers:
        handled = by_id[parent_of(answer) or 0]
        number = attributes(answer)["messaging.destination.name"].rpartition(".")[2]
        assert attributes(handled)["messaging.destination.template"] in (f"loops.{number}.>", "loops.*.>")


async def test_later_wrapper_of_publish_survives_uninstrument(nc: Client, spans: Spans) -> None:
    """Removing our wrapper must not remove theirs; restoring ours must not make two spans per message."""
    ours = Client.publish
    seen: list[str] = []

    @functools.wraps(ours)
    async def theirs(self: Client, subject: str, *args: Any, **kwargs: Any) -> None:
        seen.append(subject)
        await ours(self, subject, *args, **kwargs)

    Client.publish = theirs  # type: ignore[method-assign]
    try:
        NatsInstrumentor().uninstrument()
        await nc.publish("plain.first", b"")
        assert spans.sent == []
        NatsInstrumentor().instrument(tracer_provider=spans.provider)
        await nc.publish("plain.second", b"")
        assert [span.name for span in spans.sent] == ["send plain.second"]
        assert seen == ["plain.first", "plain.second"]
    finally:
        Client.publish = ours  # type: ignore[method-assign]
    NatsInstrumentor().uninstrument()
    assert not hasattr(Client.publish, "__wrapped__")
    assert inspect.iscoroutinefunction(Client.publish)


@pytest.mark.parametrize("by_wrapt", [True, False])
async def test_later_wrapper_of_subscribe_survives_uninstrument(
    nc: Client, spans: Spans, by_wrapt: bool
) -> None:
    """As with publish: one span per handling, and their wrapper stays."""
    ours = vars(Client)["subscribe"]
    seen: list[str] = []

    async def around(wrapped: Any, _client: Any, args: Any, kwargs: Any) -> Any:
        seen.append(args[0])
        return await wrapped(*args, **kwargs)

    @functools.wraps(ours)
    async def theirs(self: Client, *args: Any, **kwargs: Any) -> Any:
        return await around(functools.partial(ours, self), self, args, kwargs)

    if by_wrapt:
        wrap_function_wrapper(Client, "subscribe", around)
    else:
        Client.subscribe = theirs  # type: ignore[method-assign]
    try:
        NatsInstrumentor().uninstrument()
        await nc.subscribe("plain.first", cb=take)
        NatsInstrumentor().instrument(tracer_provider=spans.provider)
        await nc.subscribe("plain.second", cb=take)
        assert seen == ["plain.first", "plain.second"]
        await nc.publish("plain.second", b"")
        await until(lambda: spans.handled)
        assert [span.name for span in spans.handled] == ["process plain.second"]
    finally:
        Client.subscribe = ours  # type: ignore[method-assign]
    NatsInstrumentor().uninstrument()
    assert not hasattr(Client.subscribe, "__wrapped__")


async def test_a_sampler_finds_every_attribute_that_it_asks_for(nc: Client, spans: Spans) -> None:
    """Attributes are computed late, but a sampler decides by them."""
    seen: list[dict[str, Any]] = []

    class ByBody(Sampler):
        """Drops empty messages."""

        def should_sample(
            self,
            parent_context: Any,
            trace_id: int,
            name: str,
            kind: Any = None,
            attributes: Any = None,
            *_: Any,
            **__: Any,
        ) -> SamplingResult:
            seen.append(dict(attributes))
            kept = attributes["messaging.message.body.size"] > 0
            return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP, attributes)

        def get_description(self) -> str:
            return "by body"

    provider = TracerProvider(sampler=ByBody())
    provider.add_span_processor(SimpleSpanProcessor(spans.exporter))
    NatsInstrumentor().uninstrument()
    NatsInstrumentor().instrument(tracer_provider=provider)
    await nc.publish("plain.empty", b"", headers={"CE-Id": "e-1"})
    await nc.publish("plain.full", b"x", headers={"CE-Id": "e-2"})
    assert [span.name for span in spans.sent] == ["send plain.full"]
    assert dict(spans.sent[0].attributes or {}) == seen[1]
    assert [said["cloudevents.event_id"] for said in seen] == ["e-1", "e-2"]
    assert seen[0]["messaging.destination.name"] == "plain.empty"
