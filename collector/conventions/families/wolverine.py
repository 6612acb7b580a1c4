"""Wolverine, and other .NET code by hand: the type of a message has an attribute of its own."""

from collector.conventions.lore import Lore

LORE = Lore(attributes={"event_type": ("messaging.message_type",)})
