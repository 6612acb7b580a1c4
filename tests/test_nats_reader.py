"""What does the collector learn from a real NATS, and what does it survive?"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, StorageType

from collector.brokers.contract import Facts, Fate, Spot, Wanted
from collector.brokers.nats import gaps, kept_advisories
from collector.brokers.nats.nats_reader import NatsReader
from collector.brokers.nats.rhythm import What
from collector.brokers.nats.sign_in import SignIn, SignInError
from collector.model.facts import FactKind
from tests.sample_services.harness import NatsServer

ACCOUNTS = """
accounts {
  APP: { jetstream: enabled, users: [
    { user: app, password: secret }
    { user: blind, password: secret, permissions: {
        publish: { deny: ["$JS.API.>", "$SYS.>"] }, subscribe: { deny: ["$JS.EVENT.>"] } } }
  ] }
  BARE: { users: [ { user: bare, password: secret } ] }
  SYS: { users: [ { user: sys, password: secret } ] }
}
system_account: SYS
"""
PLACED = "shop.order.placed"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One for all tests, with an account that has JetStream and one that has not."""
    folder = tmp_path_factory.mktemp("nats")
    config = folder / "nats.conf"
    config.write_text(ACCOUNTS)
    server = NatsServer(folder / "store", "-c", str(config))
    server.start()
    yield server
    server.stop()


def signed_in(server: NatsServer, user: str = "app", **more: Any) -> SignIn:
    return SignIn((server.url,), user=user, password="secret", **more)


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, user="app", password="secret", name="payment-1")
    await client.jetstream().add_stream(name="ORDERS", subjects=["shop.order.*"], storage=StorageType.MEMORY)
    yield client
    await client.jetstream().delete_stream("ORDERS")
    await client.close()


@contextlib.asynccontextmanager
async def reading(sign_in: SignIn, wanted: Wanted, **options: Any) -> AsyncIterator[NatsReader]:
    reader = NatsReader(sign_in, **options)
    reader.want(wanted)
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(reader: NatsReader, condition: Callable[[Facts], Any]) -> Facts:
    """The facts once *condition* holds for them."""
    end = time.monotonic() + 60
    while True:
        facts = Facts((reader.known,), time.time_ns())
        if condition(facts):
            return facts
        assert time.monotonic() < end, f"it did not come to pass: {reader.known}"
        await asyncio.sleep(0.05)


async def test_what_a_broker_knows_of_a_group_and_its_messages(client: Client, server: NatsServer) -> None:
    """Each of these is a verdict that spans cannot give."""
    stream = client.jetstream()
    config = ConsumerConfig(max_deliver=1, ack_wait=2, max_ack_pending=2)
    pulled = await stream.pull_subscribe("shop.order.placed", "payment", config=config)
    await client.subscribe("shop.receipts", "mailers", cb=nothing)
    leaving = await nats.connect(server.url, user="app", password="secret", name="receipts-1")
    await leaving.subscribe("shop.receipts", "printers", cb=nothing)
    await leaving.flush()
    for _ in range(3):
        await stream.publish(PLACED, b"a payload that nobody reads")
    wanted = Wanted(frozenset({PLACED}), frozenset({"payment"}), frozenset({Spot("ORDERS", 3)}))
    async with reading(signed_in(server), wanted) as reader:
        facts = await until(reader, lambda facts: facts.held("payment", PLACED).whole)
        (consumer,) = facts.held("payment", PLACED).consumers
        assert (consumer.pending, consumer.in_flight, consumer.full, consumer.paused) == (3, 0, False, False)
        assert consumer.no_taker_since is not None
        assert facts.delivery(consumer, Spot("ORDERS", 3), PLACED).fate is Fate.WAITING

        await pulled.fetch(1)
        taken = {Fate.OPEN, Fate.GIVEN_UP}
        await until(reader, lambda facts: facts.delivery(consumer, Spot("ORDERS", 1), PLACED).fate in taken)
        # Its time to acknowledge passes: only the next fetch makes the server say so.
        await asyncio.sleep(2.3)
        await pulled.fetch(1)
        facts = await until(reader, lambda facts: facts.on_message(consumer, Spot("ORDERS", 1)))
        given_up = facts.delivery(consumer, Spot("ORDERS", 1), PLACED)
        assert (given_up.fate, given_up.deliveries) == (Fate.GIVEN_UP, 1)

        await client.request(
            "$JS.API.CONSUMER.PAUSE.ORDERS.payment", b'{"pause_until":"2100-01-01T00:00:00Z"}'
        )
        facts = await until(reader, lambda facts: facts.held("payment", PLACED).consumers[0].paused)
        (consumer,) = facts.held("payment", PLACED).consumers
        assert consumer.paused_until == 4_102_444_800 * 10**9

        await stream.delete_msg("ORDERS", 3)
        await until(reader, lambda facts: (one := facts.stored(Spot("ORDERS", 3))) and not one.there)

        facts = await until(reader, lambda facts: len(facts.takers("shop.receipts").connections) == 2)
        takers = facts.takers("shop.receipts")
        assert (set(takers.groups), takers.kept) == ({"mailers", "printers"}, ())
        assert facts.connection(str(client.client_id)) in takers.connections
        assert {one.name for one in facts.connections_of("payment")} == {"payment-1"}
        await leaving.close()
        facts = await until(reader, lambda facts: facts.takers("shop.receipts").closed)
        (closed,) = facts.takers("shop.receipts").closed
        assert (closed.name, closed.reason) == ("receipts-1", "Client Closed")

        await stream.delete_consumer("ORDERS", "payment")
        facts = await until(reader, lambda facts: facts.held("payment", PLACED).gone)
        assert facts.held("payment", PLACED).consumers == ()
        kinds = set(reader.taken()["kind"].to_pylist())
        assert {"consumer", "given_up", "paused", "deleted", "closed"} <= kinds
        assert (reader.known.gaps, reader.taken().num_rows) == ((), 0)


