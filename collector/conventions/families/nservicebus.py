"""NServiceBus: a message lists its .NET types, each with its assembly."""

from collector.conventions.lore import Lore

LORE = Lore(
    attributes={"event_type": ("nservicebus.enclosed_message_types",)},
    # `Shop.OrderPlaced, Shop, Version=1.0.0.0;Shop.IEvent, ...` becomes `Shop.OrderPlaced`.
    event_types=((r"(?s), [^;]*, Version=.*", ""),),
)
