"""Which rows of a store count, when most of them need not be compared with others?"""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.columns.maybe import MaybeSet
from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.migrations import MIGRATIONS, migrate, there
from collector.store.clickhouse.opening import stores_over
from collector.store.contracts import RANKS, FlowStore, Place, Search, StoreError
from tests.factories import NOW
from tests.stores.contract import flows, names, put
from tests.strategies import examples

KEYS = tuple(f"A-{number}" for number in range(6))
_SOME = st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True).map(tuple)
_STATES = st.sampled_from(State)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _SOME, _STATES),
        st.tuples(st.just("put only new"), _SOME, _STATES),
        st.tuples(st.just("forget"), _SOME, st.none()),
        st.tuples(st.sampled_from(("reopen", "merge")), st.none(), st.none()),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, without=st.sets(st.sampled_from((*KEYS, "Z-9"))))
def test_each_flow_counts_once_as_it_was_written_last(
    module_database: Database,
    steps: list[tuple[str, tuple[str, ...] | None, State | None]],
    without: set[str],
) -> None:
    """Whatever was written before it, merged, forgotten, or read by another collector meanwhile."""
    emptied = module_database
    emptied.execute("TRUNCATE TABLE flows")
    store, reading = opened(emptied), opened(emptied)
    expected: dict[str, tuple[State, int]] = {}
    written: set[str] = set()  # what was forgotten is not new either
    for moment, (what, keys, state) in enumerate(steps):
        if what == "reopen":
            store = opened(emptied)
        elif what == "merge":
            emptied.execute("OPTIMIZE TABLE flows FINAL")
        elif what == "forget":
            store.forget(keys or ())
            for key in keys or ():
                expected.pop(key, None)
        else:
            put(store, flows(*keys or (), last=NOW + moment), state or State.DONE, only_new=what != "put")
            for key in keys or ():
                if what == "put" or key not in written:
                    expected[key] = state or State.DONE, NOW + moment
                    written.add(key)
    shown = {key: at for key, at in expected.items() if key not in without}
    search = Search(without=sorted(without))

    assert reading.counts(search) == counted(shown)
    newest_first = sorted(shown, key=lambda key: (shown[key][1], key), reverse=True)
    order = sorted(newest_first, key=lambda key: RANKS[shown[key][0]])
    assert names(reading.found(search, 9)) == order
    assert paged(reading, search) == order
    for wanted in ((State.DONE,), (State.STUCK, State.DONE), (State.LATE,)):
        some = [key for key in order if shown[key][0] in wanted]
        assert names(reading.found(Search(states=wanted, without=sorted(without)), 9)) == some
    stopped = {key for key, (state, _) in expected.items() if state in (State.STUCK, State.FAILED)}
    assert set(names(reading.unfinished(9))) == stopped
    assert sum(reading.stopped(Search(), NOW).values()) == len(stopped)
    done = [key for key, (state, _) in expected.items() if state == State.DONE]
    assert sorted(reading.done_among(KEYS, State.DONE)) == sorted(done)


def test_a_list_has_what_others_stored_since_its_first_page(database: Database) -> None:
    """The reader's store writes nothing, so no version that it remembers is the newest."""
    store, reading = opened(database), opened(database)
    put(store, flows("A-1"))
    assert names(reading.found(Search(), 9)) == ["A-1"]
    put(store, flows("A-2", last=NOW + 1))

    assert names(reading.found(Search(), 9)) == ["A-2", "A-1"]
    assert reading.counts(Search()) == {State.DONE: 2}


def test_examples_are_those_that_count(database: Database) -> None:
    """What was replaced teaches no more, wherever its older row is."""
    store = opened(database)
    put(store, flows("A-1", "A-2", "A-3"), taught=True)
    put(store, flows("A-2"), State.STUCK)
    put(store, flows("A-3", received=NOW + 5), taught=True)
    store.forget(["A-1"])

    assert names(opened(database).examples(NOW + 9)) == ["A-3"]
    assert names(opened(database).examples(NOW)) == []


def test_a_row_whose_insert_failed_and_is_there_is_replaced(database: Database) -> None:
    """Nobody knows whether it landed; the next row of that flow must count alone."""
    store = opened(database)
    insert = database.insert

    def landed_unheard(table: str, rows: pa.Table) -> None:
        insert(table, rows)
        raise StoreError("The disk did not say.")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "insert", landed_unheard)
        with pytest.raises(StoreError):
            put(store, flows("A-1"))
    put(store, flows("A-1"), State.STUCK)

    assert opened(database).counts(Search()) == {State.STUCK: 1}


