"""The inspector says everything about a step, and says so where it does not."""

from __future__ import annotations

from typing import Any

from dashboard.answers import Evidence, Expectation, Message
from dashboard.drawing.details import LONGEST_VALUE, MOST_ATTRIBUTES, inspect, worth_reading
from dashboard.drawing.steps import steps
from tests.dashboard.factories import START, Story, finding


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
    assert ("trace", "t", "t") in seen["ids"]


def test_a_ghost_shows_the_proof() -> None:
    story = Story()
    reserved = story.publish("StockReserved", "inventory")
    owed = finding(
        reserved,
        expectation=Expectation(n=1234, p50_ms=80.0, p99_ms=240.0),
        evidence=[
            Evidence(kind="span", ref=reserved, text="published"),
            Evidence(kind="absence", text="nothing"),
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
    """A payload of a megabyte would stall the page; its beginning mostly suffices."""
    story = Story(
        messages=[
            Message(
                ref="t:m",
                event_type="OrderPlaced",
                service="order",
                time_unix_nano=START,
                attributes={"body": "x" * 5000, "lines": ["a", 1, True], "n": 3},
            )
        ]
    )

    seen = {name: value for name, value, _ in shown(story, "OrderPlaced")["attributes"]}

    assert seen["body"] == "x" * LONGEST_VALUE + "\u2026 (5,000 characters)"
    assert seen["lines"] == '["a", 1, true]'
    assert seen["n"] == "3"


def test_many_attributes_are_capped_and_say_so() -> None:
    many = {f"a{number}": number for number in range(10_000)}
    story = Story(messages=[Message(ref="t:m", event_type="Big", service="order", attributes=many)])

    seen = shown(story, "Big")

    assert len(seen["attributes"]) == MOST_ATTRIBUTES
    assert seen["capped"] == "showing 120 of 10,000 attributes"


def test_a_clock_skew_is_said() -> None:
    story = Story()
    story.react(story.publish("OrderPlaced"), "fraud", wait_ms=-12.0)

    assert "clocks" in shown(story, "fraud")["remarks"][0]
