"""Of which flows is the map drawn, and are its shares those of the whole window?"""

import pyarrow as pa
import pytest

from collector.model.answers import Map
from collector.model.flows import State
from collector.queries import map as drawing
from collector.queries.map import choreography_map
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.opening import stores_over
from collector.store.contracts import Sample, Search
from tests.documents import sources
from tests.factories import NOW
from tests.scenes import Watch, order
from tests.stores.contract import flows, names, put

_LONG_S = 10 * 365 * 86_400
_DONE, _STOPPED = 120, 30
ALL = Sample(1, 1, 1)


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Watch:
    """A fifth of its orders stop before payment; the others are in the store, these in memory."""
    watch = Watch(module_database)
    watch.learn(_DONE)
    for number in range(_STOPPED):
        watch.receive(order(f"S-{number}", watch.now, down={"payment"}))
    watch.wait(12)
    assert list(watch.snapshot.state).count(State.STUCK) == _STOPPED
    return watch


def drawn(watch: Watch, monkeypatch: pytest.MonkeyPatch, flows: int, runs: int = 5) -> Map:
    monkeypatch.setattr(drawing, "_UNKNOWN", -1)  # as if an older version had stored them
    monkeypatch.setattr(drawing, "_MAP_FLOWS", flows)
    monkeypatch.setattr(drawing, "_RUNS", runs)
    return choreography_map(sources(watch), _LONG_S, ())


def share_of(found: Map, service: str) -> float:
    """Of how many of the messages that *service* reacts to it took."""
    (share,) = [one.share for one in found.reactions if one.service == service]
    return share


def test_counted_courses_show_what_all_spans_show(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read again: the map of the stored courses is that of all spans, to the last number."""
    counted = choreography_map(sources(watch), _LONG_S, ())
    whole = drawn(watch, monkeypatch, 1_000)

    assert counted == whole
    assert counted.flows == counted.flows_in_window == _DONE + _STOPPED
    assert share_of(counted, "payment") == pytest.approx(0.8, abs=1e-4)
    (payment,) = [one for one in counted.reactions if one.service == "payment"]
    assert payment.work_ms.p50 == pytest.approx(20, rel=0.06)
    assert [(one.outcome, one.count) for one in counted.variants] == [("done", _DONE), ("stuck", _STOPPED)]


def test_a_window_is_counted_without_reading_a_span(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("spans are read")

    monkeypatch.setattr(watch.spans, "first_of", refused)
    monkeypatch.setattr(drawing, "_PACED", 10)
    found = choreography_map(sources(watch), _LONG_S, ())

    assert found.flows == _DONE + _STOPPED
    assert all(one.work_ms.p99 > 0 for one in found.reactions)


def test_flows_of_an_older_version_are_drawn_from_a_sample(database: Database) -> None:
    """Of them no course is known: while they are many, a sample is drawn; later they are left out."""
    watch = Watch(database)
    watch.learn(20)
    database.execute("ALTER TABLE flows UPDATE course = '', paces = [] WHERE 1 SETTINGS mutations_sync = 2")
    old = choreography_map(sources(watch), _LONG_S, ())
    assert (old.flows, old.flows_in_window) == (20, 20)
    assert share_of(old, "payment") == 1

    for _ in range(5):
        watch.learn(40)
    new = choreography_map(sources(watch), _LONG_S, ())
    assert (new.flows, new.flows_in_window) == (200, 220)


@pytest.mark.parametrize("wanted", [20, 50, 100])
def test_shares_of_a_sample_are_those_of_the_window(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, wanted: int
) -> None:
    """As many of those that stopped were drawn as of all others, whatever their shares were."""
    whole, some = (drawn(watch, monkeypatch, most) for most in (1_000, wanted))

    assert whole.flows == whole.flows_in_window == some.flows_in_window == _DONE + _STOPPED
    assert abs(some.flows - wanted) <= wanted / 8  # it is drawn in 5 runs here
    assert share_of(whole, "payment") == pytest.approx(0.8, abs=0.01)
    assert share_of(some, "payment") == pytest.approx(0.8, abs=0.06)


def test_a_sample_reaches_over_the_whole_window(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of the newest would say nothing of what was before."""
    asked: list[list[str]] = []
    sampled = watch.flows.sampled

    def noted(search: Search, sample: Sample) -> pa.Table:
        found = sampled(search, sample)
        asked.append(names(found))
        return found

    monkeypatch.setattr(watch.flows, "sampled", noted)
    drawn(watch, monkeypatch, 20)

    by_age = sampled(Search(), ALL).sort_by("last")["id"].to_pylist()
    places = sorted(by_age.index(key) for key in asked[0])
    assert places[0] < _DONE / 5
    assert places[-1] >= _DONE * 3 / 5


@pytest.mark.parametrize("flows", [1, 3, 7, 30, 45, 60, 150, 344, 999, 5_000])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.33, 0.55, 0.74, 1.0])
def test_as_many_are_drawn_as_their_share_says(flows: int, share: float) -> None:
    """One flow in memory beside a thousand in the store is one in the sample, and not a run of them."""
    sample = drawing._spread(flows, share)
    chosen = [n for n in range(flows) if n // sample.run * sample.chosen % sample.runs < sample.chosen]

    wanted = max(round(flows * share), 1)
    assert abs(len(chosen) - wanted) <= (0 if share == 1 else max(0.06 * wanted, 0.5))


def test_a_stored_sample_is_spread_and_counts_each_flow_once(database: Database) -> None:
    store = stores_over(database).flows
    for number in range(20):
        put(store, flows(f"A-{number:02}", last=NOW + number))
    put(store, flows("A-19", last=NOW + 19), State.STUCK)  # it counts once, as it is now
    search = Search(since=NOW - 1, without=["A-00", "A-01"])

    assert sorted(names(store.sampled(search, Sample(2, 9, 3)))) == [
        "A-02",
        "A-03",
        "A-08",
        "A-09",
        "A-14",
        "A-15",
    ]
    assert sorted(names(store.sampled(search, ALL))) == [f"A-{number:02}" for number in range(2, 20)]
    assert names(store.sampled(Search(since=NOW + 30), ALL)) == []
