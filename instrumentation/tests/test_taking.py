"""`next_msg` and `async for`: the host takes a message, which causes what the host does next."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import ConsumerConfig
from nats.js.client import JetStreamContext
from opentelemetry import trace
from opentelemetry.instrumentation.nats import handles
from opentelemetry.trace import SpanKind, StatusCode

from .support import Spans, id_of, links_of, parent_of, until


async def test_publish_after_next_msg_is_caused_by_the_message(nc: Client, spans: Spans) -> None:
    subscription = await nc.subscribe("plain.*.placed", queue="readers")
    await nc.publish("plain.7.placed", b"")
    message = await subscription.next_msg()
    await nc.publish("plain.after", b"")
    with pytest.raises(NatsTimeoutError):
        await subscription.next_msg(0.05)
    await nc.publish("plain.unrelated", b"")
    del message

    (handled,) = spans.handled
    placed, after, unrelated = spans.sent
    assert handled.name == "process plain.*.placed"
    assert (parent_of(handled), links_of(handled)) == (id_of(placed), [id_of(placed)])
    assert parent_of(after) == id_of(handled)
    assert parent_of(unrelated) is None
    assert (handled.attributes or {})["messaging.consumer.group.name"] == "readers"
    assert "messaging.nats.outcome" not in (handled.attributes or {})


async def test_iterator_gives_each_message_its_span(nc: Client, spans: Spans) -> None:
    subscription = await nc.subscribe("plain.iterated", max_msgs=3)
    for _ in range(3):
        await nc.publish("plain.iterated", b"")
    async for message in subscription.messages:
        await nc.publish("plain.caused", message.data)
    del message
    placed, caused = spans.sent[:3], spans.sent[3:]
    assert [links_of(span) for span in spans.handled] == [[id_of(span)] for span in placed]
    assert [parent_of(span) for span in caused] == [id_of(span) for span in spans.handled]
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("iterated", [False, True])
async def test_push_consumer_without_a_callback(
    js: JetStreamContext, spans: Spans, ordered: bool, iterated: bool
) -> None:
    config = ConsumerConfig(ack_wait=30)
    subscription = await js.subscribe("orders.placed", ordered_consumer=ordered, config=config)
    await js.publish("orders.placed", b"")

    async def take() -> None:
        if iterated:
            message = await anext(subscription.messages)
        else:
            message = await subscription.next_msg()
        await js.publish("orders.reserved", b"")
        if not ordered:
            await message.ack()

    await asyncio.create_task(take())
    await subscription.unsubscribe()
    await until(lambda: spans.handled)  # at the latest with the end of the task
    (handled,) = spans.handled
    placed, reserved = spans.sent
    assert handled.name == "process orders.placed"
    assert links_of(handled) == [id_of(placed)]
    assert parent_of(reserved) == id_of(handled)
    assert (handled.attributes or {}).get("messaging.nats.outcome") == (None if ordered else "ack")


async def test_what_follows_the_settling_is_not_caused_by_the_message(
    js: JetStreamContext, spans: Spans
) -> None:
    """Even if another task settles it, or inside a span of the host."""
    subscription = await js.subscribe("orders.placed", durable="stock")
    await js.publish("orders.placed", b"")
    await js.publish("orders.placed", b"")
    first = await subscription.next_msg()
    await asyncio.create_task(first.ack())
    await js.publish("orders.unrelated", b"")
    second = await subscription.next_msg()
    with spans.tracer.start_as_current_span("work"):
        await second.ack()
    await js.publish("orders.unrelated", b"")
    assert [parent_of(span) for span in spans.sent if span.name == "send orders.unrelated"] == [None, None]
    assert len(spans.handled) == 2


async def test_batch_fetch_is_one_span_with_a_link_to_each_message(
    js: JetStreamContext, spans: Spans
) -> None:
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    for number in range(3):
        await js.publish("orders.placed", b"x", headers={"baggage": f"order.id=A-{number}"})
    for message in await pull.fetch(5, timeout=0.5):
        await message.ack()
    (received,) = spans.kind(SpanKind.CLIENT)
    assert received.name == "fetch orders.placed"
    assert links_of(received) == [id_of(span) for span in spans.sent]
    assert [(link.attributes or {})["order.id"] for link in received.links] == ["A-0", "A-1", "A-2"]
    attributes = dict(received.attributes or {})
    assert attributes["messaging.operation.type"] == "receive"
    assert attributes["messaging.operation.name"] == "fetch"
    assert attributes["messaging.batch.message_count"] == 3
    assert attributes["messaging.nats.consumer"] == "stock"
    assert [parent_of(span) for span in spans.handled] == [id_of(span) for span in spans.sent]


async def test_fetch_that_brings_nothing_makes_no_span(js: JetStreamContext, spans: Spans) -> None:
    """An idle worker would make one a second."""
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    for batch in (1, 5):
        # On a busy machine nats-py raises asyncio's own error, the base class of its error.
        with pytest.raises(TimeoutError):
            await pull.fetch(batch, timeout=0.1)
    assert spans.all == ()


async def test_batch_messages_can_be_taken_in_any_way(js: JetStreamContext, spans: Spans) -> None:
    """By index, by pop, by slice: each is handed over when the host reaches it, and only once."""
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    for _ in range(4):
        await js.publish("orders.placed", b"")
    messages = await pull.fetch(4, timeout=1)
    await messages[0].ack()
    await messages.pop().ack()
    for message in messages[1:]:
        await js.publish("orders.reserved", b"")
        await message.ack()
    assert len(spans.handled) == 4
    reserved = [span for span in spans.sent if span.name == "send orders.reserved"]
    assert [parent_of(span) for span in reserved] == [id_of(span) for span in spans.handled[2:]]


async def test_batch_handled_in_a_thread(js: JetStreamContext, spans: Spans) -> None:
    """A pool's thread does other work afterwards, which the message does not cause."""
    for _ in range(3):
        await js.publish("orders.placed", b"")
    pull = await js.pull_subscribe("orders.placed", durable="stock")
    loop = asyncio.get_running_loop()

    def handle(messages: list[Msg]) -> None:
        for message in messages:
            asyncio.run_coroutine_threadsafe(message.ack(), loop).result(5)
            break

    def current() -> bool:
        return trace.get_current_span().get_span_context().is_valid

    with ThreadPoolExecutor(1) as pool:
        messages = await pull.fetch(3)
        await loop.run_in_executor(pool, handle, messages)
        assert not await loop.run_in_executor(pool, current)
        assert [(span.attributes or {})["messaging.nats.outcome"] for span in spans.handled] == ["ack"]
        await loop.run_in_executor(pool, list, messages)
    assert len(spans.handled) == 1
    del messages
    # The loop may hold the thread's result a moment longer.
    await until(lambda: gc.collect() >= 0 and len(spans.handled) == 3)
    outcomes = [(span.attributes or {})["messaging.nats.outcome"] for span in spans.handled]
    assert outcomes == ["ack", "unsettled", "unsettled"]


