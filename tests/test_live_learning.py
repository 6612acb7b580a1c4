"""What is judged while it is still learned, and what an outage, a spell or a batch must not change."""

from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import Engine
from collector.store.contracts import Search
from tests import documents as answers
from tests.conftest import new_database
from tests.factories import pairs, secret_keys
from tests.scenes import MS, Sent, Watch, handling, order, publish, react
from tests.test_live import findings


def test_outage_teaches_nothing(watch: Watch) -> None:
    """However long an outage lasts, and however many orders it stops, deadlines stay the same."""
    before = watch.snapshot.expected
    assert before is not None
    placed = watch.now
    for number in range(30):
        watch.receive(order(f"A-{number}", placed + number * MS, down={"payment"}), after_s=0.1)
    watch.wait(60, every_s=4)
    assert len(findings(watch)) == 30
    late = 90_000 * MS
    for number in range(30):
        key = f"A-{number}"
        caught_up = [
            react("payment", "StockReserved", key, at=placed + late),
            publish(
                "payment",
                "PaymentCaptured",
                key,
                at=placed + late,
                by=handling("payment", "StockReserved", key),
            ),
            react("shipping", "PaymentCaptured", key, at=placed + late + 30 * MS),
            publish(
                "shipping",
                "OrderShipped",
                key,
                at=placed + late + 40 * MS,
                by=handling("shipping", "PaymentCaptured", key),
            ),
        ]
        watch.receive(caught_up, after_s=0.1)
    assert findings(watch) == []
    watch.wait(400, every_s=4)

    after = watch.snapshot.expected
    assert after is not None
    assert [e.react for e in after.steps.values()] == [e.react for e in before.steps.values()]


def test_nothing_is_judged_before_enough_was_seen(database: Database) -> None:
    """Three examples make no habit."""
    watch = Watch(database)
    for number in range(3):
        watch.receive(order(f"A-{number}", watch.now))
    watch.receive(order("B-1", watch.now, down={"payment"}))
    watch.wait(10)

    assert findings(watch, late=True) == []


def test_flow_that_stopped_before_anything_was_known_is_found_once_it_is(database: Database) -> None:
    """The first orders teach, and the stopped one among them is judged by what the others taught."""
    watch = Watch(database)
    watch.receive(order("B-1", watch.now))
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(20)
    assert findings(watch) == []
    watch.learn()

    assert [flow for flow, *_ in findings(watch)] == ["A-1"]


def test_consumer_that_joins_late_and_reads_everything_changes_nothing(watch: Watch) -> None:
    """Its spans touch flows that were evicted long ago; these are restored, complete."""
    watch.wait(30)
    assert watch.snapshot.flows.num_rows == 0
    replayed = [react("analytics", "OrderPlaced", f"L-{n}", at=watch.now) for n in range(40)]
    watch.receive(replayed)
    assert watch.snapshot.flows.num_rows == 40
    assert {row["messages"] for row in watch.snapshot.flows.to_pylist()} == {5}
    watch.wait(700, every_s=4)

    stored = watch.flows.named("L-0").to_pylist()[0]
    assert (stored["messages"], stored["reactions"], stored["outcome"]) == (5, 7, "OrderShipped")
    watch.receive(order("A-1", watch.now))
    watch.wait(20)
    assert findings(watch, late=True) == []


def test_two_orders_in_one_batch_stay_two_flows(watch: Watch) -> None:
    """One stuck parcel must not make the other one stuck."""
    placed = watch.now
    sent = [*order("A-1", placed), *order("A-2", placed)]
    service, batch = react("warehouse", "OrderShipped", "A-1", at=placed + 200 * MS)
    batch.ClearField("parent_span_id")
    batch.trace_id = b"b" * 16
    batch.links.extend(react("warehouse", "OrderShipped", "A-2", at=placed)[1].links)
    del batch.attributes[-1]
    watch.receive([*sent, (service, batch)])

    rows = {row["id"]: row for row in watch.snapshot.flows.to_pylist()}
    assert set(rows) == {"A-1", "A-2"}
    assert rows["A-1"]["reactions"] == rows["A-2"]["reactions"] == 7


