"""Are requests told apart from events? A service that asks another one has published nothing."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
import pytest

from collector.conventions.read import read
from collector.diagnosis import Names, record
from collector.diagnosis.course_rows import courses
from collector.model.flows import State
from collector.queries.choreography import choreography, counted
from collector.queries.flow_list import items_of
from collector.stitching import stitch
from collector.store.clickhouse.connections import Database
from tests import documents as answers
from tests.factories import SECOND, ref
from tests.scenes import MS, Sent, Watch, handling, order, publish, react, table
from tests.test_live import findings


def asking(
    key: str,
    at: int,
    *,
    silent: Collection[str] = (),
    failing: Collection[str] = (),
    answered: bool = True,
    scorer: str = "score",
) -> list[Sent]:
    """An order for which fraud asks for a score before it clears the order, or does not clear it."""
    by = handling("fraud", "OrderPlaced", key)
    error = None if answered else "no responders"
    sent = order(key, at, silent=silent, failing=failing)
    sent.append(publish("fraud", "score", key, at=at + 6 * MS, by=by, verb="request", error=error))
    if answered:
        sent.append(react(scorer, "score", key, at=at + 7 * MS, took=MS))
    return sent


@pytest.fixture
def watch(database: Database) -> Watch:
    """A live part that knows a shop in which fraud asks for scores."""
    watch = Watch(database)
    watch.receive([one for number in range(40) for one in asking(f"L-{number}", watch.now)])
    watch.wait(12)
    return watch


def found(watch: Watch) -> list[dict[str, Any]]:
    whole: list[dict[str, Any]] = answers.stuck(watch.snapshot)["stuck"]
    return whole


def test_who_asks_and_publishes_nothing_is_silent(watch: Watch) -> None:
    """A request is not the event that is due: otherwise it would hide that the service is broken."""
    watch.receive(asking("A-1", watch.now, silent={"fraud"}))
    watch.wait(8)

    assert findings(watch) == [("A-1", "handler_silent", "fraud", "OrderCleared")]


@pytest.mark.parametrize(("fails", "cause"), [(False, "handler_silent"), (True, "handler_failed")])
def test_request_without_an_answer_is_shown_where_its_handler_stopped(
    watch: Watch, fails: bool, cause: str
) -> None:
    watch.receive(
        asking("A-1", watch.now, answered=False, silent={"fraud"}, failing={"fraud"} if fails else ())
    )
    watch.wait(8)

    (finding,) = found(watch)
    assert finding["cause"] == cause
    (proof,) = [fact for fact in finding["evidence"] if fact["ref"] == ref("A-1", "A-1/score")]
    assert proof["text"] == "fraud asked score meanwhile and got no answer: no responders"


def test_order_of_which_the_score_is_missing_is_done(watch: Watch) -> None:
    """Fraud can do without the score, and a service that only answers is not waited for."""
    watch.receive(asking("A-1", watch.now, answered=False))
    watch.wait(8)

    assert found(watch) == []
    assert watch.state("A-1") == State.DONE


def test_question_is_neither_the_last_event_of_a_flow_nor_its_outcome(watch: Watch) -> None:
    sent = asking("A-1", watch.now)
    watch.receive([sent[0], *sent[-2:]])
    place = watch.snapshot.flows["id"].to_pylist().index("A-1")

    assert items_of(watch.snapshot, np.array([place]))[0].last_event_type == "OrderPlaced"
    assert watch.snapshot.flows["outcome"].to_pylist()[place] is None


def test_service_that_answers_its_own_questions_is_not_taken_for_a_join(database: Database) -> None:
    """It needs only the order: the answer arrives within that handling."""
    watch = Watch(database)
    watch.receive([one for number in range(40) for one in asking(f"L-{number}", watch.now, scorer="fraud")])
    watch.wait(12)
    watch.receive(asking("A-1", watch.now, silent={"fraud"}, scorer="fraud"))
    watch.wait(8)

    (finding,) = found(watch)
    assert (finding["cause"], finding["missing"]["triggers"]) == ("handler_silent", ["OrderPlaced"])


def booking(key: str, at: int, *, asked: str | None = None, taken: bool = True) -> list[Sent]:
    """A flow that begins with a request, on which the booking service publishes an event."""
    sent = [publish("gateway", "book", key, at=at, verb="request", error=asked)]
    if taken:
        sent.append(react("booking", "book", key, at=at + MS))
        by = handling("booking", "book", key)
        sent.append(publish("booking", "Booked", key, at=at + 2 * MS, by=by))
    return sent


@pytest.mark.parametrize(
    ("error", "state"), [("timeout", State.STUCK), (None, State.DONE)], ids=["unanswered", "answered"]
)
def test_only_a_request_without_an_answer_waits_for_somebody(
    database: Database, error: str | None, state: State
) -> None:
    """An answer proves that the request was taken, even if no span shows that."""
    watch = Watch(database)
    watch.receive([one for number in range(40) for one in booking(f"L-{number}", watch.now)])
    watch.wait(12)
    watch.receive(booking("A-1", watch.now, asked=error, taken=False))
    watch.wait(8)

    assert watch.state("A-1") == state
    expected = [("A-1", "consumer_down", "booking", "Booked")] if error else []
    assert findings(watch) == expected


def test_map_has_an_arrow_to_who_answers_and_no_event() -> None:
    sent = [one for number in range(3) for one in asking(f"A-{number}", SECOND * 10**9)]
    names = Names()
    stitched = stitch(read(table(sent, SECOND * (10**9 + 1))))
    happened = record(stitched, names)
    took = courses(happened, names, np.ones(3, np.bool_))
    drawn = asdict(choreography(*counted(took, np.full(3, State.DONE), happened.last - happened.started)))
    drawn = msgspec.to_builtins(drawn)

    events = {event["event_type"]: event for event in drawn["events"]}
    assert {name for name, event in events.items() if event["request"]} == {"score"}
    assert (events["score"]["terminal"], events["score"]["root"]) == (False, 0)
    arrows = {(row["service"], row["event_type"], row["emits"]) for row in drawn["emits"]}
    assert {("fraud", "OrderPlaced", "score"), ("fraud", "OrderPlaced", "OrderCleared")} <= arrows
    assert {row["service"] for row in drawn["reactions"] if row["event_type"] == "score"} == {"score"}
    assert all("score" not in variant["events"] for variant in drawn["variants"])