async def nothing(_: object) -> None:
    """Take a message and do nothing."""


async def test_nothing_is_asked_while_nobody_needs_anything(client: Client, server: NatsServer) -> None:
    """Each request is audited by the server, and read by somebody who wonders what it is."""
    async with reading(signed_in(server), Wanted()) as reader:
        await until(reader, lambda facts: reader.known.listening_since)
        await asyncio.sleep(0.6)
        assert reader.requests == 0
        reader.want(Wanted(anything=True))
        await until(reader, lambda facts: facts.streams)
        assert reader.requests


async def test_a_user_who_may_not_ask_is_told_what_is_missing(client: Client, server: NatsServer) -> None:
    """It shall not look as if there were no consumers."""
    async with reading(signed_in(server, "blind"), Wanted(frozenset({PLACED}))) as reader:
        facts = await until(reader, lambda facts: len(facts.gaps) == 3)
        assert gaps.refused(What.STREAMS) in facts.gaps
        assert gaps.refused(What.CONNECTIONS) in facts.gaps
        assert any("$JS.EVENT.ADVISORY.CONSUMER.>" in said for said in facts.gaps)
        held, takers = facts.held("payment", PLACED), facts.takers("shop.receipts")
        assert (held.whole, takers.whole, facts.listened(facts.now)) == (False, False, False)


async def test_an_account_without_jetstream_still_says_who_is_connected(server: NatsServer) -> None:
    async with reading(signed_in(server, "bare"), Wanted(frozenset({PLACED}))) as reader:
        facts = await until(reader, lambda facts: facts.takers(PLACED).whole and facts.gaps)
        assert facts.gaps == [gaps.NO_JETSTREAM]
        assert not facts.held("payment", PLACED).whole


async def test_a_broker_that_dies_and_comes_back(tmp_path: Path) -> None:
    """What it said before it died is no proof of anything after a while; the reader finds it again."""
    server = NatsServer(tmp_path)
    async with reading(SignIn((server.url,)), Wanted(frozenset({PLACED}))) as reader:
        facts = await until(reader, lambda facts: facts.gaps)
        assert "cannot be reached" in facts.gaps[0]
        await asyncio.to_thread(server.start)
        facts = await until(reader, lambda facts: facts.takers(PLACED).whole)
        assert facts.gaps == []
        await asyncio.to_thread(server.stop)
        facts = await until(reader, lambda facts: facts.gaps)
        assert not Facts(facts.known, facts.now + 3600 * 10**9).takers(PLACED).whole
        assert reader.known.listening_since == 0


async def test_what_happens_while_the_collector_is_away_is_kept(client: Client, server: NatsServer) -> None:
    """Without it, a message that was given up during a restart would be waited for, for ever."""
    stream, nobody = client.jetstream(), Wanted(anything=True)
    pulled = await stream.pull_subscribe(PLACED, "payment")
    try:
        async with reading(signed_in(server), nobody, keep=True) as reader:
            await until(reader, lambda facts: reader.known.listening_since)
        await stream.publish(PLACED, b"")
        (message,) = await pulled.fetch(1)
        await message.term()
        await client.flush()
        async with reading(signed_in(server), nobody, keep=True) as reader:
            facts = await until(reader, lambda facts: reader.known.listening_since)
            ended = [one for one in facts.happenings if one.kind is FactKind.TERMINATED]
            assert [(one.stream, one.consumer, one.sequence) for one in ended] == [("ORDERS", "payment", 1)]
            assert len(set(facts.happenings)) == len(facts.happenings)
            assert reader.known.gaps == ()
    finally:
        await stream.delete_stream(kept_advisories.STREAM)


def test_what_cannot_be_used_is_said_without_secrets(tmp_path: Path) -> None:
    with pytest.raises(SignInError, match="http://host"):
        SignIn(("http://me:secret@host",))
    with pytest.raises(SignInError, match="no such file"):
        SignIn(("nats://host",), creds=str(tmp_path / "none.creds"))
    assert "secret" not in repr(SignIn(("nats://me:secret@host",), password="secret", token="secret"))
