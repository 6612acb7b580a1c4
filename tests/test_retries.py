"""What is said of a handling that failed: may it still go well?"""

from collections.abc import Sequence

from collector.model.flows import State
from collector.store.clickhouse.connections import Database
from tests import documents as answers
from tests.documents import Document
from tests.factories import SECOND
from tests.scenes import MS, Sent, Watch, handling, publish, react
from tests.test_live import findings


def tried(key: str, at: int, pauses_s: Sequence[float], *, well: bool = True) -> list[Sent]:
    """Billing fails before each pause, and then it goes well; or it never does."""
    sent, start = [publish("shop", "OrderPlaced", key, at=at)], at + 5 * MS
    for attempt, pause_s in enumerate(pauses_s, 1):
        sent.append(react("billing", "OrderPlaced", key, at=start, error="busy", attempt=attempt))
        start += int(pause_s * SECOND)
    if well:
        last = len(pauses_s) + 1
        sent.append(react("billing", "OrderPlaced", key, at=start, attempt=last))
        by = handling("billing", "OrderPlaced", key) + (f"/{last}" if last > 1 else "")
        sent.append(publish("billing", "Invoiced", key, at=start + 10 * MS, by=by))
    return sent


def taught(database: Database) -> Watch:
    """A live part that knows that billing takes milliseconds."""
    watch = Watch(database)
    watch.receive([one for n in range(40) for one in tried(f"L-{n}", watch.now + n * MS, [])])
    watch.wait(15)
    return watch


def arriving(watch: Watch, sent: Sequence[Sent], seconds: int) -> set[str]:
    """Let *sent* arrive when it has happened; return the causes of findings meanwhile."""
    causes = set()
    for _ in range(seconds):
        due = [one for one in sent if watch.now < one[1].end_time_unix_nano <= watch.now + SECOND]
        watch.receive(due, after_s=1)
        causes |= {cause for _, cause, *_ in findings(watch)}
    return causes


def only(watch: Watch) -> Document:
    (found,) = answers.stuck(watch.snapshot)["stuck"]
    return dict(found)


def test_attempts_that_are_further_and_further_apart_raise_nothing_before_their_own_pace(
    database: Database,
) -> None:
    """1, 2, 4, 8 and 16 s: the next pause is long because the last one was."""
    watch = taught(database)
    sent = tried("A-1", watch.now, [1, 2, 4, 8, 16])
    assert arriving(watch, sent, 45) == set()

    assert watch.state("A-1") == State.DONE


def test_attempt_that_may_still_come_is_waited_for(database: Database) -> None:
    watch = taught(database)
    assert arriving(watch, tried("A-1", watch.now, [1, 2, 4], well=False), 8) == set()

    assert watch.state("A-1") in {State.RUNNING, State.LATE}


def test_no_other_attempt_is_promised_once_the_pace_of_attempts_is_exceeded(database: Database) -> None:
    """ "Waits for it to go well" was said of messages that the broker had given up."""
    watch = taught(database)
    arriving(watch, tried("A-1", watch.now, [1, 2, 4], well=False), 60)

    finding = only(watch)
    assert finding["cause"] == "handler_failed"
    assert finding["sentence"].startswith("billing tried OrderPlaced 3 times and failed: busy.")
    assert "1.98 s after the one before, and no other was seen" in finding["sentence"]
    assert "the broker may have given it up" in finding["sentence"]
    assert finding["sentence"].endswith("Invoiced has not come.")
    assert "another attempt" not in finding["sentence"]


def test_only_attempt_promises_none_either(database: Database) -> None:
    watch = taught(database)
    arriving(watch, tried("A-1", watch.now, [1], well=False), 30)

    finding = only(watch)
    assert "No other attempt was seen since" in finding["sentence"]
    assert finding["sentence"].endswith("and Invoiced has not come.")


def test_attempt_that_goes_well_after_all_clears_the_flow(database: Database) -> None:
    watch = taught(database)
    sent = tried("A-1", watch.now, [1, 2, 40])
    arriving(watch, sent, 30)
    assert findings(watch) != []
    arriving(watch, sent, 30)

    assert findings(watch) == []
    assert watch.state("A-1") == State.DONE
