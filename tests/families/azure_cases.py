"""Service Bus and Event Hubs, as Azure's own clients write them."""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case

BUS = {"messaging.system": "servicebus"}
SETTLE = {**BUS, "messaging.operation.type": "settle"}


def settle(verb: str, settled: Settled) -> Case:
    """A settle that is named by its verb."""
    said = {**SETTLE, "messaging.operation.name": verb}
    return Case(about=verb, kind=Kind.CLIENT, attributes=said, read={"role": Role.SETTLE, "settled": settled})


CASES = (
    Case(
        about="a message is created by itself, and sent with others",
        name="EventHubs.message",
        kind=Kind.PRODUCER,
        read={"role": Role.CREATE},
    ),
    Case(
        about="the same, of Python's client", name="Message", kind=Kind.PRODUCER, read={"role": Role.CREATE}
    ),
    Case(about="who consumes has created nothing", name="Message", read={"role": Role.PROCESS}),
    Case(
        about="the group of Event Hubs",
        attributes={"messaging.eventhubs.consumer.group": "packers"},
        read={"group": "packers"},
    ),
    Case(
        about="the subscription of Service Bus, where nothing else names a group",
        attributes={"messaging.servicebus.destination.subscription_name": "packers"},
        read={"group": "packers"},
    ),
    Case(
        about="how often a message was delivered",
        attributes={**BUS, "messaging.servicebus.message.delivery_count": 3},
        read={"deliveries": 3},
    ),
    settle("complete", Settled.ACKED),
    settle("abandon", Settled.NACKED),
    settle("release", Settled.NACKED),
    settle("dead_letter", Settled.TERMINATED),
    settle("deadLetter", Settled.TERMINATED),
    Case(
        about="an operation of older clients",
        kind=Kind.CLIENT,
        attributes={**BUS, "messaging.operation": "abandon"},
        read={"role": Role.SETTLE, "settled": Settled.NACKED},
    ),
)
