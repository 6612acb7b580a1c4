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
    *(
        Case(
            about=f"the method {verb}{end}",
            name=f"ServiceBusReceiver.{verb}{end}",
            kind=Kind.CLIENT,
            attributes=BUS,
            read={"role": Role.SETTLE, "settled": settled},
        )
        for verb, settled in (
            ("Complete", Settled.ACKED),
            ("Abandon", Settled.NACKED),
            ("Defer", Settled.NACKED),
            ("DeadLetter", Settled.TERMINATED),
            ("dead_letter", Settled.TERMINATED),
        )
        for end in ("Message", "_message")
    ),
    *(
        Case(
            about=f"how a message was settled: {word}",
            name="ServiceBusReceiver.Settle",
            kind=Kind.CLIENT,
            attributes={**SETTLE, "messaging.servicebus.disposition_status": word},
            read={"role": Role.SETTLE, "settled": settled},
        )
        for word, settled in (
            ("complete", Settled.ACKED),
            ("abandon", Settled.NACKED),
            ("defer", Settled.NACKED),
            ("dead_letter", Settled.TERMINATED),
        )
    ),
    settle("complete", Settled.ACKED),
    settle("abandon", Settled.NACKED),
    settle("release", Settled.NACKED),
    settle("dead_letter", Settled.TERMINATED),
    settle("deadLetter", Settled.TERMINATED),
    settle("dead-letter", Settled.TERMINATED),
    settle("defer", Settled.NACKED),
    *(
        Case(
            about=name, name=name, kind=Kind.CLIENT, attributes=said, read={"role": role, "settled": settled}
        )
        for said in (
            {},
            BUS,
            {**BUS, "messaging.operation": "settle", "messaging.destination.name": "orders"},
        )
        for name, role, settled in (
            ("ServiceBusReceiver.Complete", Role.SETTLE, Settled.ACKED),
            ("ServiceBusReceiver.Abandon", Role.SETTLE, Settled.NACKED),
            ("ServiceBusReceiver.Defer", Role.SETTLE, Settled.NACKED),
            ("ServiceBusSessionReceiver.DeadLetter", Role.SETTLE, Settled.TERMINATED),
            ("ServiceBus.dead_letter", Role.SETTLE, Settled.TERMINATED),
            ("ServiceBus.complete", Role.SETTLE, Settled.ACKED),
            ("ServiceBusReceiver.RenewMessageLock", Role.NONE, Settled.UNSAID),
            ("ServiceBus.renew_session_lock", Role.NONE, Settled.UNSAID),
            ("EventProcessor.Checkpoint", Role.SETTLE, Settled.ACKED),
        )
    ),
    *(
        Case(
            about=f"a consumer that keeps its message: {verb}",
            attributes={**BUS, "messaging.operation.name": verb},
            read={"role": Role.NONE},
        )
        for verb in ("renew_message_lock", "renewMessageLock", "renew_session_lock", "renewSessionLock")
    ),
    Case(
        about="work that is named like another family's settle",
        name="OrderService.Complete",
        read={"role": Role.PROCESS},
    ),
    Case(
        about="an operation of older clients",
        kind=Kind.CLIENT,
        attributes={**BUS, "messaging.operation": "abandon"},
        read={"role": Role.SETTLE, "settled": Settled.NACKED},
    ),
)
