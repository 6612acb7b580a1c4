"""A flow's document becomes what a reader sees: cards, pills, ghosts, and what led to what."""

from __future__ import annotations

import pytest

from dashboard.drawing.steps import Step, Steps, steps
from dashboard.shapes import Edge, Expectation, Flow
from tests.dashboard.factories import MS, START, Story, finding, made


def named(found: Steps) -> dict[str, list[str]]:
    """What each step led to, by title."""
    titles = {step.id: step.title for step in found.steps}
    led: dict[str, list[str]] = {}
    for link in found.links:
        led.setdefault(titles[link.source], []).append(titles[link.target])
    return led


def one(found: Steps, kind: str) -> Step:
    (step,) = (step for step in found.steps if step.kind == kind)
    return step


def test_a_reaction_that_published_is_part_of_its_message() -> None:
    """One card says which service published what, and after how long: two boxes would repeat it."""
    story = Story()
    story.step(story.publish("OrderPlaced"), "inventory", "StockReserved", wait_ms=20, work_ms=50)

    found = steps(story.flow())

    assert named(found) == {"OrderPlaced": ["StockReserved"]}
    assert [(step.kind, step.wait_ms, step.work_ms) for step in found.steps] == [
        ("message", None, None),
        ("message", 20, 50),
    ]


def test_a_reaction_that_published_nothing_is_a_pill() -> None:
    """It is worth knowing that a service took the message, even if it published nothing."""
    story = Story()
    story.react(story.publish("OrderPlaced"), "analytics")

    assert named(steps(story.flow())) == {"OrderPlaced": ["analytics"]}


def test_a_batch_leads_from_each_of_its_messages() -> None:
    story = Story()
    first, second = story.publish("ParcelPacked", "shipping"), story.publish("ParcelPacked", "shipping")
    picking = story.react(first, "warehouse")
    story.edges.append(made(Edge, source=second, target=picking, because="link"))
    story.publish("ParcelPicked", "warehouse", 90, by=picking)

    found = steps(story.flow())

    assert [(link.source, link.target) for link in found.links] == [(first, "t:m2"), (second, "t:m2")]


def test_an_inferred_delivery_stays_inferred() -> None:
    """A guess must not look like an observation."""
    story = Story()
    story.step(story.publish("OrderPlaced"), "fraud", "OrderCleared", certainty="inferred")

    assert [link.certainty for link in steps(story.flow()).links] == ["inferred"]


def test_a_line_for_two_edges_is_as_certain_as_the_less_certain_one() -> None:
    """A link leads to the reaction, and only a guess leads on to what it published."""
    story = Story()
    taking = story.react(story.publish("OrderPlaced"), "payment")
    paid = story.publish("PaymentCaptured", "payment", 30)
    story.edges.append(
        made(Edge, source=taking, target=paid, kind="cause", because="flow_key", certainty="inferred")
    )

    (link,) = steps(story.flow()).links

    assert (link.because, link.certainty) == ("flow_key", "inferred")


def test_a_lost_cause_is_drawn() -> None:
    """The reader came to see just this: a delivery whose message was never seen."""
    story = Story()
    reaction = story.react(None, "payment")
    story.edges.append(made(Edge, source="t:lost", target=reaction))

    found = steps(story.flow())

    assert named(found) == {"cause not seen": ["payment"]}
    assert one(found, "unseen").id == "t:lost"


def test_a_reaction_without_any_delivery_has_an_unseen_cause_too() -> None:
    story = Story()
    story.react(None, "payment")

    found = steps(story.flow())

    assert named(found) == {"cause not seen": ["payment"]}
    assert [link.certainty for link in found.links] == ["inferred"]


def test_what_is_missing_hangs_from_where_the_flow_stopped() -> None:
    """This is what the product is for: it draws the reaction that never came."""
    story = Story()
    reserved = story.step(story.publish("OrderPlaced"), "inventory", "StockReserved")
    owed = finding(reserved, blocked=["ParcelPacked", "OrderShipped"])

    found = steps(story.flow(owed))

    assert named(found)["StockReserved"] == ["PaymentCaptured"]
    assert named(found)["PaymentCaptured"] == ["2 later steps blocked"]
    ghost = one(found, "ghost")
    assert (ghost.service, ghost.state, ghost.finding) == ("payment", "stuck", owed)
    assert one(found, "blocked").names == ("ParcelPacked", "OrderShipped")


def test_a_ghost_hangs_from_the_failed_attempt_of_the_same_service() -> None:
    """The message was delivered and its handling failed: the ghost follows the failure."""
    story = Story()
    reserved = story.publish("StockReserved", "inventory")
    story.react(reserved, "payment", status="error", attempts=4)

    found = steps(story.flow(finding(reserved, state="failed", cause="handler_failed")))

    assert named(found) == {"StockReserved": ["payment"], "payment": ["PaymentCaptured"]}
    assert one(found, "reaction").state == "failed"


@pytest.mark.parametrize("ref", ["t:r0", "t:r0x"])
def test_a_ghost_finds_its_place_by_any_span_of_the_step(ref: str) -> None:
    """The diagnosis names one span, and a step has several."""
    story = Story()
    story.react(story.publish("PaymentCaptured", "payment"), "shipping")

    found = steps(story.flow(finding(ref, "shipping", "ParcelPacked", cause="handler_silent")))

    assert named(found)["shipping"] == ["ParcelPacked"]


def test_a_ghost_whose_place_is_unknown_hangs_from_the_last_step() -> None:
    story = Story()
    story.publish("OrderPlaced")

    assert named(steps(story.flow(finding("t:gone")))) == {"OrderPlaced": ["PaymentCaptured"]}


def test_an_owed_reaction_without_a_known_answer_has_a_name() -> None:
    story = Story()
    found = steps(story.flow(finding(story.publish("OrderPlaced"), "analytics", None)))

    assert one(found, "ghost").title == "reaction of analytics"


def test_a_ghost_is_overdue_after_its_usual_time() -> None:
    story = Story()
    owed = finding(story.publish("StockReserved"), expectation=made(Expectation, p99_ms=240.0))

    assert one(steps(story.flow(owed)), "ghost").due == START + 240 * MS


def test_a_wait_below_zero_is_none_and_says_so() -> None:
    """Clocks disagree, and a bar that runs backwards helps nobody."""
    story = Story()
    story.react(story.publish("OrderPlaced"), "fraud", wait_ms=-12.5)

    pill = one(steps(story.flow()), "reaction")

    assert (pill.wait_ms, pill.skew_ms) == (0.0, -12.5)


@pytest.mark.parametrize(("took", "state"), [(230.0, ""), (480.0, ""), (490.0, "late")])
def test_slow_is_what_takes_twice_the_p99(took: float, state: str) -> None:
    """One step in a hundred is over the p99, and a flow has dozens of steps."""
    story = Story()
    story.react(
        story.publish("OrderPlaced"),
        "fraud",
        wait_ms=took - 10,
        work_ms=10,
        expected=made(Expectation, p99_ms=240.0),
    )

    assert one(steps(story.flow()), "reaction").state == state


def test_depth_counts_from_where_the_flow_began() -> None:
    story = Story()
    reserved = story.step(story.publish("OrderPlaced"), "inventory", "StockReserved")
    story.step(reserved, "payment", "PaymentCaptured")

    found = steps(story.flow())

    assert [found.depth[step.id] for step in found.steps] == [0, 1, 2]


def test_an_empty_flow_has_no_steps() -> None:
    assert steps(made(Flow)) == Steps((), (), {}, {})
