"""What does a "started" span tell? It belongs to its handling, and stands for one that has not ended."""

from typing import Any

import pytest

from collector.conventions import read
from collector.model.flows import State
from collector.model.readings import Role
from collector.queries.flow_list import items_of
from collector.store.clickhouse.connections import Database
from tests import documents as answers
from tests.factories import NOW, ref
from tests.scenes import MS, Sent, Watch, begin, handling, order, publish, react, table, without
from tests.telling import REMOTE, consume, stitched, tell, work
from tests.telling import Sent as Told
from tests.telling import publish as published
from tests.telling import react as reacted
from tests.test_live import findings

STARTED = {
    "messaging.system": "nats",
    "messaging.operation.name": "started",
    "messaging.destination.name": "orders",
}


def word_of(handled: Told, *messages: Told, **more: Any) -> Told:
    """The span that announces the start of *handled*; for a batch it links to *messages* too."""
    name = f"{handled.name} began"
    return work(name, service=handled.service, links=[handled, *messages], said=STARTED, flags=REMOTE, **more)


# Stitching


def test_word_is_a_part_of_the_reaction_that_it_announced() -> None:
    """Counted as a reaction of its own, it would double every reaction."""
    placed = published("placed")
    packing = reacted("packing", placed)
    word = word_of(packing, parent=placed)

    told = tell(placed, packing, word)
    assert told.reactions == {packing: {packing, word}}
    assert (told.deliveries, told.notes) == ({(placed, packing)}, set())
    assert told.document["reactions"][0]["attempts"] == 1


def test_word_of_what_has_not_ended_is_no_reaction_and_no_loss() -> None:
    """As far as anyone knows, its handling is still running."""
    placed = published("placed")
    packing = reacted("packing", placed)
    word = word_of(packing, parent=placed)

    told = tell(placed, word, known=[packing])
    assert (told.reactions, told.deliveries, told.notes) == ({}, set(), set())
    assert stitched(placed, word).flows.incomplete.tolist() == [False]


def test_word_names_its_process_to_whoever_reads_it() -> None:
    """The live part, a page and a command must not read three different things in one span."""
    key = "A-1"
    sent = [
        publish("order", "OrderPlaced", key, at=NOW),
        begin("payment", "OrderPlaced", key, at=NOW),
        react("mailer", "OrderPlaced", key, at=NOW),
    ]
    readings = read(table(sent, NOW))

    assert dict(zip(readings["role"].to_pylist(), readings["instance"].to_pylist(), strict=True)) == {
        Role.SEND: None,
        Role.STARTED: "payment-1",
        Role.PROCESS: None,
    }
    assert read(table(sent[::-1], NOW))["instance"].to_pylist() == readings["instance"].to_pylist()


@pytest.mark.parametrize("ended", [False, True], ids=["hangs", "ended"])
def test_word_of_a_batch_is_in_the_flow_of_each_of_its_messages(ended: bool) -> None:
    """It is in its own trace, which has nothing to do with any of the messages."""
    first, second = published("first", key="A-1"), published("second", key="A-2")
    batch = consume("batch", first, second)
    word = word_of(batch, first, second)

    sent = [first, second, word, *([batch] if ended else [])]
    flows = stitched(*sent).flows
    assert set(flows.key) == {"A-1", "A-2"}
    assert [int((flows.flow == flow).sum()) for flow in range(2)] == [3 if ended else 2] * 2


# Diagnosis


def taken(key: str, at: int) -> list[Sent]:
    """An order that payment took but has not finished."""
    return [*order(key, at, down={"payment"}), begin("payment", "StockReserved", key, at=at + 20 * MS)]


def test_handling_that_began_and_never_ended_is_told_from_one_that_never_began(watch: Watch) -> None:
    at = watch.now
    watch.receive(taken("A-1", at))
    watch.wait(8)

    (finding,) = answers.stuck(watch.snapshot)["stuck"]
    assert (finding["cause"], finding["missing"]["service"]) == ("not_acknowledged", "payment")
    assert finding["since_unix_nano"] == at + 20 * MS
    assert finding["stopped_at"]["ref"] == ref("A-1", "A-1/StockReserved")
    assert finding["sentence"].startswith("payment (payment-1) took StockReserved from inventory 8.48 s ago")
    (_, word) = begin("payment", "StockReserved", "A-1", at=at)
    assert finding["evidence"][0]["ref"] == f"{word.trace_id.hex()}:{word.span_id.hex()}"


