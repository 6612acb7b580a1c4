"""JMS, as the Java agent writes it, and Solace: temporary destinations, of requesters."""

from collector.model.readings import Role
from collector.model.spans import Kind
from tests.families.cases import Case


def to(destination: str, event_type: str) -> Case:
    """A message to a destination that somebody named."""
    said = {"messaging.system": "jms", "messaging.destination.name": destination}
    return Case(
        about=destination,
        name=f"{destination} publish",
        kind=Kind.PRODUCER,
        attributes=said,
        read={"event_type": event_type, "destination": destination},
    )


CASES = (
    to("(temporary)", "(temporary)"),
    to("temp-queue://ID:host-1-39871-1764450000000-3:1:1", "temp-queue://*"),
    to("temp-topic://ID:host-1-39871-1764450000000-3:1:2", "temp-topic://*"),
    to("ID:host-1-39871-1764450000000-3:1:1", "(temporary)"),
    to("queue://ID:414d5120514d31202020202020202020", "(temporary)"),
    to("#P2P/QTMP/v:broker-1/Kx7pQ2mZ", "#P2P/QTMP/*"),
    to("queue://parcels", "queue://parcels"),
    to("IDENTITY.changed", "IDENTITY.changed"),
    *(
        Case(
            about=f"{kind.name}: {name}",
            kind=kind,
            attributes={"messaging.system": "jms", "messaging.destination.name": name},
            read={"role": role},
        )
        for name in (
            "(temporary)",
            "temp-queue://ID:host-41-1:1:1",
            "temp-topic://ID:host-41-1:1:2",
            "jms.tempqueue.0f6c",
            "#P2P/QTMP/v:host/0f6c",
        )
        for kind, role in ((Kind.PRODUCER, Role.REPLY), (Kind.CONSUMER, Role.ANSWERED))
    ),
)
