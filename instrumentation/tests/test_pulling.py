"""Pull consumers: the host fetches a message, and the message causes what the host does next."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.client import JetStreamContext
from opentelemetry import trace
from opentelemetry.instrumentation.nats import NatsInstrumentor, process, process_batch
from opentelemetry.trace import StatusCode

from .support import Spans, id_of, links_of, parent_of, until

Pull = JetStreamContext.PullSubscription


@pytest.fixture
async def pull(js: JetStreamContext) -> Pull:
    return await js.pull_subscribe("orders.placed", durable="stock")


async def place(js: JetStreamContext, count: int) -> None:
    for number in range(count):
        await js.publish("orders.placed", str(number).encode(), headers={"baggage": f"order.id=A-{number}"})


async def test_publish_after_fetch_is_caused_by_the_message(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    """An unchanged worker on plain nats-py does not cut the flow."""
    await place(js, 1)
    (message,) = await pull.fetch()
    await js.publish("orders.reserved", b"")
    await message.ack()
    await js.publish("orders.unrelated", b"")

    placed, reserved, unrelated = spans.sent
    (handled,) = spans.handled
    assert handled.name == "process orders.placed"
    assert (parent_of(handled), links_of(handled)) == (id_of(placed), [id_of(placed)])
    assert parent_of(reserved) == id_of(handled)
    assert parent_of(unrelated) is None
    assert (handled.attributes or {})["messaging.consumer.group.name"] == "stock"


async def test_next_fetch_ends_an_unsettled_handling(js: JetStreamContext, pull: Pull, spans: Spans) -> None:
    await place(js, 1)
    messages = await pull.fetch()
    with pytest.raises(TimeoutError):
        await pull.fetch(timeout=0.2)
    await js.publish("orders.unrelated", b"")
    del messages
    (handled,) = spans.handled
    assert parent_of(spans.sent[-1]) is None
    # Ended when the task moved on, not when the message was dropped.
    assert (handled.end_time or 0) - (handled.start_time or 0) < 150_000_000


async def test_loop_over_a_batch_gives_each_message_its_own_span(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    await place(js, 3)
    for message in await pull.fetch(3):
        await js.publish("orders.reserved", message.data)
        await message.ack()
    placed, reserved = spans.sent[:3], spans.sent[3:]
    assert [links_of(span) for span in spans.handled] == [[id_of(span)] for span in placed]
    assert [parent_of(span) for span in reserved] == [id_of(span) for span in spans.handled]
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_task_per_message_ends_its_span_by_settling(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    """The loop has long moved on when a task settles: the task's work counts, not the loop's."""
    await place(js, 2)

    async def handle(message: object, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await js.publish("orders.reserved", b"")
        await message.ack()  # type: ignore[attr-defined]

    tasks = []
    for message in await pull.fetch(2):
        tasks.append(asyncio.create_task(handle(message, 0.1)))
    del message
    await asyncio.gather(*tasks)
    assert len(spans.handled) == 2
    assert {parent_of(span) for span in spans.sent[2:]} == {id_of(span) for span in spans.handled}
    assert all((span.end_time or 0) - (span.start_time or 0) > 90_000_000 for span in spans.handled)


async def test_gather_over_a_batch_ties_nothing_to_the_wrong_message(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    """All handlers are created before one runs: no parent is better than the last message's."""
    await place(js, 2)

    async def handle(message: object) -> None:
        await js.publish("orders.reserved", b"")
        await message.ack()  # type: ignore[attr-defined]

    await asyncio.gather(*(handle(message) for message in await pull.fetch(2)))
    assert [parent_of(span) for span in spans.sent[2:]] == [None, None]
    assert len(spans.handled) == 2


