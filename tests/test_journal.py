"""When did what is known of a silent service change? A finding's history is read from it."""

import numpy as np

from collector.diagnosis.findings import Life, Orphans, Silence
from collector.live.journal import Journal
from collector.live.losses import Losses
from tests.factories import NOW, SECOND

STEP = 7
ALIVE = Life(last=NOW, served=NOW, waiting=1, usual=5 * SECOND)


def at(seconds: float) -> int:
    return NOW + int(seconds * SECOND)


def test_only_what_changed_is_written() -> None:
    """A tick a second would fill it with what everybody knows."""
    journal = Journal()
    for second in range(20):
        written = journal.written({STEP: ALIVE}, {STEP: NOW}, at(second))

    assert [time for time, _ in written[STEP]] == [at(0), at(6)]  # it fell silent for unusually long


def test_silence_that_ended_and_events_without_context_are_changes() -> None:
    journal = Journal()
    ended = Life(at(9), at(9), 1, usual=5 * SECOND, silences=(Silence(NOW, at(9)),))
    lost = Life(
        at(9), at(9), 1, usual=5 * SECOND, silences=ended.silences, orphans=Orphans("Paid", NOW, 3, True)
    )
    for second, life in ((0, ALIVE), (10, ended), (11, ended), (12, lost)):
        written = journal.written({STEP: life}, {STEP: NOW}, at(second))

    assert [time for time, _ in written[STEP]] == [at(0), at(10), at(12)]


def test_service_that_was_never_seen_is_written_as_that() -> None:
    written = Journal().written({}, {STEP: NOW}, at(3))

    assert written[STEP] == ((at(3), Life(None, None, 0)),)


def test_it_begins_anew_with_the_next_incident() -> None:
    journal = Journal()
    journal.written({STEP: ALIVE}, {STEP: NOW}, at(1))
    assert journal.written({STEP: ALIVE}, {}, at(2)) == {}
    written = journal.written({STEP: ALIVE}, {STEP: NOW}, at(3))

    assert [time for time, _ in written[STEP]] == [at(3)]


def test_it_is_bounded() -> None:
    journal = Journal()
    for number in range(100):
        life = Life(at(number), at(number), 1, silences=(Silence(NOW, at(number)),))
        written = journal.written({STEP: life}, {STEP: NOW}, at(number))

    assert len(written[STEP]) == 12


def test_losses_are_noticed_within_a_hundred_flows_and_end_with_them() -> None:
    """One flow of a killed process is an accident; three of a hundred are an exporter that drops."""
    losses, seen = Losses(), []
    for lost in ([True, True], [False, True], [False] * 97):
        losses.see(np.array(lost))
        seen.append(losses.noticed)

    assert seen == [False, True, False]
