"""Google Pub/Sub: the delivery attempts of a message."""

from collector.conventions.lore import Lore

LORE = Lore(attributes={"deliveries": ("messaging.gcp_pubsub.message.delivery_attempt",)})
