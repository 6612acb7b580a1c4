"""Many messages through every way of consuming; for each one: what caused it, and what did it cause?

`CHAINS=10000 pytest instrumentation/tests/test_chains.py` sends that many each way.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from opentelemetry.instrumentation.nats import handles, process, process_batch
from opentelemetry.sdk.trace import ReadableSpan

from .support import Spans, id_of, links_of, parent_of, until

COUNT = int(os.environ.get("CHAINS", "60"))
BATCH = 16
SUBJECT = "orders.placed"


class Service:
    """Answers each order, and knows when all of them are answered."""

    def __init__(self, nc: Client, js: JetStreamContext) -> None:
        self.nc = nc
        self.js = js
        self.subscribed = asyncio.Event()
        self.left = COUNT

    async def work(self, message: Msg) -> None:
        """Publish the answer to *message*."""
        number = (message.headers or {})["ce-id"].removeprefix("order-")
        await asyncio.sleep(0)
        await self.nc.publish("answers", b"", headers={"ce-id": f"answer-{number}"})
        self.left -= 1

    async def work_and_settle(self, message: Msg) -> None:
        """The same for a message that must be acknowledged."""
        await self.work(message)
        await message.ack()

    async def fetches(self, batch: int) -> list[Msg]:
        """The next messages of this service's durable consumer."""
        if not self.subscribed.is_set():
            self._pull = await self.js.pull_subscribe(SUBJECT, durable="stock")
            self.subscribed.set()
        while True:
            try:
                return await self._pull.fetch(batch, timeout=1)
            except TimeoutError:
                continue

    async def until_done(self) -> None:
        await until(lambda: not self.left, within=600)


async def callback(service: Service) -> None:
    await service.nc.subscribe(SUBJECT, cb=service.work)
    service.subscribed.set()
    await service.until_done()


async def queue_group(service: Service) -> None:
    for _ in range(2):
        await service.nc.subscribe(SUBJECT, "readers", cb=service.work)
    service.subscribed.set()
    await service.until_done()


async def next_msg(service: Service) -> None:
    subscription = await service.nc.subscribe(SUBJECT)
    service.subscribed.set()
    for _ in range(COUNT):
        await service.work(await subscription.next_msg(timeout=60))


async def iteration(service: Service) -> None:
    subscription = await service.nc.subscribe(SUBJECT, max_msgs=COUNT)
    service.subscribed.set()
    async for message in subscription.messages:
        await service.work(message)


async def push_callback(service: Service) -> None:
    await service.js.subscribe(SUBJECT, durable="stock", cb=service.work_and_settle, manual_ack=True)
    service.subscribed.set()
    await service.until_done()


async def push_next_msg(service: Service) -> None:
    subscription = await service.js.subscribe(SUBJECT, durable="stock", manual_ack=True)
    service.subscribed.set()
    for _ in range(COUNT):
        await service.work_and_settle(await subscription.next_msg(timeout=60))


async def push_iteration(service: Service) -> None:
    subscription = await service.js.subscribe(SUBJECT, queue="stock", manual_ack=True)
    service.subscribed.set()
    async for message in subscription.messages:
        await service.work_and_settle(message)
        if not service.left:
            break


async def ordered(service: Service) -> None:
    subscription = await service.js.subscribe(SUBJECT, ordered_consumer=True)
    service.subscribed.set()
    for _ in range(COUNT):
        await service.work(await subscription.next_msg(timeout=60))


async def fetch_one(service: Service) -> None:
    while service.left:
        for message in await service.fetches(1):
            await service.work_and_settle(message)


async def fetch_many(service: Service) -> None:
    while service.left:
        for message in await service.fetches(BATCH):
            await service.work_and_settle(message)


async def fetch_and_process_side_by_side(service: Service) -> None:
    async def one(message: Msg) -> None:
        async with process(message):
            await service.work_and_settle(message)

    while service.left:
        messages = await service.fetches(BATCH)
        await asyncio.gather(*(one(message) for message in messages))


async def fetch_and_decorated_side_by_side(service: Service) -> None:
    one = handles(service.work_and_settle)
    while service.left:
        messages = await service.fetches(BATCH)
        await asyncio.gather(*(one(message) for message in messages))


async def fetch_and_batch(service: Service) -> None:
    while service.left:
        messages = await service.fetches(BATCH)
        async with process_batch(messages) as batch:
            for message in messages:
                with batch.handling(message):
                    await service.work_and_settle(message)


EACH_BY_ITSELF = (
    callback,
    queue_group,
    next_msg,
    iteration,
    push_callback,
    push_next_msg,
    push_iteration,
    ordered,
    fetch_one,
    fetch_many,
    fetch_and_process_side_by_side,
    fetch_and_decorated_side_by_side,
)


async def run(nc: Client, js: JetStreamContext, consume: Callable[[Service], Awaitable[None]]) -> None:
    """Publish the orders while *consume* answers them."""
    service = Service(nc, js)
    consuming = asyncio.ensure_future(consume(service))
    await asyncio.wait(
        (consuming, asyncio.ensure_future(service.subscribed.wait())), return_when="FIRST_COMPLETED"
    )
    for number in range(COUNT):
        await js.publish(SUBJECT, b"", headers={"ce-id": f"order-{number}"})
    await consuming


def by_number(spans: list[ReadableSpan], kind: str) -> dict[int, ReadableSpan]:
    """The spans about messages of *kind*, each by its number."""
    found = {}
    for span in spans:
        said, _, number = str((span.attributes or {}).get("messaging.message.id")).partition("-")
        if said == kind:
            assert int(number) not in found, f"two spans say {said}-{number}"
            found[int(number)] = span
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("consume", EACH_BY_ITSELF, ids=lambda consume: consume.__name__)
async def test_each_answer_leads_to_its_order(
    nc: Client, js: JetStreamContext, spans: Spans, consume: Callable[[Service], Awaitable[None]]
) -> None:
    """A chain that is cut, or leads to another order, would show a choreography that never happened."""
    await run(nc, js, consume)
    await until(lambda: len(spans.handled) == COUNT)
    orders, handled = by_number(spans.sent, "order"), by_number(spans.handled, "order")
    answers = by_number(spans.sent, "answer")
    assert orders.keys() == handled.keys() == answers.keys() == set(range(COUNT))
    assert len(spans.sent) == 2 * COUNT
    for number, order in orders.items():
        assert parent_of(order) is None
        assert parent_of(handled[number]) == id_of(order)
        assert links_of(handled[number]) == [id_of(order)]
        assert parent_of(answers[number]) == id_of(handled[number])


@pytest.mark.timeout(900)
async def test_each_answer_of_a_batch_leads_to_its_orders(
    nc: Client, js: JetStreamContext, spans: Spans
) -> None:
    await run(nc, js, fetch_and_batch)
    orders, answers = by_number(spans.sent, "order"), by_number(spans.sent, "answer")
    linked = {origin: id_of(batch) for batch in spans.handled for origin in links_of(batch)}
    assert sum(len(batch.links) for batch in spans.handled) == COUNT
    assert len(spans.sent) == 2 * COUNT
    for number, order in orders.items():
        assert parent_of(answers[number]) == linked[id_of(order)]
