"""OpenTelemetry's conventions for messaging spans, 1.11 to 1.44: current names first, then older ones."""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

LORE = Lore(
    attributes={
        "operation": ("messaging.operation.type", "messaging.operation"),
        "verb": ("messaging.operation.name",),
        "system": ("messaging.system", "messaging.system.name"),
        "template": ("messaging.destination.template",),
        "destination": (
            "messaging.destination.name",
            "messaging.destination",
            "messaging.destination_publish.name",
            "messaging.source.name",
        ),
        "group": ("messaging.consumer.group.name",),
        # Not `messaging.temp_destination`: in Python, pika's instrumentation sets it on every send.
        "temporary": (
            "messaging.destination.temporary",
            "messaging.destination.anonymous",
        ),
        "partition": ("messaging.destination.partition.id",),
        "count": ("messaging.batch.message_count",),
        "error_type": ("error.type",),
        "message_id": ("messaging.message.id", "messaging.message_id", "messaging.id"),
    },
    last_resorts={
        "destination": ("messaging.url",),
        "group": ("messaging.destination.subscription.name",),
    },
    operations={
        "create": Role.CREATE,
        "send": Role.SEND,
        "publish": Role.SEND,
        "receive": Role.RECEIVE,
        "poll": Role.RECEIVE,
        "recv": Role.RECEIVE,
        "process": Role.PROCESS,
        "deliver": Role.PROCESS,
        "consume": Role.PROCESS,
        "settle": Role.SETTLE,
        "ack": Role.SETTLE,
        "nack": Role.SETTLE,
        "reject": Role.SETTLE,
    },
    settles={
        "ack": Settled.ACKED,
        "acknowledge": Settled.ACKED,
        "nack": Settled.NACKED,
        "reject": Settled.NACKED,
    },
)
