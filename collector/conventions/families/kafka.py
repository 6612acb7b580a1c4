"""Kafka clients: older names of the consumer group, and commits, which acknowledge."""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

LORE = Lore(
    attributes={"group": ("messaging.kafka.consumer.group", "messaging.kafka.consumer_group")},
    operations={"commit": Role.SETTLE},
    settles={"commit": Settled.ACKED},
)
