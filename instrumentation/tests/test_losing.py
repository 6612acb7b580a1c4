"""Messages that nats-py drops because a subscription is too slow are told."""

import asyncio
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import SlowConsumerError
from nats.js.client import JetStreamContext
from opentelemetry.instrumentation.nats import NatsInstrumentor, process_batch

from .support import Spans, arrived, until
from .test_metrics import Measured, measured

__all__ = ["measured"]


def dropped(spans: Spans) -> list[list[Any]]:
    """For each handling, how many dropped messages its events tell of."""
    return [
        [dict(event.attributes or {}) for event in span.events if event.name == "slow_consumer"]
        for span in spans.handled
    ]


async def flooded(nc: Client, limits: dict[str, Any]) -> None:
    """A handler that hangs in its first message, while nine more arrive."""
    release = asyncio.Event()
    entered = asyncio.Event()

    async def handle(message: Msg) -> None:
        entered.set()
        await release.wait()

    await nc.subscribe("plain.flood", cb=handle, **limits)
    await nc.publish("plain.flood", b"x" * 10)
    await asyncio.wait_for(entered.wait(), 5)
    for _ in range(9):
        await nc.publish("plain.flood", b"x" * 10)
    # The messages were delivered before the second flush was answered.
    await arrived(nc)
    release.set()


@pytest.mark.parametrize("limits", [{"pending_msgs_limit": 2}, {"pending_bytes_limit": 30}])
async def test_next_handling_says_how_many_were_dropped(
    nc: Client, spans: Spans, measured: Measured, limits: dict[str, Any]
) -> None:
    """The host hears of it in an error callback at most, and no span shows what never arrived."""
    await flooded(nc, limits)
    await until(lambda: len(spans.handled) == 3)
    assert dropped(spans) == [[], [{"messaging.nats.dropped_count": 7}], []]
    assert measured.counted("messaging.client.dropped.messages") == {"plain.flood": 7}


async def test_messages_dropped_from_a_pull_are_told(js: JetStreamContext, spans: Spans) -> None:
    pull = await js.pull_subscribe("orders.placed", durable="stock", pending_msgs_limit=3)
    for _ in range(9):
        await js.publish("orders.placed", b"")
    async with process_batch(await pull.fetch(1)):
        pass
    # nats-py makes this error where it drops a message; a real flood would have to outrun the loop.
    SlowConsumerError(subject="orders.placed", reply="", sid=1, sub=pull._sub)
    async with process_batch(await pull.fetch(2)):
        pass
    assert dropped(spans) == [[], [{"messaging.nats.dropped_count": 1}]]


async def test_drops_are_left_alone_afterwards(nc: Client, spans: Spans) -> None:
    subscription = await nc.subscribe("plain.left")
    NatsInstrumentor().uninstrument()
    assert not hasattr(SlowConsumerError.__init__, "__wrapped__")
    assert SlowConsumerError("plain.left", "", 1, subscription).sid == 1
