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
    *(
        Case(
            about=f"{partition} and {offset}",
            attributes={**SYSTEM, partition: 3, offset: 117},
            read={"record": "3/117"},
        )
        for partition, offset in (
            ("messaging.destination.partition.id", "messaging.kafka.offset"),
            ("messaging.kafka.destination.partition", "messaging.kafka.message.offset"),
            ("messaging.kafka.source.partition", "messaging.kafka.message.offset"),
            ("messaging.kafka.partition", "messaging.kafka.offset"),
            ("kafka.partition", "kafka.offset"),
        )
    ),
    Case(
        about="an offset of 0 in a partition that is not told",
        attributes={**SYSTEM, "messaging.kafka.message.offset": 0},
        read={"record": "/0"},
    ),
    Case(
        about="a partition alone is no place",
        attributes={**SYSTEM, "messaging.destination.partition.id": "3"},
        read={"record": None},
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
