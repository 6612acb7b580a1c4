"""OpenTelemetry's conventions for messaging, from version to version.

The operation gives the role whatever the kind: kinds changed between versions, operations did not.
"""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case

TYPE = "messaging.operation.type"

CASES = (
    Case(about="an error", attributes={"error.type": "timeout"}, read={"failed": True, "error": "timeout"}),
    *(
        Case(about=f"{name} {word}", kind=Kind.CLIENT, attributes={name: word}, read={"role": role})
        for name in (TYPE, "messaging.operation", "messaging.operation.name")
        for word, role in (
            ("create", Role.CREATE),
            ("send", Role.SEND),
            ("publish", Role.SEND),  # until 1.27
            ("receive", Role.RECEIVE),
            ("poll", Role.RECEIVE),
            ("recv", Role.RECEIVE),
            ("process", Role.PROCESS),
            ("deliver", Role.PROCESS),  # a push, in 1.23.1 and 1.24
            ("consume", Role.PROCESS),
            ("settle", Role.SETTLE),
            ("ack", Role.SETTLE),
            ("nack", Role.SETTLE),
            ("reject", Role.SETTLE),
            ("Process", Role.PROCESS),
            ("request", Role.NONE),
        )
    ),
    *(
        Case(
            about=f"settle, {verb}",
            kind=Kind.CLIENT,
            attributes={TYPE: "settle", "messaging.operation.name": verb},
            read={"settled": settled},
        )
        for verb, settled in (
            ("ack", Settled.ACKED),
            ("acknowledge", Settled.ACKED),
            ("nack", Settled.NACKED),
            ("reject", Settled.NACKED),
            ("postpone", Settled.UNSAID),
        )
    ),
    *(
        Case(about=name, kind=Kind.PRODUCER, attributes={name: "orders"}, read={"destination": "orders"})
        for name in (
            "messaging.destination.name",
            "messaging.destination",  # 1.17
            "messaging.destination_publish.name",  # 1.22 to 1.26
            "messaging.source.name",  # 1.17 to 1.20
            "messaging.destination.template",
            "messaging.url",  # 1.17; SQS from Python
        )
    ),
    *(
        Case(about=name, attributes={name: "packers"}, read={"group": "packers"})
        for name in ("messaging.consumer.group.name", "messaging.destination.subscription.name")
    ),
    *(
        Case(about=name, attributes={name: 17}, read={"message_id": "17"})
        for name in ("messaging.message.id", "messaging.message_id", "messaging.id")
    ),
    *(
        Case(
            about=f"a span that publishes {count}",
            kind=Kind.PRODUCER,
            attributes={"messaging.batch.message_count": count},
            read={"several": several},
        )
        for count, several in ((1, False), (2, True), (10, True), ("many", False))
    ),
    *(
        Case(
            about=f"{kind.name}: {name} {value}",
            kind=kind,
            attributes={"messaging.destination.name": "q-17", name: value},
            read={"role": role},
        )
        for name in (
            "messaging.destination.temporary",
            "messaging.destination.anonymous",
        )
        for kind, value, role in (
            (Kind.PRODUCER, True, Role.REPLY),
            (Kind.PRODUCER, "True", Role.REPLY),
            (Kind.PRODUCER, False, Role.SEND),
            (Kind.CONSUMER, True, Role.PROCESS),  # it may have subscribed to events
        )
    ),
    Case(
        about="a word that pika's instrumentation says of every send, whatever its exchange",
        kind=Kind.PRODUCER,
        attributes={"messaging.destination": "shop", "messaging.temp_destination": True},
        read={"role": Role.SEND},
    ),
    Case(
        about="a partition, which Kafka's clients name like others",
        attributes={"messaging.destination.partition.id": "eu-1", "messaging.kafka.offset": 8},
        read={"record": "eu-1/8"},
    ),
    Case(
        about="the coming name of the system", attributes={"messaging.system.name": "x"}, read={"system": "x"}
    ),
    *(
        Case(
            about=f"a consumer that settles: {name}",
            name=name,
            read={"role": Role.SETTLE, "settled": settled},
        )
        for name, settled in (("orders ack", Settled.ACKED), ("nack orders", Settled.NACKED))
    ),
    *(
        Case(about=f"a consumer that handles: {name}", name=name, read={"role": Role.PROCESS})
        for name in ("reject application", "complete order", "orders.ack", "acknowledge receipt")
    ),
    Case(
        about="the type of an operation counts more than its verb",
        kind=Kind.CLIENT,
        attributes={TYPE: "process", "messaging.operation.name": "poll", "messaging.system": "kafka"},
        read={"role": Role.PROCESS, "system": "kafka"},
    ),
)
