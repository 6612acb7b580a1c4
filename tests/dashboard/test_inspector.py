"""The inspector says everything about a step, and says where it leaves something out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dashboard.drawing.inspector import LONGEST_VALUE, MOST_NOTES, inspect, worth_reading
from dashboard.drawing.steps import steps
from dashboard.expectation_shapes import Note
from dashboard.shapes import Clocks, Evidence, Expectation, Flow, Message
from tests.dashboard.factories import START, Story, finding, made


def shown(story: Story, title: str) -> dict[str, Any]:
    found = steps(story.flow())
    step = next(step for step in found.steps if step.title == title)
    return inspect(found, step, lambda service: f"colour of {service}")


def test_a_step_names_its_causes_and_effects() -> None:
    story = Story()
    reserved = story.step(story.publish("OrderPlaced"), "inventory", "StockReserved", wait_ms=20, work_ms=50)
    story.react(reserved, "payment", certainty="inferred")

    seen = shown(story, "StockReserved")

    assert (seen["waited"], seen["worked"], seen["at"]) == ("20 ms", "50 ms", "+70 ms")
    assert [(item["title"], item["because"]) for item in seen["causes"]] == [("OrderPlaced", "span link")]
    assert [(item["title"], item["because"]) for item in seen["effects"]] == [
        ("payment", "span link \u00b7 inferred")
    ]
    assert ("trace", "t") in seen["ids"]


def test_a_ghost_shows_the_proof() -> None:
    story = Story()
    reserved = story.publish("StockReserved", "inventory")
    owed = finding(
        reserved,
        expectation=made(Expectation, n=1234, p50_ms=80.0, p99_ms=240.0),
        evidence=[
            made(Evidence, kind="span", ref=reserved, text="published"),
            made(Evidence, kind="absence", text="nothing"),
        ],
        blocked=["OrderShipped"],
    )
    found = steps(story.flow(owed))

    seen = inspect(found, worth_reading(found), lambda _: "")

    assert seen["badge"] == {"state": "stuck", "text": "not seen"}
    assert seen["evidence"] == [{"text": "published", "id": reserved}, {"text": "nothing", "id": None}]
    assert seen["blocked"] == ["OrderShipped"]
    assert "240 ms" in seen["expected"]
    assert "1,234 flows" in seen["expected"]


def test_long_values_are_cut_and_say_so() -> None:
    """A payload of a megabyte would stall the page, and its beginning is mostly enough."""
    story = Story(
        messages=[
            made(
                Message,
                ref="t:m",
                event_type="OrderPlaced",
                service="order",
                time_unix_nano=START,
                attributes={"body": "x" * 300_000, "lines": ["a", 1, True], "n": 3},
            )
        ]
    )

    seen = dict(shown(story, "OrderPlaced")["attributes"])

    assert seen["body"] == "x" * LONGEST_VALUE + "\u2026 (the first 200,000 of 300,000 characters)"
    assert seen["lines"] == '["a", 1, true]'
    assert seen["n"] == "3"


def test_a_handler_that_publishes_at_once_has_no_usual_time() -> None:
    """It said "Normally within 0 ms to 0 ms"."""
    story = Story()
    placed = story.publish("OrderPlaced")
    usual = made(Expectation, n=60, p50_ms=0.0, p99_ms=0.0, source="learned")

    seen = inspected(story.flow(finding(placed, expectation=usual)), "PaymentCaptured")

    assert seen["expected"] == "Normally at once, while it handles what it took (60 flows; learned)."


def test_all_attributes_can_be_had_and_those_that_matter_come_first() -> None:
    """Of more than 120, in alphabetical order, `messaging.message.body` was cut off."""
    many: dict[str, Any] = {f"a{number}": number for number in range(1_000)}
    many |= {"thread.id": 7, "messaging.message.body": "{}", "http.route": "/", "error.type": "timeout"}
    story = Story(messages=[made(Message, ref="t:m", event_type="Big", service="order", attributes=many)])

    names = [name for name, _ in shown(story, "Big")["attributes"]]

    assert len(names) == 1_004
    assert names[:3] == ["error.type", "messaging.message.body", "a0"]
    assert names[-2:] == ["http.route", "thread.id"]


def test_what_the_two_spans_of_a_card_say_differently_is_said_by_both() -> None:
    """The message's own value hid that of the reaction which published it."""
    story = Story()
    placed = story.publish("OrderPlaced")
    by = story.react(placed, "payment", attributes={"operation": "process", "order.id": "A-1"})
    story.publish("PaymentCaptured", "payment", 20.0, by)
    story.messages[-1] = msgspec.structs.replace(
        story.messages[-1], attributes={"operation": "send", "order.id": "A-1"}
    )

    assert shown(story, "PaymentCaptured")["attributes"] == [
        ("operation (message)", "send"),
        ("operation (reaction)", "process"),
        ("order.id", "A-1"),
    ]


