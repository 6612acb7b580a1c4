"""Rows tell waiting from working, and idle time is short and labelled with its length."""

from __future__ import annotations

from itertools import pairwise

from dashboard.drawing.steps import steps
from dashboard.drawing.timeline import Timeline, timeline
from tests.dashboard.factories import MS, SECOND, START, Story, finding


def drawn(story: Story, *, now_ms: float = 10_000.0) -> Timeline:
    return timeline(steps(story.flow()), START + round(now_ms * MS))


def test_a_row_waits_then_works() -> None:
    story = Story()
    story.react(story.publish("OrderPlaced"), "fraud", wait_ms=100, work_ms=300)

    bar = drawn(story).bars[1]

    assert (round(bar.wait, 3), round(bar.work, 3), round(bar.end, 3)) == (0.0, 0.25, 1.0)


def test_rows_stand_in_the_order_in_which_they_began_to_be_worked_on() -> None:
    story = Story()
    placed = story.publish("OrderPlaced")
    story.react(placed, "notification", wait_ms=60)
    story.react(placed, "analytics", wait_ms=10)

    assert [bar.step.title for bar in drawn(story).bars] == ["OrderPlaced", "analytics", "notification"]


def test_what_is_owed_comes_last_and_runs_to_now() -> None:
    """The row without an end is the one to look at."""
    story = Story()
    reserved = story.publish("StockReserved")
    story.react(reserved, "analytics", work_ms=1000)
    owed = finding(reserved)

    found = timeline(steps(story.flow(owed)), START + 600 * SECOND)

    assert [bar.step.kind for bar in found.bars] == ["message", "reaction", "ghost"]
    assert found.bars[-1].end == 1.0
    assert found.length_ms == 600_000.0


def test_an_idle_stretch_is_short_and_keeps_its_true_length() -> None:
    """Otherwise a wait of a day would squeeze the second in which everything happened."""
    story = Story()
    story.react(story.publish("OrderPlaced"), "order", wait_ms=0, work_ms=1000)
    late = story.publish("OrderReviewed", "support", at_ms=86_400_000)
    story.react(late, "order", wait_ms=0, work_ms=1000)

    found = drawn(story, now_ms=90_000_000)

    (idle,) = (stretch for stretch in found.stretches if stretch.idle)
    assert idle.x1 - idle.x0 < 0.15
    assert idle.t1 - idle.t0 == 86_399_000.0


def test_a_young_debt_does_not_squeeze_what_happened() -> None:
    """The flow took 40 ms and stopped a second ago: the 40 ms are worth the room."""
    story = Story()
    reserved = story.publish("StockReserved")
    story.react(reserved, "analytics", wait_ms=10, work_ms=30)

    found = timeline(steps(story.flow(finding(reserved))), START + 1 * SECOND)

    assert found.bars[1].end > 0.8


def test_a_long_failing_step_and_a_young_debt_squeeze_nothing_either() -> None:
    story = Story()
    placed = story.publish("OrderPlaced")
    reserved = story.step(placed, "inventory", "StockReserved", wait_ms=10, work_ms=60)
    story.react(reserved, "payment", wait_ms=1, work_ms=60_000, status="error", attempts=20)

    found = timeline(steps(story.flow(finding(reserved))), START + 61 * SECOND)

    assert found.bars[1].end > 0.5


def test_a_wait_in_the_queue_is_drawn_to_scale() -> None:
    """The reader looks for waiting, so it does not count as idle."""
    story = Story()
    story.react(story.publish("OrderPlaced"), "warehouse", wait_ms=8_000, work_ms=2_000)

    found = drawn(story)

    assert [stretch.idle for stretch in found.stretches] == [False]
    assert round(found.bars[1].work, 3) == 0.8


def test_one_very_long_step_does_not_squeeze_the_others() -> None:
    story = Story()
    placed = story.publish("OrderPlaced")
    story.react(placed, "fraud", wait_ms=10, work_ms=90)
    story.react(placed, "warehouse", wait_ms=10, work_ms=3_600_000)

    found = drawn(story)

    assert next(bar for bar in found.bars if bar.step.title == "fraud").end > 0.5


def test_labels_of_the_axis_keep_their_distance() -> None:
    story = Story()
    for at in (0, 700, 30_000, 90_000):
        story.react(story.publish("OrderPlaced", at_ms=at), "fraud", wait_ms=10, work_ms=300)

    places = [x for x, _ in drawn(story, now_ms=100_000).ticks]

    assert places == sorted(places)
    assert all(b - a >= 0.05 for a, b in pairwise(places))


def test_a_single_moment_can_be_drawn() -> None:
    story = Story()
    story.publish("OrderPlaced")

    assert [bar.end for bar in drawn(story).bars] == [0.0]


def test_an_empty_flow_can_be_drawn() -> None:
    assert drawn(Story()).bars == ()