def test_an_older_store_is_copied_whole_however_often_that_is_interrupted(database: Database) -> None:
    """Its flows are those that counted before; none is lost, and none is there twice."""
    (migration,) = [one for one in MIGRATIONS if "flows.settled" in one.adds]
    for done in range(len(migration.statements) + 1):
        for statement in ("DROP TABLE flows SYNC", older(), "SYSTEM STOP MERGES flows"):
            database.execute(statement)
        for version, state in enumerate((State.STUCK, State.LATE, State.DONE), 1):
            for key in KEYS[:version]:
                row = f"('{key}', '{key}', {NOW}, {int(state)}, {NOW + version})"
                database.execute(f"INSERT INTO flows (id, key, last, state, stored_unix_nano) VALUES {row}")

        for statement in migration.statements[:done]:
            database.execute(statement)
        migrate(database)
        migrate(database)

        store = opened(database)
        assert store.counts(Search()) == {State.DONE: 3}
        put(store, flows(KEYS[0]), State.FAILED)
        assert store.counts(Search()) == {State.DONE: 2, State.FAILED: 1}
        assert not any(name.startswith("flows_copied") for name in there(database))


def test_older_rows_are_put_into_the_order_of_lists_however_often_that_is_interrupted(
    database: Database,
) -> None:
    """Also if the process ends between the last two steps, and the old rows are still there."""
    (migration,) = [one for one in MIGRATIONS if "flows.place" in one.adds]
    before = [one for m in MIGRATIONS[1 : migration.number - 1] for one in m.statements]
    columns = "id, key, last, state, stored_unix_nano, settled, replaces"
    rows = (
        f"('A-0', 'A-0', {NOW}, 0, 1, true, false)",
        f"('A-1', 'A-1', {NOW + 1}, 0, 2, true, false)",
        f"('A-1', 'A-1', {NOW + 2}, 3, 3, false, true)",
        f"('A-2', 'A-2', {NOW + 3}, 2, 4, false, false)",
        f"('A-3', 'A-3', {NOW - 1}, 0, 5, true, false)",
    )
    for done in range(len(migration.statements) + 1):
        for statement in ("DROP TABLE flows SYNC", older(), *before, "SYSTEM STOP MERGES flows"):
            database.execute(statement)
        for row in rows:
            database.execute(f"INSERT INTO flows ({columns}) VALUES {row}")

        for statement in migration.statements[:done]:
            database.execute(statement)
        migrate(database)
        migrate(database)

        store = opened(database)
        assert names(store.found(Search(), 9)) == ["A-1", "A-2", "A-0", "A-3"]
        assert store.counts(Search()) == {State.STUCK: 1, State.LATE: 1, State.DONE: 2}
        put(store, flows("A-3"), State.FAILED)
        assert names(store.found(Search(states=(State.DONE,)), 9)) == ["A-0"]
        wrong = "SELECT count() AS n FROM flows WHERE place != if(settled, last, 0)"
        assert database.query(wrong, {}, ["n"])["n"].to_pylist() == [0]
        assert not any(name.startswith("flows_copied") for name in there(database))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=300), st.lists(st.integers(0, 2**64 - 1), max_size=300))
def test_a_maybe_set_knows_each_key_that_was_added(added: list[int], others: list[int]) -> None:
    keys = MaybeSet()
    for some in (added[:100], added[100:]):
        keys.add(np.array(some, np.uint64))

    assert keys.among(np.array(added, np.uint64)).all()
    assert not MaybeSet().among(np.array(others, np.uint64)).any()


def test_a_maybe_set_takes_few_keys_for_its_own() -> None:
    """Each of them costs a look into the store. It has grown twice here."""
    random = np.random.default_rng(7)
    keys = MaybeSet()
    keys.add(random.integers(0, 2**64, 250_000, np.uint64))

    assert keys.among(random.integers(0, 2**64, 100_000, np.uint64)).mean() < 1 / 300


def opened(database: Database) -> FlowStore:
    return stores_over(database, lambda: NOW).flows


def counted(shown: dict[str, tuple[State, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for state, _ in shown.values():
        found[state] = found.get(state, 0) + 1
    return found


def paged(store: FlowStore, search: Search) -> list[str]:
    """The whole list, two at a time."""
    found: list[str] = []
    after: Place | None = None
    while (page := store.found(search, 2, after)).num_rows:
        found += names(page)
        last = page.to_pylist()[-1]
        after = Place(RANKS[last["state"]], last["last"], last["id"])
    return found


def older() -> str:
    """The table as it was before rows were told apart, and put into the order of lists."""
    (created,) = [s for s in MIGRATIONS[0].statements if s.startswith("CREATE TABLE IF NOT EXISTS flows\n")]
    later = r" +(settled|replaces) +Bool,\n|PARTITION BY settled\n|    place .+\n|,\n    INDEX by_id .+"
    without = re.sub(later, "", created).replace("ORDER BY (place, id)", "ORDER BY id")
    return without.replace("last_event_type ", "begun Int64,\n    last_event_type ", 1)
