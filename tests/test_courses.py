"""What course did a flow take? Flows that did the same have the same one, in every process."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.conventions.read import read
from collector.diagnosis import Names, record
from collector.diagnosis.course_rows import courses
from collector.model.courses import (
    COURSES,
    LENGTH_SQL,
    LONGEST,
    Course,
    Published,
    course_of,
    lengths_of,
    milliseconds_of,
    no_courses,
    paces_of,
    seconds_of,
)
from collector.model.flows import State
from collector.queries.choreography import choreography, counted
from collector.stitching import stitch
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.opening import stores_over
from collector.store.contracts import Search
from tests.factories import NOW, SECOND
from tests.scenes import MS, Sent, order, publish, table
from tests.stores.contract import flows, names


def courses_of(sent: list[Sent], known: Names | None = None) -> pa.Table:
    """COURSES of all flows of *sent*."""
    known = known or Names()
    happened = record(stitch(read(table(sent, NOW + SECOND))), known)
    return courses(happened, known, np.ones(happened.flows, np.bool_))


def texts(found: pa.Table) -> list[str]:
    said: list[str] = found["course"].to_pylist()
    return said


def test_flows_that_did_the_same_have_one_course_whoever_reads_them() -> None:
    sent = [*order("A-1", NOW), *order("A-2", NOW + 5), *order("A-3", NOW, down={"payment"})]
    third, first, second = sorted(texts(courses_of(sent)), key=len)
    used = Names()
    for name in ("something else", "payment", "OrderShipped"):  # other numbers for the same names
        used.event_types.code(name)
        used.services.code(name)
    again = texts(courses_of(order("B-1", NOW + 77), used))

    assert first == second != third
    assert again == [first]
    course = course_of(first)
    assert course is not None
    assert Counter(one.event_type for one in course.published)["OrderPlaced"] == 1
    assert course.published[0].event_type == "OrderPlaced"  # as they came


def test_what_happened_twice_is_another_course_with_a_number() -> None:
    placed = publish("order", "OrderPlaced", "A-1", at=NOW)
    one, again = (publish("order", "OrderNoted", "A-1", at=NOW + n * MS) for n in (1, 2))
    again[1].span_id = bytes(range(1, 9))
    (once,), (twice,) = texts(courses_of([placed, one])), texts(courses_of([placed, one, again]))

    assert once != twice
    course = course_of(twice)
    assert course is not None
    assert [(said.event_type, said.count) for said in course.published] == [
        ("OrderPlaced", 1),
        ("OrderNoted", 2),
    ]


def test_paces_stand_in_the_order_of_the_course() -> None:
    sent = order("A-1", NOW)
    for place, (service, sent_span) in enumerate(sent):
        if service in {"mailer", "payment"}:
            sent_span.end_time_unix_nano += place * 40 * MS
    found = courses_of(sent)
    course = course_of(texts(found)[0])
    assert course is not None
    paces = np.array(found["paces"][0].as_py())
    drawn = choreography(*counted(found, np.array([State.DONE]), np.array([SECOND])))

    assert len(paces) == sum(one.count for one in course.reacted)
    works = {one.service: one.work_ms.p50 for one in drawn.reactions}
    for one, pace in zip(course.reacted, paces.tolist(), strict=True):
        assert works[one.service] == pytest.approx(milliseconds_of(np.array([pace % 256]))[0], abs=0.001)
    assert len(set(works.values())) > 1


def test_flows_to_which_nobody_reacted_are_drawn_as_well() -> None:
    """The map failed as soon as one order had been placed that nobody took yet."""
    alone, whole = order("A-1", NOW)[:1], order("A-2", NOW)
    took = courses_of([*alone, *whole])
    drawn = choreography(*counted(took, np.full(2, State.RUNNING), np.full(2, SECOND)))

    assert (drawn.flows, drawn.unknown) == (2, 0)
    assert [one.count for one in drawn.events if one.event_type == "OrderPlaced"] == [2]
    assert {one.share for one in drawn.reactions if one.event_type == "OrderPlaced"} == {0.5}
    assert drawn == choreography(*counted(took.take([1, 0]), np.full(2, State.RUNNING), np.full(2, SECOND)))


def test_too_long_a_course_is_none() -> None:
    many = Course(tuple(Published(f"Event{n}", "order", False, False, False) for n in range(LONGEST // 20)))

    assert many.text == ""
    assert course_of("") is course_of("[[1]]") is course_of('{"a": 1}') is None
    assert no_courses(2).schema == COURSES == courses_of(order("A-1", NOW)).schema


@given(st.lists(st.floats(0, 3e9), min_size=1), st.lists(st.integers(-5, 2**60), min_size=1))
def test_a_pace_and_a_length_are_as_exact_as_they_say(waits: list[float], took: list[int]) -> None:
    given = np.array(waits)
    read_again = milliseconds_of(paces_of(given).astype(np.int64))
    assert np.all(np.abs(read_again - given) <= 0.06 * given + 0.001)
    nanoseconds = np.maximum(np.array(took, np.int64), 0)
    seconds = seconds_of(lengths_of(np.array(took, np.int64)))
    assert np.all(np.abs(seconds - nanoseconds / 1e9) <= 0.03 * nanoseconds / 1e9 + 1e-5)


def test_the_store_measures_as_the_memory_does(database: Database) -> None:
    store = stores_over(database).flows
    took = [0, 1, 99_999, 10**6, 37 * SECOND, 40 * 86_400 * SECOND]
    for number, duration in enumerate(took):
        one = flows(f"A-{number}", last=NOW)
        place = one.schema.get_field_index("started")
        one = one.set_column(place, "started", pa.array([NOW - duration]))
        store.put(one, np.zeros(1, np.int64), np.zeros(1, np.bool_), only_new=False)

    found = store.tallied(Search(), 100)
    assert "log2" in LENGTH_SQL
    assert set(found["length"].to_pylist()) == set(lengths_of(np.array(took)).tolist())
    assert store.paced(Search(), 1).num_rows == 0  # none of them has a course


def test_each_flow_counts_once_as_it_is_now(database: Database) -> None:
    store = stores_over(database).flows
    made = courses_of([one for n in range(4) for one in order(f"A-{n}", NOW)])

    def put(name: str, state: State, took: pa.Table) -> None:
        store.put(flows(name), np.array([state]), np.zeros(1, np.bool_), only_new=False, courses=took)

    for number in range(4):
        put(f"A-{number}", State.DONE, made.slice(number, 1))
    (other,) = [courses_of(order("A-3", NOW, down={"payment"}))]
    put("A-3", State.STUCK, other)
    store.forget(["A-0"])
    search = Search(without=["A-1"])
    rows = store.tallied(search, 10).to_pylist()

    assert {(row["course"], row["state"]): row["n"] for row in rows} == {
        (texts(made)[0], State.DONE): 1,
        (texts(other)[0], State.STUCK): 1,
    }
    paced = store.paced(search, 1)
    assert sorted(paced["n"].to_pylist()) == [1, 1]
    assert sum(map(len, paced["paces"].to_pylist())) == sum(map(len, (made["paces"][0], other["paces"][0])))
    assert names(store.found(search, 10)) == ["A-3", "A-2"]
