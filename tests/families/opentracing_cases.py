"""OpenTracing's contributions, as Jaeger's clients sent them."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case

CASES = (
    *(
        Case(
            about=kind.name,
            name=name,
            kind=kind,
            attributes={"component": "java-rabbitmq", "message_bus.destination": "returns"},
            read={"role": role, "event_type": "returns", "destination": "returns"},
        )
        for kind, name, role in (
            (Kind.PRODUCER, "send", Role.SEND),
            (Kind.CONSUMER, "receive", Role.RECEIVE),
            (Kind.CONSUMER, "handle", Role.PROCESS),
        )
    ),
    Case(
        about="a newer name beside it",
        name="send",
        kind=Kind.PRODUCER,
        attributes={"message_bus.destination": "old", "messaging.destination": "new"},
        read={"event_type": "new"},
    ),
)
