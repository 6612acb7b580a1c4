"""State in NATS: concurrent changes to one document, and faults."""

import asyncio
import logging

import nats as client_library
import pytest

from sample_services import broker, faults
from sample_services.faults import Fault, FaultError
from sample_services.state import State

from .harness import NatsServer


async def test_concurrent_changes_are_all_kept(nats: NatsServer) -> None:
    """The join of shipping depends on it: the second change sees the first one."""
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


async def test_fault_is_known_at_once_and_cleared_when_mended(nats: NatsServer) -> None:
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
    # Another process of the service that starts later finds it too.
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


async def test_existing_stream_is_left_unchanged(nats: NatsServer, caplog: pytest.LogCaptureFixture) -> None:
    """Its owner chooses its limits."""
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
def test_fault_always_touches_the_same_share_of_messages(share: float) -> None:
    """A failed message must fail again, or a failing service would recover by itself."""
    fault = Fault("failing", share)
    touched = [fault.touches(f"OrderPlaced/A-{number}") for number in range(2000)]
    assert abs(sum(touched) / 2000 - share) < 0.05
    assert touched == [fault.touches(f"OrderPlaced/A-{number}") for number in range(2000)]


def test_fault_needs_a_kind() -> None:
    with pytest.raises(FaultError, match="kind is null"):
        faults.parse({})
