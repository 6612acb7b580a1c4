"""Pub/Sub, as Google's clients write it."""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case

SYSTEM = {"messaging.system": "gcp_pubsub"}

CASES = (
    Case(
        about="how often a message was tried",
        name="orders-sub process",
        attributes={
            **SYSTEM,
            "messaging.operation": "process",
            "messaging.gcp_pubsub.message.delivery_attempt": 5,
        },
        read={"role": Role.PROCESS, "deliveries": 5},
    ),
    Case(
        about="an acknowledgement",
        name="orders-sub ack",
        kind=Kind.CLIENT,
        attributes={**SYSTEM, "messaging.operation.name": "ack"},
        read={"role": Role.SETTLE, "settled": Settled.ACKED},
    ),
    *(
        Case(
            about=f"{name}, {operation}",
            name=name,
            attributes={**SYSTEM, **operation, "messaging.destination.name": "parcels-sub"},
            read={"role": role, "settled": settled},
        )
        for operation in ({}, {"messaging.operation": "receive"}, {"messaging.operation.type": "receive"})
        for name, role, settled in (
            ("parcels-sub ack", Role.SETTLE, Settled.ACKED),
            ("nack parcels-sub", Role.SETTLE, Settled.NACKED),
            ("acknowledge parcels-sub", Role.SETTLE, Settled.ACKED),
            ("parcels-sub modack", Role.NONE, Settled.UNSAID),
            ("modack parcels-sub", Role.NONE, Settled.UNSAID),
        )
    ),
    Case(
        about="a deadline that is moved, named by the operation alone",
        attributes={**SYSTEM, "messaging.operation.name": "modack"},
        read={"role": Role.NONE},
    ),
    *(
        Case(
            about=f"{name}, in a library that names no system so",
            name=name,
            attributes={"messaging.system": "pubsub", "messaging.operation": "receive"},
            read={"role": Role.NONE},
        )
        for name in ("parcels-sub modack", "modack parcels-sub")
    ),
    Case(
        about="a subscription that only begins like a verb",
        name="modacks process",
        attributes=SYSTEM,
        read={"role": Role.PROCESS},
    ),
    Case(
        about="a topic is its last part",
        name="projects/demo/topics/parcels send",
        kind=Kind.PRODUCER,
        attributes={**SYSTEM, "messaging.destination.name": "projects/demo/topics/parcels"},
        read={"event_type": "parcels", "destination": "projects/demo/topics/parcels"},
    ),
)
