"""Brave, which tags spans of Kafka, RabbitMQ and JMS in its own way."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

CASES = (
    *(
        Case(
            about=tag,
            kind=Kind.PRODUCER,
            attributes={tag: "orders"},
            read={"role": Role.SEND, "destination": "orders", "event_type": "orders"},
        )
        for tag in ("kafka.topic", "rabbit.queue", "jms.queue", "jms.topic")
    ),
    Case(
        about="the routing key says what happened",
        name="next-message",
        attributes={"rabbit.routing_key": "order.placed", "rabbit.queue": "packing"},
        read={"role": Role.PROCESS, "event_type": "order.placed", "destination": "order.placed"},
    ),
    Case(
        about="a routing key is no destination where one is named",
        kind=Kind.PRODUCER,
        attributes={"rabbit.routing_key": "order.placed", "messaging.destination.name": "shop"},
        read={"event_type": "order.placed", "destination": "shop"},
    ),
    Case(
        about="the conventions' names count more",
        kind=Kind.PRODUCER,
        attributes={"kafka.topic": "old", "messaging.destination.name": "new"},
        read={"destination": "new"},
    ),
)
