"""NATS: clients in all languages, and our own instrumentation of nats-py."""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case

SYSTEM = {"messaging.system": "nats"}
ACK = "$JS.ACK.SHOP.packing.3.17.20.1795406423355166396.0"


def settle(verb: str, settled: Settled) -> Case:
    """A settle that is named by its verb."""
    said = {**SYSTEM, "messaging.operation.type": "settle", "messaging.operation.name": verb}
    return Case(about=verb, kind=Kind.CLIENT, attributes=said, read={"role": Role.SETTLE, "settled": settled})


def to(subject: str, role: Role, kind: Kind = Kind.PRODUCER, **read: object) -> Case:
    """Something sent to, or received from, a subject that is no business of ours."""
    said = {**SYSTEM, "messaging.destination.name": subject}
    return Case(about=f"{kind.name} {subject}", kind=kind, attributes=said, read={"role": role, **read})


CASES = (
    Case(
        about="a message of a stream",
        kind=Kind.CONSUMER,
        attributes={
            **SYSTEM,
            "messaging.nats.stream": "SHOP",
            "messaging.nats.sequence": 17,
            "messaging.nats.consumer.group": "packers",
            "messaging.nats.message.subject": "shop.placed",
            "messaging.nats.delivery_count": 2,
            "messaging.nats.outcome": "nak",
        },
        read={
            "role": Role.PROCESS,
            "group": "packers",
            "record": "SHOP/17",
            "destination": "shop.placed",
            "deliveries": 2,
            "settled": Settled.NACKED,
            "final": False,
        },
    ),
    Case(about="core NATS does not deliver again", attributes=SYSTEM, read={"final": True}),
    Case(
        about="word that a handling has begun",
        name="started shop.placed",
        kind=Kind.CLIENT,
        attributes={**SYSTEM, "messaging.operation.name": "started"},
        read={"role": Role.STARTED},
    ),
    Case(
        about="a fetch, though its type is receive",
        kind=Kind.CLIENT,
        attributes={
            **SYSTEM,
            "messaging.operation.name": "fetch",
            "messaging.operation.type": "receive",
        },
        read={"role": Role.FETCH},
    ),
    Case(
        about="another system's fetch",
        kind=Kind.CLIENT,
        attributes={
            "messaging.system": "kafka",
            "messaging.operation.name": "fetch",
            "messaging.operation.type": "receive",
        },
        read={"role": Role.RECEIVE},
    ),
    settle("ack", Settled.ACKED),
    settle("nak", Settled.NACKED),
    settle("term", Settled.TERMINATED),
    settle("terminate", Settled.TERMINATED),
    to(ACK, Role.SETTLE, deliveries=3),
    to("$JS.ACK._.x7Hf2.SHOP.packing.4.17.20.1795406423355166396.0", Role.SETTLE, deliveries=4),
    to("$JS.API.CONSUMER.MSG.NEXT.SHOP.packing", Role.NONE, event_type=None),
    to("$SYS.REQ.SERVER.PING", Role.NONE),
    to("$SRV.INFO", Role.NONE, Kind.CONSUMER),
    to("_INBOX.xyz.1", Role.REPLY, event_type="_INBOX.*"),
    to("_INBOX.xyz.1", Role.ANSWERED, Kind.CONSUMER),
    to("_R_.6MkzQ1.wX2pLr", Role.SEND, event_type="_R_.*"),
    to("$KV.stock.chairs", Role.SEND),
    to("INBOX.orders", Role.SEND),
)