def test_handling_that_runs_is_given_the_usual_time_from_its_beginning(watch: Watch) -> None:
    """The message waited in a queue for a minute; that is over, and its handler has only begun."""
    at = watch.now
    watch.receive(order("A-1", at, down={"payment"}))
    watch.wait(60)
    assert watch.state("A-1") == State.STUCK
    watch.receive([begin("payment", "StockReserved", "A-1", at=watch.now)], after_s=0)

    assert watch.state("A-1") == State.RUNNING
    assert findings(watch, late=True) == []
    (item,) = items_of(watch.snapshot, watch.snapshot.flows["id"].to_numpy().nonzero()[0])
    assert not item.incomplete


def test_handler_that_has_published_and_still_runs_is_neither_owed_nor_lost(watch: Watch) -> None:
    """The handler's own span, the parent of all that it did, arrives only when it ends."""
    sent = order("A-1", watch.now)
    (own,) = [one for one in sent if one[0] == "payment" and one[1].kind == one[1].SPAN_KIND_CONSUMER]
    sent.remove(own)
    watch.receive([*sent, begin("payment", "StockReserved", "A-1", at=own[1].start_time_unix_nano)])
    watch.wait(12)

    assert findings(watch, late=True) == []
    assert watch.state("A-1") == State.DONE
    assert watch.flows.named("A-1")["incomplete"].to_pylist() == [False]


def test_flow_is_done_when_another_instance_takes_it_again(watch: Watch) -> None:
    """The process was killed: its handling never ends, and must not be waited for."""
    at = watch.now
    watch.receive(taken("A-1", at))
    watch.wait(8)
    again = begin("payment", "StockReserved", "A-1", at=watch.now, attempt=2)
    whole = [one for one in order("A-1", at) if one not in order("A-1", at, down={"payment"})]
    for _, one in whole:
        if one.span_id == react("payment", "StockReserved", "A-1", at=at)[1].span_id:
            one.span_id = react("payment", "StockReserved", "A-1", at=at, attempt=2)[1].span_id
        elif one.name == "send shop.PaymentCaptured":
            one.parent_span_id = react("payment", "StockReserved", "A-1", at=at, attempt=2)[1].span_id
    watch.receive([again, *whole])
    watch.wait(12)

    assert watch.state("A-1") == State.DONE
    assert watch.flows.named("A-1")["incomplete"].to_pylist() == [False]


def test_handler_that_dies_each_time_does_not_begin_anew_each_time(watch: Watch) -> None:
    """Redelivered every four seconds, the message would never be overdue."""
    watch.receive(taken("A-1", watch.now))
    for attempt in (2, 3):
        watch.wait(4)
        watch.receive([begin("payment", "StockReserved", "A-1", at=watch.now, attempt=attempt)])

    assert [cause for _, cause, *_ in findings(watch)] == ["not_acknowledged"]


def test_who_has_begun_is_alive(sure: Watch) -> None:
    """One handling takes long, and the next message waits behind it: the service is not down."""
    watch, at = sure, sure.now
    watch.receive(taken("A-1", at))
    watch.wait(2)
    watch.receive(order("A-2", watch.now, down={"payment"}))
    watch.wait(5)
    watch.receive(
        [begin("payment", "StockReserved", "A-3", at=watch.now), *order("A-3", watch.now, down={"payment"})]
    )
    watch.wait(1)

    assert ("A-2", "unknown", "payment", "PaymentCaptured") in findings(watch)


def test_group_whose_handlers_all_hang_is_told_so_of_what_it_does_not_take(watch: Watch) -> None:
    """The group takes nothing more: the reader should look at what it took last."""
    watch.receive(taken("A-1", watch.now))
    watch.wait(2)
    watch.receive(order("A-2", watch.now, down={"payment"}))
    watch.wait(20)  # it had taken nothing for twelve seconds before, too

    (finding,) = [one for one in answers.stuck(watch.snapshot)["stuck"] if one["flow"] == "A-2"]
    assert finding["cause"] == "consumer_down"
    assert "with 1 handling that began and did not end" in finding["evidence"][1]["text"]


def test_request_that_was_answered_by_a_handler_that_hangs_is_owed(database: Database) -> None:
    """A handler that answers and then hangs has taken the request, but still owes what follows."""
    watch = Watch(database)

    def booking(key: str, at: int) -> list[Sent]:
        by = handling("booking", "book", key)
        return [
            publish("gateway", "book", key, at=at, verb="request"),
            begin("booking", "book", key, at=at + MS),
            react("booking", "book", key, at=at + MS),
            publish("booking", "Booked", key, at=at + 2 * MS, by=by),
        ]

    watch.receive([one for number in range(40) for one in booking(f"L-{number}", watch.now)])
    watch.wait(12)
    watch.receive(without(booking("A-1", watch.now)[:2]))
    watch.wait(8)

    assert findings(watch) == [("A-1", "not_acknowledged", "booking", "Booked")]
