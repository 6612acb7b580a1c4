"""What may have happened while the collector did not listen? Told for each service, as exporters differ."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from collector.columns.joins import Ints
from collector.diagnosis import Debt, Names
from collector.diagnosis.debts import Owed
from collector.live.deafness import Deafness
from collector.live.listening import silences
from tests.factories import NOW, SECOND

NAMES = Names()
PAYMENT, AUDIT = (NAMES.services.code(name) for name in ("payment", "audit"))
GAP_S = 600


def step_of(service: int) -> int:
    return (service * NAMES.groups.limit + service) << 24


def owed(*entries: tuple[int, float], due_s: float = 0.1, kind: Debt = Debt.REACTION) -> Owed:
    """Reactions that a service owes since so many seconds after NOW."""
    count = len(entries)
    columns: Mapping[str, Ints] = {
        name: np.zeros(count, np.int64)
        for name in ("flow", "join", "row", "witness", "service", "received", "published", "deadline")
    }
    return Owed(
        **columns,
        kind=np.full(count, int(kind)),
        step=np.array([step_of(service) for service, _ in entries]),
        since=np.array([NOW + int(since_s * SECOND) for _, since_s in entries]),
        due=np.full(count, int(due_s * SECOND)),
        final=np.zeros(count, np.bool_),
        sure=np.zeros(count, np.bool_),
    )


def deaf() -> Deafness:
    """A collector that did not run for ten minutes from NOW on."""
    deafness = Deafness(NAMES)
    deafness.note(NOW, NOW + GAP_S * SECOND)
    return deafness


def hear(deafness: Deafness, service: str, ended_s: float, received_s: float) -> None:
    """Let a span of *service* arrive; seconds after NOW."""
    rows = {
        "service": pa.array([service]),
        "end": pa.array([NOW + int(ended_s * SECOND)]),
        "received": pa.array([NOW + int(received_s * SECOND)]),
    }
    deafness.hear(pa.table(rows))


def forgiven(deafness: Deafness, entries: Owed, now_s: float = 2 * GAP_S) -> list[bool]:
    mask, _ = deafness.unheard(entries, np.zeros(len(entries), np.int64), NOW + int(now_s * SECOND))
    return [bool(one) for one in mask]


@pytest.mark.parametrize(
    ("since_s", "heard_of"),
    [(-60, True), (-1, True), (-0.05, False), (1, False), (GAP_S - 1, False), (GAP_S + 1, True)],
)
def test_what_was_usually_done_before_or_after_the_gap_is_judged(since_s: float, heard_of: bool) -> None:
    """Faults before and after a restart were forgiven along with those during it."""
    assert forgiven(deaf(), owed((PAYMENT, since_s))) == [not heard_of]


def test_nothing_is_forgiven_without_a_gap() -> None:
    assert forgiven(Deafness(NAMES), owed((PAYMENT, 0))) == [False]


def test_what_an_exporter_kept_was_heard() -> None:
    """One that tries for a minute delivers the last minute of the gap; another one had given up."""
    deafness = deaf()
    hear(deafness, "payment", GAP_S - 60, GAP_S + 2)
    entries = owed((PAYMENT, GAP_S - 30), (AUDIT, GAP_S - 30), (PAYMENT, GAP_S - 90))

    assert forgiven(deafness, entries) == [False, True, True]


def test_span_that_arrived_before_the_gap_tells_nothing_of_it() -> None:
    deafness = deaf()
    hear(deafness, "payment", 1, -1)

    assert forgiven(deafness, owed((PAYMENT, 30))) == [True]


def test_what_takes_longer_than_the_gap_is_unlikely_to_have_happened_in_it() -> None:
    """A stop of two seconds clears no flow that waits for a nightly job."""
    deafness = Deafness(NAMES)
    deafness.note(NOW, NOW + 2 * SECOND)

    assert forgiven(deafness, owed((PAYMENT, -3600), due_s=3600)) == [False]
    assert forgiven(deafness, owed((PAYMENT, 0.1))) == [True]


def test_service_that_has_not_been_heard_again_is_given_a_minute_or_two() -> None:
    """An exporter that waits to try again does so for about as long as it has tried."""
    deafness = deaf()
    hear(deafness, "payment", -5, -4)
    entries, none = owed((PAYMENT, 1)), np.zeros(1, np.int64)
    seen = [
        int(deafness.unheard(entries, none, NOW + (GAP_S + later) * SECOND)[1][0] - NOW) // SECOND
        for later in (5, 30, 60, 90, 600)
    ]

    assert seen == [GAP_S + 5, GAP_S + 30, GAP_S + 60, GAP_S + 60, GAP_S]


def test_nobody_waits_for_a_service_that_never_sent_anything() -> None:
    """It has no exporter that tries again: the first order of a declared service waited for a minute."""
    deafness, none = deaf(), np.zeros(1, np.int64)
    _, until = deafness.unheard(owed((PAYMENT, GAP_S + 1)), none, NOW + (GAP_S + 5) * SECOND)

    assert until.tolist() == [0]


def test_last_gaps_are_remembered() -> None:
    deafness = Deafness(NAMES)
    for number in range(20):
        begin = NOW + number * 100 * SECOND
        deafness.note(begin, begin + 20 * SECOND)

    assert forgiven(deafness, owed((PAYMENT, 1905), (PAYMENT, 1205), (PAYMENT, 5)), 10_000) == [
        True,
        True,
        False,
    ]


def test_time_in_which_nothing_arrived_is_a_gap_and_that_of_a_long_tick_is_none() -> None:
    """After a tick of a minute, spans wait that arrived meanwhile: the collector did listen."""
    arrivals = np.array([5, 1, 9, 40, 43])

    assert silences(arrivals, 0, 50, 10) == [(9, 40)]
    assert silences(np.empty(0, np.int64), 0, 50, 10) == [(0, 50)]
    assert silences(np.arange(50), 0, 50, 10) == []
