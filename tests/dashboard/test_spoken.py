"""A screen reader says what a box is, what led to it, and what it led to."""

from __future__ import annotations

from dashboard.drawing import spoken
from dashboard.drawing.steps import steps
from tests.dashboard.factories import Story, finding


def said(story: Story, *names: str) -> list[str]:
    found = steps(story.flow(*([finding("t:m1")] if len(story.messages) > 1 else [])))
    labels = spoken.labels(found)
    return [labels[next(step.id for step in found.steps if step.title == name)] for name in names]


def test_relations_are_spoken() -> None:
    """Who cannot see the arrows learns of them from the box."""
    story = Story()
    placed = story.publish("OrderPlaced")
    kept = story.step(placed, "inventory", "StockReserved", wait_ms=20, work_ms=50)
    story.react(kept, "analytics")

    reserved, owed, taken, first = said(story, "StockReserved", "PaymentCaptured", "analytics", "OrderPlaced")

    assert reserved == (
        "StockReserved, published by inventory, +70 ms, waited 20 ms, worked 50 ms; caused by OrderPlaced; "
        "led to analytics; expected: PaymentCaptured from payment"
    )
    assert owed == "PaymentCaptured, expected from payment, not seen; owed after StockReserved"
    assert taken.endswith("; caused by StockReserved; led to nothing")
    assert first == "OrderPlaced, published by order, +0 ms; caused by nothing; led to StockReserved"


def test_hundreds_of_effects_are_counted() -> None:
    story = Story()
    placed = story.publish("OrderPlaced")
    for number in range(300):
        story.step(placed, "s", f"Event{number % 50}")

    assert said(story, "OrderPlaced")[0].endswith(
        "led to Event0 (6 times), Event1 (6 times), Event2 (6 times), 47 more"
    )
