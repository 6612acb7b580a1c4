"""Kafka's clients in several languages."""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case

SYSTEM = {"messaging.system": "kafka"}

CASES = (
    *(
        Case(about=name, attributes={**SYSTEM, name: "packers"}, read={"group": "packers"})
        for name in ("messaging.kafka.consumer.group", "messaging.kafka.consumer_group")
    ),
    Case(
        about="an offset that is committed",
        name="commit orders",
        kind=Kind.CLIENT,
        attributes={**SYSTEM, "messaging.operation": "commit"},
        read={"role": Role.SETTLE, "settled": Settled.ACKED},
    ),
    Case(
        about="the span around a poll, which says nothing else",
        name="recv",
        read={"role": Role.RECEIVE},
    ),
    Case(
        about="what failed may be read again",
        attributes={**SYSTEM, "messaging.operation.type": "process"},
        read={"final": False},
    ),
)
