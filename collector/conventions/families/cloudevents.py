"""CloudEvents: the type of the event in a message, and its own id."""

from collector.conventions.lore import Lore

LORE = Lore(
    attributes={
        "event_type": ("cloudevents.event_type",),
        "event_id": ("cloudevents.event_id",),
    }
)
