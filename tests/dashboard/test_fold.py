"""Branches that repeat are drawn as one; what needs attention never is."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dashboard.drawing.fold import MOST, SHOWN, Choices, Folded, fold
from dashboard.drawing.remembered import Memory
from dashboard.drawing.steps import Link, Step, Steps, steps, urgency
from dashboard.shapes import Finding
from tests.dashboard.factories import Story, finding
from tests.dashboard.growing import growing_fan


def order(lines: int, *, failed: int | None = None, stuck: int | None = None) -> Steps:
    """An order whose lines are opened, checked and picked, and at last shipped together."""
    story = Story()
    root = story.publish("OrderPlaced")
    owed: list[Finding] = []
    picked = []
    for line in range(lines):
        opened = story.step(root, "orders", "LineOpened")
        story.react(opened, "audit")
        checked = story.step(opened, "stock", "StockChecked", status="error" if line == failed else "ok")
        if line == stuck:
            owed.append(finding(checked, service="picking", event="ItemsPicked"))
        else:
            picked.append(story.step(checked, "picking", "ItemsPicked"))
    joined = story.react(picked[0], "shipping", wait_ms=9_000)
    for other in picked[1:]:
        story.edges.append(msgspec.structs.replace(story.edges[-1], source=other))
    story.publish("OrderShipped", "shipping", 9_500, joined)
    return steps(story.flow(*owed))


def drawn(folded: Folded) -> list[tuple[str, int]]:
    return [(step.title, folded.times.get(step.id, 1)) for step in folded.steps.steps]


def test_branches_that_are_alike_are_one_stack() -> None:
    """Of 60 lines a reader wants to see one, and that there are 60."""
    folded = fold(order(60), Choices())

    assert drawn(folded) == [
        ("OrderPlaced", 1),
        ("LineOpened", 60),
        ("audit", 60),
        ("StockChecked", 60),
        ("ItemsPicked", 60),
        ("OrderShipped", 1),
    ]
    assert len(folded.steps.links) == 5
    assert len(folded.stands) == 1 + 60 * 4 + 1


def test_three_are_drawn_one_by_one() -> None:
    assert max(times for _, times in drawn(fold(order(3), Choices()))) == 1


def test_what_failed_or_is_missing_is_drawn_with_all_that_leads_to_it() -> None:
    """To fold it away would say that all is well."""
    folded = fold(order(62, failed=40, stuck=17), Choices())

    kinds = [(step.kind, step.state) for step in folded.steps.steps]
    assert kinds.count(("ghost", "stuck")) == 1
    assert kinds.count(("message", "failed")) == 1
    assert [times for title, times in drawn(folded) if title == "LineOpened"] == [60, 1, 1]


def test_a_stack_is_unfolded_and_folded_again() -> None:
    whole = order(60)
    folded = fold(whole, Choices())
    inner = next(step.id for step in folded.steps.steps if step.title == "ItemsPicked")

    opened = folded.toggled(Choices(), inner)
    unfolded = fold(whole, opened)

    assert len(unfolded.steps.steps) == len(whole.steps)
    lines = [step.id for step in unfolded.steps.steps if step.title == "LineOpened"]
    assert unfolded.fold[lines[33]] == "close"
    assert unfolded.toggled(opened, lines[33]) == Choices()


def test_a_closed_branch_hides_what_follows_from_it_alone() -> None:
    """What others lead to as well stays, and so does what needs attention."""
    whole = order(3, failed=1)
    line = [step.id for step in whole.steps if step.title == "LineOpened"]

    for place, hidden, left in ((0, 3, "ItemsPicked"), (1, 1, "StockChecked")):
        folded = fold(whole, Choices(closed=frozenset({line[place]})), stacks=False)

        assert folded.hidden == {line[place]: hidden}
        assert len(folded.steps.steps) == len(whole.steps) - hidden
        assert any(step.title == left for step in folded.steps.steps)
        assert any(step.title == "OrderShipped" for step in folded.steps.steps)
        assert folded.toggled(Choices(closed=frozenset({line[place]})), line[place]) == Choices()


def test_the_step_that_is_chosen_is_found_in_its_stack() -> None:
    whole = order(60)
    folded = fold(whole, Choices())
    hidden = [step for step in whole.steps if step.title == "StockChecked"][44]

    shown = folded.shown(hidden)

    assert shown is not None
    assert folded.steps.by_id[shown].title == "StockChecked"
    assert folded.alike(hidden) == 60


def test_more_boxes_than_can_be_drawn_are_said_and_can_be_chosen() -> None:
    """Nobody can read 3,000 boxes; what failed is among those that are drawn."""
    story = Story()
    last = story.publish("Event0")
    for number in range(1, 3_001):
        last = story.step(last, f"s{number}", f"Event{number}", status="error" if number == 700 else "ok")
    whole = steps(story.flow())

    folded = fold(whole, Choices())

    assert len(whole.steps) > MOST
    assert len(folded.steps.steps) == SHOWN
    assert folded.left_out == len(whole.steps) - SHOWN
    assert any(step.state == "failed" for step in folded.steps.steps)
    assert sum(folded.hidden.values()) == folded.left_out


def test_a_branch_that_was_chosen_is_drawn_first() -> None:
    story = Story()
    root = story.publish("Root")
    branches = [story.step(root, "s", f"Branch{number}") for number in range(30)]
    for branch in branches:
        last = branch
        for number in range(100):
            last = story.step(last, "s", f"Step{number}")
    whole = steps(story.flow())
    hidden = fold(whole, Choices(), stacks=False).hidden
    box = next(iter(hidden))

    chosen = fold(whole, Choices(opened=frozenset({box})), stacks=False)

    assert box not in chosen.hidden
    assert len(chosen.steps.steps) == SHOWN


@st.composite
def flows(draw: st.DrawFn) -> Steps:
    """Any steps with any links, circles among them."""
    count = draw(st.integers(1, 24))
    made = tuple(
        Step(
            f"s{number}",
            draw(st.sampled_from(["message", "reaction"])),
            draw(st.sampled_from("AB")),
            "service",
            number,
            state=draw(st.sampled_from(["", "", "", "failed", "late"])),
        )
        for number in range(count)
    )
    ends = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=40, unique=True))
    links = tuple(Link(f"s{source}", f"s{target}") for source, target in pairs)
    return Steps(made, links, {step.id: step for step in made})


@given(flows(), st.frozensets(st.sampled_from([f"s{number}" for number in range(24)]), max_size=4))
def test_every_step_is_drawn_or_stood_for_and_nothing_urgent_is_hidden(
    whole: Steps, closed: frozenset[str]
) -> None:
    folded = fold(whole, Choices(closed=closed))

    boxes = {step.id for step in folded.steps.steps}
    assert {folded.shown(step) for step in whole.steps} <= boxes
    assert {step.id for step in whole.steps if urgency(step)} <= boxes
    assert {link.source for link in folded.steps.links} | {
        link.target for link in folded.steps.links
    } <= boxes
    stood = len(boxes) + sum(times - 1 for times in folded.times.values()) + sum(folded.hidden.values())
    assert stood == len(whole.steps)
    # A way through the flow is a way through the drawing.
    led = {(link.source, link.target) for link in folded.steps.links}
    for link in whole.links:
        ends = folded.stands[link.source], folded.stands[link.target]
        assert ends in led or ends[0] == ends[1]


def test_a_fan_that_grows_stays_where_it_is() -> None:
    """It turned round once, and moved nearly all of its cards."""
    moved = growing_fan(170)

    assert sum(moved) / len(moved) <= 10
    assert max(moved[20:]) <= 10


def test_boxes_keep_their_order_when_an_earlier_one_arrives_late() -> None:
    story = Story()
    root = story.publish("Root")
    for wait in random.Random(3).sample(range(1, 500), 20):
        story.step(root, "s", f"After{wait}", wait_ms=wait)
    memory = Memory()
    before = [step.id for step in memory.folded(steps(story.flow())).steps.steps]
    story.step(root, "s", "Earliest", wait_ms=0.1)

    after = [step.id for step in memory.folded(steps(story.flow())).steps.steps]

    assert after[: len(before)] == before
