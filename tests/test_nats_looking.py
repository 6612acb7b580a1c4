"""What cannot be made to happen with a small server: long lists, leaders that move, many questions."""

from typing import Any

import msgspec
import pytest

from collector.brokers.contract import Known, Spot, Wanted
from collector.brokers.nats import advisories, gaps
from collector.brokers.nats.asking import AskError
from collector.brokers.nats.jetstream import PAGE, StreamInfo, nanoseconds, stored_of
from collector.brokers.nats.looking import Looking
from collector.brokers.nats.recollection import Recollection
from collector.brokers.nats.rhythm import Target, What, targets
from collector.model.facts import FactKind, Happening, Stream

NOW = 1_700_000_000 * 10**9
ORDERS = {"config": {"name": "ORDERS", "subjects": ["shop.>"]}, "state": {"first_seq": 1, "last_seq": 9}}


class Server:
    """Answers as JetStream does, with *count* consumers; each subject may be made to fail."""

    def __init__(self, count: int) -> None:
        self.names = [f"c{number:05}" for number in range(count)]
        self.missing: list[str] = []
        self.failing = False
        self.asked = 0

    async def one(self, subject: str, body: bytes, kind: Any) -> Any:
        self.asked += 1
        if self.failing:
            raise AskError("no answer")
        offset = msgspec.json.decode(body)["offset"]
        if "STREAM.LIST" in subject:
            said: dict[str, Any] = {"total": 1, "offset": 0, "streams": [ORDERS]}
        else:
            rows = [
                {"stream_name": "ORDERS", "name": name, "config": {"durable_name": name}}
                for name in self.names[offset : offset + PAGE]
            ]
            said = {"total": len(self.names), "offset": offset, "consumers": rows, "missing": self.missing}
        return msgspec.json.decode(msgspec.json.encode(said), type=kind)


def looking(server: Server) -> tuple[Looking, Recollection]:
    memory = Recollection()
    return Looking(server, memory, lambda: NOW, 20), memory  # type: ignore[arg-type]


async def look(looking: Looking, *what: What) -> None:
    for one in what:
        await looking.at(Target(one, "ORDERS" if one is What.CONSUMERS else ""), Wanted(), 3.0)


async def test_a_long_list_is_read_to_its_end() -> None:
    """A group that is on the twentieth page is not gone."""
    server = Server(5_000)
    looks, memory = looking(server)
    await look(looks, What.STREAMS, What.CONSUMERS)
    assert len(memory.known.consumers) == 5_000
    assert memory.known.consumers_whole_until > NOW
    assert server.asked == 1 + 20
    server.names.remove("c04999")
    await look(looks, What.CONSUMERS)
    (gone,) = memory.known.happenings
    assert (gone.kind, gone.consumer, gone.seen) == (FactKind.DELETED, "c04999", False)


async def test_a_list_with_missing_entries_proves_no_absence() -> None:
    """While a leader moves, a server leaves its consumers out: they were not deleted."""
    server = Server(3)
    looks, memory = looking(server)
    await look(looks, What.STREAMS, What.CONSUMERS)
    server.missing = [server.names.pop()]
    await look(looks, What.CONSUMERS)
    assert (len(memory.known.consumers), memory.known.happenings) == (3, ())
    assert memory.known.consumers_whole_until == 0


async def test_a_server_that_is_slow_is_reported_after_a_while() -> None:
    server = Server(3)
    looks, memory = looking(server)
    await look(looks, What.STREAMS, What.CONSUMERS)
    server.failing = True
    await look(looks, What.STREAMS)
    assert list(looks.gaps()) == []
    await look(looks, What.STREAMS, What.STREAMS)
    assert list(looks.gaps()) == [gaps.unanswered(What.STREAMS)]
    assert len(memory.known.consumers) == 3  # they age by themselves
    server.failing = False
    await look(looks, What.STREAMS)
    assert list(looks.gaps()) == []


def test_no_more_is_asked_than_is_allowed() -> None:
    """However many streams there are, and however much is wanted."""
    streams = tuple(
        Stream("nats", f"S{number}", (f"s{number}.>",), 1, 2, 2, NOW, NOW) for number in range(500)
    )
    wanted = Wanted(frozenset(f"s{number}.x" for number in range(500)), frozenset({"payment"}))
    every = targets(Known("nats", streams=streams), wanted, 20)
    assert sum(1 / pause for pause in every.values()) == pytest.approx(16)
    assert not targets(Known("nats", streams=streams), Wanted(), 20)


def test_a_gap_in_a_stream_is_a_message_that_is_gone() -> None:
    """Found without reading a message."""
    said: dict[str, Any] = {
        **ORDERS,
        "state": {"messages": 2, "first_seq": 3, "last_seq": 5, "num_deleted": 1},
    }
    spots = [Spot("ORDERS", number) for number in (2, 3, 4, 5)]

    def there(state: dict[str, Any]) -> dict[int, bool]:
        info = msgspec.json.decode(msgspec.json.encode({**said, "state": state}), type=StreamInfo)
        return {one.sequence: one.there for one in stored_of(info, spots, NOW, NOW)}

    assert there({**said["state"], "deleted": [4]}) == {2: False, 3: True, 4: False, 5: True}
    assert there(said["state"]) == {2: False}  # of the others, the server did not say


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type":"io.nats.jetstream.advisory.v1.api_audit"}'])
def test_what_is_no_advisory_is_none(body: bytes) -> None:
    assert advisories.happening_of(body, NOW) is None


def test_a_flood_of_acknowledgements_leaves_what_was_given_up() -> None:
    memory = Recollection()
    memory.happen(Happening("nats", FactKind.GIVEN_UP, NOW, "ORDERS", "payment", 1))
    for number in range(30_000):
        memory.happen(Happening("nats", FactKind.ACKNOWLEDGED, NOW, "ORDERS", "payment", number))
    assert len(memory.known.happenings) == 20_001
    assert sum(one.kind is FactKind.GIVEN_UP for one in memory.known.happenings) == 1
    assert memory.taken().num_rows <= 20_000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14T22:13:20.123456789Z", NOW + 123_456_789),
        ("2023-11-14T23:13:20.5+01:00", NOW + 500_000_000),
        ("2023-11-14T22:13:20Z", NOW),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        ("", None),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, at: int | None) -> None:
    assert nanoseconds(text) == at
