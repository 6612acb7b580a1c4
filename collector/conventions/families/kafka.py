"""Kafka's clients: the consumer group under its older names, and offsets that are committed."""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

LORE = Lore(
    attributes={"group": ("messaging.kafka.consumer.group", "messaging.kafka.consumer_group")},
    operations={"commit": Role.SETTLE},
    settles={"commit": Settled.ACKED},
)
