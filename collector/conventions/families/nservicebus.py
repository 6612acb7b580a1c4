"""NServiceBus: a message names the .NET types that are in it, each with its assembly."""

from collector.conventions.lore import Lore

LORE = Lore(
    attributes={"event_type": ("nservicebus.enclosed_message_types",)},
    # Of `Shop.OrderPlaced, Shop, Version=1.0.0.0;Shop.IEvent, ...` the first type alone.
    event_types=((r"(?s), [^;]*, Version=.*", ""),),
)
