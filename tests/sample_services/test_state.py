"""State in NATS: what two processes do to one document at once, and what faults are made of."""

import asyncio
import logging

import nats as client_library
import pytest

from sample_services import broker, faults
from sample_services.faults import Fault, FaultError
from sample_services.state import State

from .harness import NatsServer


async def test_of_two_changes_at_once_none_is_lost(nats: NatsServer) -> None:
    """The join of shipping hangs on it: the second to change sees what the first one did."""
    connection = await client_library.connect(nats.url)
    state = await State.open(connection, "test")

    async def add(number: int) -> None:
        await state.change("A-17", lambda known: {**known, str(number): True})

    await asyncio.gather(*(add(number) for number in range(10)))
    assert await state.get("A-17") == {str(number): True for number in range(10)}
    assert not await state.add("A-17", {"late": True})
    assert await state.add("A-18", {"late": True})
    assert await state.get("A-19") is None
    await connection.close()


async def test_fault_is_known_at_once_and_forgotten_when_mended(nats: NatsServer) -> None:
    connection = await client_library.connect(nats.url)
    bucket = await faults.open_bucket(connection)
    watch = faults.Watch("fraud")
    following = asyncio.create_task(watch.follow(connection))
    await asyncio.wait_for(watch.known.wait(), 5)
    assert watch.fault is None

    async def becomes(expected: Fault | None) -> None:
        async with asyncio.timeout(5):
            while watch.fault != expected:  # noqa: ASYNC110 -- the watch has no event for it
                await asyncio.sleep(0.01)

    await bucket.put("fraud", b'{"kind": "silent", "share": 0.5}')
    await becomes(Fault("silent", 0.5))
    # Another process of the service, which starts later, finds it too.
    late = faults.Watch("fraud")
    also = asyncio.create_task(late.follow(connection))
    await asyncio.wait_for(late.known.wait(), 5)
    assert late.fault == Fault("silent", 0.5)
    await bucket.put("fraud", b"rubbish")
    await becomes(None)
    await bucket.put("fraud", b'{"kind": "slow"}')
    await becomes(Fault("slow", 1.0, faults.DEFAULT_DELAY_MS))
    await bucket.delete("fraud")
    await becomes(None)
    for task in (following, also):
        task.cancel()
    await asyncio.wait([following, also])
    await connection.close()


async def test_stream_that_is_there_is_left_as_it_is(
    nats: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its limits are for whoever made it to choose."""
    log = logging.getLogger("test")
    connection = await broker.connect(nats.url, "test", log)
    for _ in range(2):
        await broker.ensure_stream(connection, log)
    jetstream = connection.jetstream()
    info = await jetstream.stream_info("SHOP")
    info.config.max_bytes = 1_000_000
    await jetstream.update_stream(info.config)
    await broker.ensure_stream(connection, log)
    assert (await jetstream.stream_info("SHOP")).config.max_bytes == 1_000_000
    assert not caplog.records
    await connection.close()


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_fault_touches_its_share_of_messages_and_always_the_same(share: float) -> None:
    """A message that fails has to fail again, or a failing service would heal itself."""
    fault = Fault("failing", share)
    touched = [fault.touches(f"OrderPlaced/A-{number}") for number in range(2000)]
    assert abs(sum(touched) / 2000 - share) < 0.05
    assert touched == [fault.touches(f"OrderPlaced/A-{number}") for number in range(2000)]


def test_fault_needs_a_kind() -> None:
    with pytest.raises(FaultError, match="kind is null"):
        faults.parse({})
