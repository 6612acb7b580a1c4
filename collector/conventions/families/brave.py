"""Brave, Zipkin's tracer: destinations in its own tags."""

from collector.conventions.lore import Lore

LORE = Lore(
    last_resorts={
        "destination": ("kafka.topic", "rabbit.routing_key", "rabbit.queue", "jms.queue", "jms.topic"),
        "event_type": ("rabbit.routing_key",),
    }
)
