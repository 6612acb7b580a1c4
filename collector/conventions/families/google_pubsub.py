"""Google's Pub/Sub: how often a message was tried."""

from collector.conventions.lore import Lore

LORE = Lore(attributes={"deliveries": ("messaging.gcp_pubsub.message.delivery_attempt",)})
