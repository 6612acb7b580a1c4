"""RabbitMQ: the routing key says what happened, the exchange only where it was published."""

from collector.conventions.lore import Lore
from collector.model.readings import Role

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
    # Commands to the broker, as Java's agent calls them.
    names=((r"basic\.(?:ack|nack|reject)", Role.SETTLE),),
    # Direct reply-to, and what EasyNetQ and Nameko call the queue of a requester.
    inboxes=("amq.rabbitmq.reply-to", "easynetq.response.", "rpc.reply-"),
    own_queues=("amq.gen-", "spring.gen-"),  # of requesters, and of subscribers
)