async def test_process_replaces_the_guess(js: JetStreamContext, pull: Pull, spans: Spans) -> None:
    """One span for each message, however it was fetched and wherever it is handled."""
    await place(js, 4)

    async def handle(message: object) -> None:
        async with process(message):
            await js.publish("orders.reserved", b"")
            await message.ack()  # type: ignore[attr-defined]
        await js.publish("orders.afterwards", b"")

    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            for message in await pull.fetch(2):
                group.create_task(handle(message))
    assert len(spans.handled) == 4
    reserved = [span for span in spans.sent if span.name == "send orders.reserved"]
    assert {parent_of(span) for span in reserved} == {id_of(span) for span in spans.handled}
    afterwards = [span for span in spans.sent if span.name == "send orders.afterwards"]
    assert {parent_of(span) for span in afterwards} == {None}


async def test_error_inside_process_is_on_the_span(js: JetStreamContext, pull: Pull, spans: Spans) -> None:
    await place(js, 1)
    (message,) = await pull.fetch()
    with pytest.raises(RuntimeError, match="no stock"):
        async with process(message):
            raise RuntimeError("no stock")
    await message.nak()
    (handled,) = spans.handled
    assert handled.status.status_code is StatusCode.ERROR
    assert (handled.attributes or {})["error.type"] == "RuntimeError"


async def test_cancelled_handling_ends_its_span(js: JetStreamContext, pull: Pull, spans: Spans) -> None:
    await place(js, 1)
    (message,) = await pull.fetch()

    async def handle() -> None:
        async with process(message):
            await asyncio.sleep(10)

    task = asyncio.create_task(handle())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    (handled,) = spans.handled
    assert (handled.attributes or {})["error.type"] == "asyncio.exceptions.CancelledError"


async def test_batch_is_one_span_with_a_link_for_each_message(
    js: JetStreamContext, pull: Pull, spans: Spans
) -> None:
    """Two flows meet in one span: it belongs in neither trace, and each link describes its own message."""
    await place(js, 2)
    messages = await pull.fetch(2)
    async with process_batch(messages) as batch:
        for message in messages:
            with batch.handling(message):
                await js.publish("orders.picked", b"")
            await message.ack()

    (handled,) = spans.handled
    assert handled.name == "process orders.placed"
    assert handled.parent is None
    assert links_of(handled) == [id_of(span) for span in spans.sent[:2]]
    assert [(link.attributes or {})["order.id"] for link in handled.links] == ["A-0", "A-1"]
    assert [(link.attributes or {})["messaging.message.id"] for link in handled.links] == [
        "ORDERS:1",
        "ORDERS:2",
    ]
    attributes = handled.attributes or {}
    assert attributes["messaging.batch.message_count"] == 2
    assert attributes["messaging.destination.name"] == "orders.placed"
    assert "order.id" not in attributes
    assert "messaging.message.id" not in attributes
    picked = spans.sent[2:]
    assert [parent_of(span) for span in picked] == [id_of(handled)] * 2
    assert [(span.attributes or {})["order.id"] for span in picked] == ["A-0", "A-1"]


async def test_failed_and_empty_batches(js: JetStreamContext, pull: Pull, spans: Spans) -> None:
    async with process_batch([]):
        pass
    assert spans.handled == []
    await place(js, 1)
    messages = await pull.fetch(1)
    with pytest.raises(ZeroDivisionError), process_batch(messages):
        raise ZeroDivisionError
    (handled,) = spans.handled
    assert (handled.attributes or {})["error.type"] == "ZeroDivisionError"


async def test_core_message_whose_subscription_is_gone(nc: Client, spans: Spans) -> None:
    """A subscription that took its last message is removed before the message is handled."""
    subscription = await nc.subscribe("plain.once", max_msgs=1)
    await nc.publish("plain.once", b"")
    message = await subscription.next_msg()
    async with process(message):
        pass
    assert [span.name for span in spans.handled] == ["process plain.once"]


async def test_uninstrument_restores_everything(js: JetStreamContext, pull: Pull, spans: Spans) -> None:
    NatsInstrumentor().uninstrument()
    await place(js, 2)
    messages = await pull.fetch(2)
    assert type(messages) is list
    async with process_batch(messages) as batch:
        for message in messages:
            with batch.handling(message):
                await message.ack()
    await until(lambda: True)
    assert spans.all == ()
