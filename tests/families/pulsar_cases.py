"""Pulsar, as the Java agent writes it: a client of a partitioned topic names one partition."""

from collector.model.spans import Kind
from tests.families.cases import Case

SYSTEM = {"messaging.system": "pulsar"}
TOPIC = "persistent://shop/eu/invoices"

CASES = (
    *(
        Case(
            about=f"{kind.name} {number}",
            name=f"{TOPIC}-partition-{number} {verb}",
            kind=kind,
            attributes={**SYSTEM, "messaging.destination.name": f"{TOPIC}-partition-{number}"},
            read={
                "event_type": TOPIC,
                "general": True,
                "destination": f"{TOPIC}-partition-{number}",
            },
        )
        for kind, verb in ((Kind.PRODUCER, "send"), (Kind.CONSUMER, "process"))
        for number in (0, 17)
    ),
    Case(
        about="a partition that only the span's name tells",
        name=f"{TOPIC}-partition-3 send",
        kind=Kind.PRODUCER,
        attributes=SYSTEM,
        read={"event_type": TOPIC},
    ),
    Case(
        about="a topic of that name",
        kind=Kind.PRODUCER,
        attributes={**SYSTEM, "messaging.destination.name": "disk-partition-moved"},
        read={"event_type": "disk-partition-moved", "general": False},
    ),
)
