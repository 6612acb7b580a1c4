"""Wolverine, with RabbitMQ and its local queues."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

CASES = tuple(
    Case(
        about=f"{kind.name} {operation}",
        name=operation,
        kind=kind,
        attributes={
            "messaging.system": "rabbitmq",
            "messaging.destination": "rabbitmq://queue/shop",
            "messaging.message_type": "Shop.ParcelPacked",
        },
        read={"role": role, "event_type": "Shop.ParcelPacked"},
    )
    for kind, operation, role in (
        (Kind.PRODUCER, "send", Role.SEND),
        (Kind.CONSUMER, "process", Role.PROCESS),
    )
)
