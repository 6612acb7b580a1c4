"""How long may a service take nothing without that being unusual? Told by the messages that it took."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.diagnosis.findings import Silence
from collector.live.seen import Seen
from tests.factories import NOW, SECOND
from tests.weighing import bytes_of

MINUTE = 60 * SECOND


def taking(*at_s: float) -> Seen:
    """A step that took messages published so many seconds after NOW, one by one."""
    seen = Seen()
    for second in at_s:
        take(seen, second)
    return seen


def take(seen: Seen, *at_s: float) -> None:
    times = np.array([NOW + int(second * SECOND) for second in at_s])
    seen.take(times, int(times.max()))


def silences(seen: Seen) -> list[tuple[float, float]]:
    return [((one.begin - NOW) / SECOND, (one.end - NOW) / SECOND) for one in seen.silences]


def test_pause_that_is_longer_than_the_usual_ones_is_a_silence() -> None:
    """A flow every two minutes: two minutes without one are no silence, ten are."""
    often, rarely = taking(*range(20), 140), taking(*range(0, 2400, 120), 2400)

    assert silences(often) == [(19, 140)]
    assert silences(rarely) == []
    assert (often.usual, rarely.usual) == (1.5 * SECOND, 3 * MINUTE)


def test_few_pauses_do_not_tell_what_is_usual() -> None:
    assert silences(taking(0, 1, 2, 3, 600)) == []


def test_silence_does_not_become_usual() -> None:
    """After an outage of an hour, the next one must not need 90 minutes to be found."""
    seen = taking(*range(20), 3600, 3601)

    assert seen.usual == 1.5 * SECOND


def test_pauses_that_stay_long_are_the_new_usual_ones() -> None:
    """At night there is less to take."""
    seen = taking(*range(20), *range(60, 600, 60))

    assert seen.usual == 90 * SECOND


def test_message_that_was_taken_after_all_ends_a_silence() -> None:
    """We learned late of what was taken meanwhile: an exporter had kept it."""
    seen = taking(*range(20), 140)
    take(seen, *range(20, 140))

    assert silences(seen) == []


def test_outage_within_what_we_learned_late_stays_a_silence() -> None:
    seen = taking(*range(20), 140)
    take(seen, *range(20, 80))

    assert silences(seen) == [(79, 140)]


def test_next_message_that_was_taken_tells_misses_in_a_row_from_single_ones() -> None:
    seen = taking(0, 1, 2, 6, 7)
    missed = np.array([NOW + int(second * SECOND) for second in (2.5, 3, 5, 6.5, 8)])
    ends = [0 if end == 0 else (end - NOW) / SECOND for end in seen.next_taken(missed).tolist()]

    assert ends == [6, 6, 6, 7, 0]


def test_what_was_before_all_that_is_remembered_is_unknown_but_for_silences() -> None:
    seen = taking(*range(20), 140, *np.arange(141, 400))
    ends = seen.next_taken(np.array([NOW - SECOND, NOW + 30 * SECOND]))

    assert ends.tolist() == [0, NOW + 140 * SECOND]


def test_nothing_is_known_at_first() -> None:
    seen = Seen()

    assert (seen.usual, seen.typical, seen.longest, seen.last, seen.served) == (SECOND, 0, 0, 0, 0)
    assert seen.next_taken(np.array([NOW])).tolist() == [0]


def test_memory_is_bounded() -> None:
    seen = Seen()
    for number in range(100):
        times = NOW + (np.arange(5_000) + number * 6_000) * SECOND
        seen.take(times, int(times.max()))

    assert bytes_of(seen) < 2_048
    assert len(seen.silences) <= 16


@given(st.lists(st.integers(0, 500), min_size=1, max_size=80), st.randoms())
def test_newest_message_does_not_depend_on_order(at_s: list[int], rng: object) -> None:
    seen = taking(*at_s)

    assert seen.served == NOW + max(at_s) * SECOND
    assert all(isinstance(one, Silence) and one.begin < one.end for one in seen.silences)


@pytest.mark.parametrize("pause_s", [0.01, 1, 60])
def test_median_pause_is_typical(pause_s: float) -> None:
    seen = taking(*(number * pause_s for number in range(30)))

    assert seen.typical == pytest.approx(pause_s * SECOND, abs=2)
