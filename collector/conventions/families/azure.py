"""Azure Service Bus and Event Hubs: their groups and settles, and messages that are created one by one."""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

LORE = Lore(
    attributes={
        "group": ("messaging.eventhubs.consumer.group",),
        "deliveries": ("messaging.servicebus.message.delivery_count",),
    },
    last_resorts={"group": ("messaging.servicebus.destination.subscription_name",)},
    operations={"complete": Role.SETTLE, "abandon": Role.SETTLE},
    settles={
        "complete": Settled.ACKED,
        "abandon": Settled.NACKED,
        "release": Settled.NACKED,
        "dead_letter": Settled.TERMINATED,
        "deadletter": Settled.TERMINATED,
    },
    # `Message` and `ServiceBus.message` create messages; a CLIENT span then sends several of them at once.
    producer_names={"message": Role.CREATE},
)
