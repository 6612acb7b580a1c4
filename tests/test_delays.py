"""How late is telemetry? The usual delay is learned quickly, and one odd span is soon forgotten."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.live.delays import Delays, RecentDelays
from tests.factories import NOW, SECOND
from tests.scenes import MS, Watch, order, publish, react

MINUTE = 60 * SECOND


def learned(delays: Delays, service: int, late: list[int], at: int) -> None:
    """Let spans of *service* arrive, each *late* nanoseconds after its end."""
    received = np.full(len(late), at)
    delays.learn(np.full(len(late), service), received - np.array(late, np.int64), received)


@given(st.lists(st.integers(1, 59_000), min_size=1, max_size=300))
def test_what_is_usual_is_about_the_percentile_of_few_examples(late_ms: list[int]) -> None:
    delays = RecentDelays(1, 0.99)
    values = np.array(late_ms, np.int64) * MS
    delays.add(np.zeros(len(values), np.int64), values, NOW)

    usual = float(delays.usual[0])
    exact = np.sort(values)[int(np.ceil(0.99 * len(values) - 1e-3)) - 1]
    assert exact * 0.999 <= usual <= max(exact * 1.16, 1 * MS)


def test_a_slow_exporter_is_given_its_time_from_its_first_batch_on() -> None:
    delays = Delays(2)
    learned(delays, 0, [5 * SECOND], NOW)

    assert 5 * SECOND <= delays.slack(np.array([0]))[0] <= 6.1 * SECOND
    assert delays.slack(np.array([1]))[0] == 250 * MS


def test_one_very_late_span_among_many_changes_nothing() -> None:
    delays = Delays(1)
    for tick in range(200):
        late = [100 * MS] * 9 + ([59 * SECOND] if tick == 100 else [100 * MS])
        learned(delays, 0, late, NOW + tick * SECOND)

        assert delays.slowest(NOW + tick * SECOND) < 0.2 * SECOND


@pytest.mark.parametrize("sends_on", [True, False], ids=["sends on", "falls silent"])
def test_one_very_late_span_of_a_quiet_service_holds_up_flows_for_a_while_only(sends_on: bool) -> None:
    """Such a span used to delay the rest of every flow for good."""
    delays = Delays(2)
    learned(delays, 0, [100 * MS], NOW)
    learned(delays, 0, [59 * SECOND], NOW)
    assert delays.slowest(NOW) > 50 * SECOND
    for minute in range(1, 31):
        learned(delays, 1, [100 * MS] * 5, NOW + minute * MINUTE)
        if sends_on:
            learned(delays, 0, [100 * MS] * 5, NOW + minute * MINUTE)

    assert delays.slowest(NOW + 30 * MINUTE) < 0.2 * SECOND


def test_a_late_span_and_a_slow_reaction_do_not_keep_flows_from_coming_to_rest(watch: Watch) -> None:
    """A span 59 s late used to add 59 s, and a reaction of 200 s made it 600 s, both for good."""
    watch.receive([publish("clock", "Ticked", "late", at=watch.now - 59 * SECOND)])
    watch.receive([publish("order", "OrderPlaced", "slow", at=watch.now)])
    watch.now += 200 * SECOND
    watch.receive([react("inventory", "OrderPlaced", "slow", at=watch.now)])
    watch.wait(15 * 60)
    watch.receive(order("A-1", watch.now))
    watch.wait(8)

    assert "A-1" not in watch.snapshot.flows["id"].to_pylist()
    assert watch.tick._quiet(watch.now) < 5 * SECOND