def test_a_clock_skew_is_said() -> None:
    story = Story()
    story.react(story.publish("OrderPlaced"), "fraud", wait_ms=-12.0)

    assert "clocks" in shown(story, "fraud")["remarks"][0]


def inspected(flow: Flow, title: str) -> dict[str, Any]:
    found = steps(flow)
    return inspect(found, next(step for step in found.steps if step.title == title), lambda _: "")


@pytest.mark.parametrize(
    ("ahead", "least", "most", "said"),
    [
        (-21.0, -26.0, -16.0, " By their messages, the clock of fraud is about 21 ms behind that of order."),
        (19.0, 14.0, 24.0, " By their messages, the clock of fraud is about 19 ms ahead of that of order."),
        (10.0, -20.0, 40.0, " By their messages, the clock of fraud is within 40 ms of that of order."),
        (None, None, -16.0, " By their messages, the clock of fraud is at least 16 ms behind that of order."),
        (
            None,
            14.0,
            None,
            " By their messages, the clock of fraud is at least 14 ms ahead of that of order.",
        ),
        (None, None, 16.0, ""),
        (None, 14.0, -16.0, ""),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_wait_by_two_clocks_says_so_and_how_they_go(
    ahead: float | None, least: float | None, most: float | None, said: str, swapped: bool
) -> None:
    """A wait of 50 ms means little where two clocks differ by 200."""
    story = Story()
    story.react(story.publish("OrderPlaced"), "fraud", wait_ms=50.0, wait_across_clocks=True)
    known = made(Clocks, service="order", other="fraud", ahead_ms=ahead, at_least_ms=least, at_most_ms=most)
    if swapped:
        ahead, least, most = (None if one is None else -one for one in (ahead, most, least))
        known = made(
            Clocks, service="fraud", other="order", ahead_ms=ahead, at_least_ms=least, at_most_ms=most
        )

    seen = inspected(msgspec.structs.replace(story.flow(), clocks=[known]), "fraud")

    assert seen["waited"] == "~50 ms"
    assert seen["facts"] == ["The wait is by two clocks: order sent, fraud took." + said]


@pytest.mark.parametrize(
    ("settled", "facts"),
    [
        ({}, []),
        ({"settled": 1, "acked": 1, "deliveries": 1}, ["Acknowledged."]),
        (
            {"settled": 3, "acked": 1, "nacked": 2, "deliveries": 3},
            ["Given back 2 times, acknowledged.", "Delivered 3 times, by the broker's count."],
        ),
        ({"settled": 1, "terminated": 1}, ["Terminated."]),
        ({"settled": 1, "deliveries": 4}, ["Settled.", "Delivered 4 times, by the broker's count."]),
    ],
)
def test_a_reaction_says_how_its_message_was_settled(settled: dict[str, Any], facts: list[str]) -> None:
    story = Story()
    story.react(story.publish("OrderPlaced"), "fraud", **settled)

    assert shown(story, "fraud")["facts"] == facts


def test_notes_are_shown_on_the_step_that_they_are_about_and_beside_the_others() -> None:
    """Each has its ref, because a note may be about a span that is not a step."""
    story = Story()
    placed = story.publish("OrderPlaced")
    folded = story.react(placed, "fraud") + "x"
    notes = [
        made(Note, kind="missing_parent", text="no parent", ref=ref) for ref in (placed, folded, "t:inner")
    ]
    flow = msgspec.structs.replace(story.flow(), notes=[*notes, made(Note, kind="invalid_id", text="no id")])

    seen = inspected(flow, "fraud")

    assert seen["notes"] == [{"ref": folded, "text": "no parent", "id": None}]
    assert seen["elsewhere"] == [
        {"ref": placed, "text": "missing parent of OrderPlaced: no parent", "id": placed},
        {"ref": "t:inner", "text": "missing parent: no parent", "id": None},
        {"ref": None, "text": "invalid id: no id", "id": None},
    ]


def test_thousands_of_notes_are_cut_and_say_so() -> None:
    story = Story()
    story.publish("OrderPlaced")
    notes = [
        made(Note, kind="missing_parent", text="no parent", ref=f"t:{number}") for number in range(5_000)
    ]

    seen = inspected(msgspec.structs.replace(story.flow(), notes=notes), "OrderPlaced")

    assert len(seen["elsewhere"]) == MOST_NOTES + 1
    assert seen["elsewhere"][-1]["text"] == f"showing {MOST_NOTES} of 5,000 notes"
