"""RabbitMQ: the routing key says what happened, the exchange only where it was published."""

from collector.conventions.lore import Lore

_ROUTING_KEYS = ("messaging.rabbitmq.destination.routing_key", "messaging.rabbitmq.routing_key")

LORE = Lore(
    attributes={"destination": _ROUTING_KEYS, "event_type": _ROUTING_KEYS},
    inboxes=("amq.rabbitmq.reply-to",),  # direct reply-to: one queue per requester
)