def test_batch_that_failed_holds_none_of_its_orders_whose_others_are_done(watch: Watch) -> None:
    """The finished order leaves memory; its part of the failed batch must not stick to the other order."""
    placed = watch.now
    broken = [one for key in ("A-1", "A-2") for one in order(key, placed, down={"payment"})]
    service, batch = react("payment", "StockReserved", "A-1", at=placed + 200 * MS, error="busy")
    batch.ClearField("parent_span_id")
    batch.trace_id = b"b" * 16
    batch.links.extend(react("payment", "StockReserved", "A-2", at=placed)[1].links)
    del batch.attributes[-2:]
    watch.receive([*broken, (service, batch)])
    ids = {one.span_id for _, one in broken}
    for key, after_s in (("A-1", 8), ("A-2", 90)):
        watch.wait(after_s)  # in time, the finished one is evicted
        assert key in {flow for flow, *_ in findings(watch)}
        watch.receive([one for one in order(key, placed) if one[1].span_id not in ids])

    assert findings(watch, late=True) == []
    watch.wait(
        300, every_s=4
    )  # a link leads to an evicted flow: it might be lost, until it is clear that it is not
    assert (watch.state("A-1"), watch.state("A-2")) == (State.DONE, State.DONE)


def test_spell_of_slowness_hides_no_later_outage(sure: Watch) -> None:
    """Payment is slow, is mended, then stops: orders are stuck as soon as they were before."""
    watch = sure
    for number in range(40):
        placed = watch.now
        slow = order(f"S-{number}", placed, down={"payment"})
        rest = [one for one in order(f"S-{number}", placed) if one not in slow]
        for _, one in rest:
            one.start_time_unix_nano += 3000 * MS
            one.end_time_unix_nano += 3000 * MS
        watch.receive([*slow, *rest], after_s=4)
    watch.wait(20)
    watch.receive(order("A-1", watch.now, down={"payment"}))
    watch.wait(8)

    assert findings(watch) == [("A-1", "consumer_down", "payment", "PaymentCaptured")]


def test_silent_batch_is_named_by_what_each_order_waits_after(watch: Watch) -> None:
    """A batch's span names a subject at most: the event type is that of each message in it."""
    placed = watch.now
    sent = [one for key in ("A-1", "A-2") for one in order(key, placed, down={"payment"})]
    service, batch = react("payment", "StockReserved", "A-1", at=placed + 200 * MS)
    batch.ClearField("parent_span_id")
    batch.trace_id = b"b" * 16
    batch.links.extend(react("payment", "StockReserved", "A-2", at=placed)[1].links)
    kept = [pair for pair in batch.attributes if pair.key not in {"cloudevents.event_type", "order.id"}]
    del batch.attributes[:]
    batch.attributes.extend(kept)
    watch.receive([*sent, (service, batch)])
    watch.wait(8)

    found = answers.stuck(watch.snapshot)["stuck"]
    assert {(f["key"], f["cause"], f["stopped_at"]["event_type"]) for f in found} == {
        ("A-1", "handler_silent", "StockReserved"),
        ("A-2", "handler_silent", "StockReserved"),
    }


def test_step_owes_what_it_publishes_whatever_a_later_join_of_its_service_needs(database: Database) -> None:
    """Stock is released if reserved and the payment declined: a reservation alone does not owe that."""
    watch = Watch(database)

    def declined(key: str, at: int, *, silent: bool = False) -> list[Sent]:
        sent = [
            publish("order", "OrderPlaced", key, at=at),
            react("inventory", "OrderPlaced", key, at=at + MS),
        ]
        if silent:
            return sent
        steps = [
            ("inventory", "OrderPlaced", "StockReserved"),
            ("payment", "StockReserved", "PaymentDeclined"),
            ("inventory", "PaymentDeclined", "StockReleased"),
        ]
        for number, (service, event, then) in enumerate(steps):
            start = at + (1 + 30 * number) * MS
            if number:
                sent.append(react(service, event, key, at=start))
            by = handling(service, event, key)
            sent.append(publish(service, then, key, at=start + 10 * MS, by=by))
        return sent

    watch.receive([one for number in range(40) for one in declined(f"L-{number}", watch.now)])
    watch.wait(12)
    watch.receive(declined("A-1", watch.now, silent=True))
    watch.wait(8)

    assert findings(watch) == [("A-1", "handler_silent", "inventory", "StockReserved")]


def test_secret_of_the_keys_changes_no_verdict_and_no_list(engine: Engine) -> None:
    """Two collectors that receive the same spans must say the same, to the last tie."""
    seen = []
    for secret in (0, 1, 2**64 - 1):
        with secret_keys(secret), new_database(engine) as database:
            watch = Watch(database)
            watch.learn()
            at = watch.now
            watch.receive([one for key in ("A-1", "A-2") for one in order(key, at, down={"payment"})])
            # The same keys in other traces, at the same times.
            for number in range(5):
                sent = publish("shop", "Reviewed", f"T-{number}", at=at)
                sent[1].attributes.extend(pairs({"order.id": "A-1"}))
                watch.receive([sent], after_s=0.01)
            watch.wait(12)
            listed = watch.snapshot.flows.to_pylist(), watch.flows.found(Search(), 99).to_pylist()
            seen.append((*listed, answers.stuck(watch.snapshot)))

    assert seen[0] == seen[1] == seen[2]
