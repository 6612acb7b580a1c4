"""Kafka clients: older names of group, partition and offset, and commits, which acknowledge."""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

LORE = Lore(
    attributes={
        "group": ("messaging.kafka.consumer.group", "messaging.kafka.consumer_group"),
        "partition": (
            "messaging.kafka.destination.partition",
            "messaging.kafka.source.partition",
            "messaging.kafka.partition",
            "kafka.partition",
        ),
        "offset": ("messaging.kafka.offset", "messaging.kafka.message.offset", "kafka.offset"),
    },
    operations={"commit": Role.SETTLE},
    settles={"commit": Settled.ACKED},
)
