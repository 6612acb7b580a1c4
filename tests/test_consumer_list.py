"""Which flows wait at which consumer of a broker, and what is said where spans and broker do not meet?"""

from dataclasses import replace
from pathlib import Path

import msgspec
import nats
from nats.js.api import StorageType

from collector.brokers.contract import Facts, Known, Wanted
from collector.commands.broker_state import as_text
from collector.live.wanted_facts import wanted_of
from collector.model.facts import Consumer, Stream
from collector.queries.consumer_list import consumers
from tests.collecting import Collector, until
from tests.sample_services.harness import NatsServer
from tests.scenes import Watch, order

ORDERS = Stream("nats", "ORDERS", ("shop.>",), 1, 9, 9, as_of=1, valid_until=2**62)
PAYMENT = Consumer("nats", "ORDERS", "payment", (), 2, 0, 0, 7, 7, as_of=1, valid_until=2**62)


def test_flows_are_counted_at_the_consumer_that_they_wait_for(watch: Watch) -> None:
    """The number decides which consumer somebody looks at first."""
    for key in ("A-1", "A-2"):
        watch.receive(order(key, watch.now, down={"payment"}))
    snapshot = watch.wait(20)
    (destination,) = set(snapshot.places["destination"].to_pylist())
    stream = replace(ORDERS, subjects=(destination,))
    listed = (replace(PAYMENT, name="audit", pending=99), PAYMENT)
    known = Known("nats", 1, (stream,), listed, consumers_whole_until=2**62, consumers_as_of=1)

    answer = consumers(snapshot, Facts((known,), 5), limit=10)
    assert [(one.consumer, one.service, one.flows_waiting) for one in answer.consumers] == [
        ("payment", "payment", 2),
        ("audit", None, 0),
    ]
    (said,) = answer.unjoined
    assert said.startswith(f"2 overdue messages on {destination} name no place in the stream ORDERS")

    stranger = replace(known, consumers=(replace(PAYMENT, name="billing"),))
    said = consumers(snapshot, Facts((stranger,), 5), limit=10).unjoined[1]
    assert said.startswith(f"payment takes {destination} as payment, and ORDERS has no consumer of that name")
    assert "billing" in said

    wanted = wanted_of(snapshot)
    assert (set(wanted.destinations), wanted.anything) == ({destination}, True)
    assert "payment" in wanted.groups


def test_while_nothing_is_under_way_nothing_is_wanted(watch: Watch) -> None:
    """A broker is left in peace at night."""
    watch.wait(3600, every_s=60)
    assert wanted_of(watch.snapshot) == Wanted()


async def test_a_collector_shows_what_its_broker_knows(tmp_path: Path) -> None:
    """From the setting to the command's line, and into the store."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    running = Collector(tmp_path, CHOREOSCOPE_NATS=server.url)
    try:
        client = await nats.connect(server.url)
        stream = client.jetstream()
        await stream.add_stream(name="ORDERS", subjects=["shop.>"], storage=StorageType.MEMORY)
        await stream.pull_subscribe("shop.>", "payment")
        await stream.publish("shop.order.placed", b"")
        body = b'{"pause_until":"2100-01-01T00:00:00Z"}'
        await client.request("$JS.API.CONSUMER.PAUSE.ORDERS.payment", body)
        running.start()
        until(lambda: running.ask("/consumers")["total"])
        document = running.ask("/consumers")
        (row,) = document["consumers"]
        assert (row["pending"], row["paused"], row["fresh"], row["waiting_pulls"]) == (1, True, True, 0)
        assert document["brokers"][0]["gaps"] == []
        shown = as_text(document, row["as_of_unix_nano"])
        assert "paused until 2100-01-01" in shown
        await client.close()
    finally:
        if running.process is not None:
            running.stop()
        server.stop()


def test_a_collector_without_a_broker_says_how_to_name_one() -> None:
    nothing = {"brokers": [], "consumers": [], "total": 0, "unjoined": []}
    assert "CHOREOSCOPE_NATS" in as_text(nothing, 0)


def test_nobody_pulls_only_where_something_waits(watch: Watch) -> None:
    """A healthy worker with one message in hand and none behind it does not ask for more."""
    stream, second = replace(ORDERS, subjects=("shop.>",)), 10**9
    for pending, told in ((1, True), (0, False)):
        one = replace(PAYMENT, pending=pending, in_flight=1, no_taker_since=second)
        known = Known("nats", 1, (stream,), (one,), consumers_whole_until=2**62, consumers_as_of=1)
        answer = msgspec.to_builtins(consumers(watch.snapshot, Facts((known,), 5), limit=10))

        assert ("nobody pulls for 59 s" in as_text(answer, 60 * second)) is told
