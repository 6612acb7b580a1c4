"""CloudEvents, whatever carries them."""

from collector.model.spans import Kind
from tests.families.cases import Case

CASES = (
    Case(
        about="the event's own type counts more than the subject",
        kind=Kind.PRODUCER,
        attributes={
            "cloudevents.event_type": "OrderPlaced",
            "cloudevents.event_id": "e-17",
            "messaging.destination.name": "shop.order.placed.A-17",
            "messaging.destination.template": "shop.order.placed.*",
        },
        read={"event_type": "OrderPlaced", "event_id": "e-17", "destination": "shop.order.placed.A-17"},
    ),
    Case(
        about="a span that has to do with no message has no event",
        kind=Kind.CLIENT,
        attributes={"cloudevents.event_type": "OrderPlaced"},
        read={"event_type": None},
    ),
)
