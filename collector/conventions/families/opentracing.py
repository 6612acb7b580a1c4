"""OpenTracing: all sends may have one name, and the destination is in its tag."""

from collector.conventions.lore import Lore

LORE = Lore(last_resorts={"destination": ("message_bus.destination",)})
