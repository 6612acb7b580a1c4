"""CloudEvents: the type and the id of the event in a message."""

from collector.conventions.lore import Lore

LORE = Lore(
    attributes={
        "event_type": ("cloudevents.event_type",),
        "event_id": ("cloudevents.event_id",),
    }
)