async def test_decorated_handler_has_a_precise_span(js: JetStreamContext, spans: Spans) -> None:
    @handles
    async def reserve(what: str, message: Msg) -> str:
        await js.publish("orders.reserved", b"")
        await message.ack()
        return what

    @handles
    async def refuse(*, message: Msg) -> None:
        raise ValueError("no stock")

    @handles
    async def other() -> int:
        return 1

    pull = await js.pull_subscribe("orders.placed", durable="stock")
    await js.publish("orders.placed", b"")
    await js.publish("orders.placed", b"")
    first, second = await pull.fetch(2, timeout=1)
    assert await reserve("stock", first) == "stock"
    with pytest.raises(ValueError, match="no stock"):
        await refuse(message=second)
    assert await other() == 1
    assert asyncio.iscoroutinefunction(reserve)
    reserved, refused = spans.handled
    assert parent_of(spans.sent[-1]) == id_of(reserved)
    assert refused.status.status_code is StatusCode.ERROR


async def test_thousands_of_messages_in_five_styles_at_once_keep_their_chains(
    nc: Client, js: JetStreamContext, spans: Spans
) -> None:
    """Every answer is a child of the handling of the message that it answers."""
    count = 500

    async def callback(message: Msg) -> None:
        await nc.publish("done.callback", message.data)

    await nc.subscribe("todo.callback", cb=callback)
    asked = await nc.subscribe("todo.asked")
    iterated = await nc.subscribe("todo.iterated", max_msgs=count)
    one = await js.pull_subscribe("orders.one", durable="one")
    many = await js.pull_subscribe("orders.many", durable="many")
    styles = ("todo.callback", "todo.asked", "todo.iterated")
    for number in range(count):
        for subject in styles:
            await nc.publish(subject, f"{subject}:{number}".encode())
        if number % 500 == 0:
            await nc.flush()
    for number in range(count):
        for subject in ("orders.one", "orders.many"):
            await js.publish_async(subject, f"{subject}:{number}".encode())
    await js.publish_async_completed()

    async def ask() -> None:
        for _ in range(count):
            message = await asked.next_msg(5)
            await nc.publish("done.asked", message.data)

    async def iterate() -> None:
        async for message in iterated.messages:
            await nc.publish("done.iterated", message.data)

    async def pull_one() -> None:
        for _ in range(count):
            (message,) = await one.fetch(timeout=5)
            await nc.publish("done.one", message.data)
            await message.ack()

    async def pull_many() -> None:
        left = count
        while left:
            for message in await many.fetch(50, timeout=5):
                await nc.publish("done.many", message.data)
                await message.ack()
                left -= 1

    await asyncio.gather(ask(), iterate(), pull_one(), pull_many())
    await until(lambda: len(spans.exporter.get_finished_spans()) == 15 * count + count // 50, 60)
    by_id = {id_of(span): span for span in spans.all}
    done = [span for span in spans.sent if span.name.startswith("send done.")]
    assert len(done) == 5 * count
    for span in done:
        handled = by_id[parent_of(span) or 0]
        assert handled.kind is SpanKind.CONSUMER
        sender = by_id[parent_of(handled) or 0]
        style = span.name.rpartition(".")[2]
        assert sender.name.rpartition(".")[2] == handled.name.rpartition(".")[2] == style
        assert links_of(handled) == [id_of(sender)]
    assert len({parent_of(span) for span in done}) == 5 * count
