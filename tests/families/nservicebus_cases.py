"""NServiceBus, whose spans are all called `publish event` or `process message`."""

from collector.model.spans import Kind
from tests.families.cases import Case

TYPES = "Shop.OrderPlaced, Shop, Version=1.0.0.0, Culture=neutral;Shop.IEvent, Shop, Version=1.0.0.0"

CASES = (
    Case(
        about="the first of its types, without the assembly",
        name="publish event",
        kind=Kind.PRODUCER,
        attributes={"nservicebus.enclosed_message_types": TYPES},
        read={"event_type": "Shop.OrderPlaced"},
    ),
    Case(
        about="a type that only has a comma in it",
        name="process message",
        attributes={"cloudevents.event_type": "Placed, or not"},
        read={"event_type": "Placed, or not"},
    ),
)
