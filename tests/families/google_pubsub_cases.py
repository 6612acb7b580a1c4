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
)
