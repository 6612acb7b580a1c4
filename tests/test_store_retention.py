"""Does a store forget what it is told to, embedded and on a server, also while others write?"""

import threading
import time
from collections.abc import Callable

import pyarrow as pa
import pytest

from collector.columns.keys import text_keys
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.embedded import Engine
from collector.store.clickhouse.opening import stores_over
from collector.store.clickhouse.retention_store import ClickHouseRetention
from collector.store.contracts import Stores
from tests.factories import NOW, request, span, table, trace_id
from tests.stores.retention_contract import DAY, TODAY, RetentionStoreContract, day_of_spans


@pytest.fixture
def clock() -> list[int]:
    """By which rows of flows and message ids are stored."""
    return [NOW]


def stores_in(database: Database, clock: list[int]) -> Stores:
    return stores_over(database, lambda: clock[0])


class TestEmbedded(RetentionStoreContract):
    """On a folder."""

    @pytest.fixture
    def opened(self, database: Database, clock: list[int]) -> Callable[[], Stores]:
        return lambda: stores_in(database, clock)

    @pytest.fixture
    def retention(self, engine: Engine, database: Database) -> ClickHouseRetention:
        return ClickHouseRetention(database, engine.folder)


def test_a_proof_that_spans_can_be_stored_is_never_the_oldest_span(
    engine: Engine, database: Database, clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was, for a moment: then all flows seemed to be gone, and what was stuck left the memory."""
    stores, retention = stores_in(database, clock), ClickHouseRetention(database, engine.folder)
    day_of_spans(stores, TODAY, 3)
    before, seen, execute = (retention.oldest(), retention.days()), [], database.execute

    def removing(statement: str) -> None:
        seen.append((retention.oldest(), retention.days()))
        execute(statement)

    monkeypatch.setattr(database, "execute", removing)
    stores.spans.prove()
    assert seen == [before]


def test_a_day_is_dropped_while_others_write_and_read(
    engine: Engine, database: Database, clock: list[int]
) -> None:
    """Nothing that was received later is touched, and no question fails."""
    stores, retention = stores_in(database, clock), ClickHouseRetention(database, engine.folder)
    for ago in (3, 2, 1):
        day_of_spans(stores, TODAY - ago, 2_000)
    stop, written, failures = threading.Event(), [0], list[Exception]()

    def write() -> None:
        while not stop.is_set():
            number = written[0]
            sent = table(request(*(span(id=f"new {number}/{n}") for n in range(50))), received=NOW + number)
            try:
                stores.spans.write(sent)
                stores.spans.spans_of([trace_id(f"{TODAY - 3}/0"), trace_id("trace")])
            except Exception as error:
                failures.append(error)
                return
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    for ago in (3, 2):
        time.sleep(0.1)
        retention.drop_day(TODAY - ago)
    stop.set()
    writer.join()

    assert failures == []
    assert stores.spans.span_count() == 2_000 + 50 * written[0]
    assert [day.number for day in retention.days()] == [TODAY - 1, TODAY]


def test_a_drop_that_is_interrupted_is_known_to_the_next_process(
    engine: Engine, database: Database, clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of a day go one by one, and a kill in between left 6,000 of its 9,000 spans."""
    stores, retention = stores_in(database, clock), ClickHouseRetention(database, engine.folder)
    day_of_spans(stores, TODAY - 1, 1)
    assert retention.half_dropped() is None
    retention.drop_day(TODAY - 2)
    assert retention.half_dropped() is None
    sound = database.execute

    def dies(statement: str) -> None:
        if "DROP PARTITION" in statement:
            raise SystemExit
        sound(statement)

    monkeypatch.setattr(database, "execute", dies)
    with pytest.raises(SystemExit):
        retention.drop_day(TODAY - 1)

    assert ClickHouseRetention(database, engine.folder).half_dropped() == TODAY - 1


def test_ids_of_before_they_had_a_time_go_when_their_spans_are_gone(
    engine: Engine, database: Database, clock: list[int]
) -> None:
    """A folder of an older version has such rows: nothing tells how old they are."""
    stores, retention = stores_in(database, clock), ClickHouseRetention(database, engine.folder)
    day_of_spans(stores, TODAY, 1)
    ids = text_keys(pa.array(["gone", "kept"]))
    traces = pa.array([trace_id("gone"), trace_id(f"{TODAY}/0")], pa.binary(16))
    database.insert("message_ids", pa.table({"id": ids, "trace_id": traces}))

    retention.forget_ids(TODAY * DAY)

    assert stores.flows.offering(ids).to_pylist() == [trace_id(f"{TODAY}/0")]
