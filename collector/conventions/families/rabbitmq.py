"""RabbitMQ: the routing key says what happened, the exchange only where it was published."""

from collector.conventions.lore import Lore

_ROUTING_KEYS = ("messaging.rabbitmq.destination.routing_key", "messaging.rabbitmq.routing_key")

LORE = Lore(
    attributes={
        "destination": _ROUTING_KEYS,
        "event_type": _ROUTING_KEYS,
        "tag": ("messaging.rabbitmq.message.delivery_tag", "messaging.rabbitmq.delivery_tag"),
        "channel": ("messaging.rabbitmq.channel.id", "messaging.rabbitmq.channel"),
    },
    # Queues that the broker or Spring names.
    generated=((r"^((?:amq|spring)\.gen-|amq\.rabbitmq\.reply-to\.).*$", r"\1*"),),
    inboxes=("amq.rabbitmq.reply-to",),  # direct reply-to: one queue per requester
)
