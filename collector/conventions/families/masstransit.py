"""MassTransit: a message lists its types, each as a URN; what it answers to is named by chance."""

from collector.conventions.lore import Lore

LORE = Lore(
    attributes={"event_type": ("messaging.masstransit.message_types",)},
    # `urn:message:Shop:OrderPlaced,urn:message:Shop:Event` becomes `Shop:OrderPlaced`.
    event_types=((r"(?s)[,;]\s*urn:message:.*$", ""), (r"^urn:message:", "")),
    # 26 letters and digits after the host's name.
    generated=((r"^(.+[-_]bus[-_])[0-9a-z]{26}$", r"\1*"),),
)
