"""Azure Service Bus and Event Hubs: their groups and settles, and messages that are created one by one."""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

# Methods of the clients, by which their spans are called as well.
_METHODS = {
    "complete": Settled.ACKED,
    "abandon": Settled.NACKED,
    "defer": Settled.NACKED,  # it stays, and is asked for again
    "dead_letter": Settled.TERMINATED,
    "deadletter": Settled.TERMINATED,
}
_OF_MESSAGES = {f"{verb}{end}": way for verb, way in _METHODS.items() for end in ("message", "_message")}

LORE = Lore(
    systems=("servicebus", "azure_servicebus", "azure.servicebus", "az.servicebus"),
    attributes={
        "group": ("messaging.eventhubs.consumer.group",),
        "deliveries": ("messaging.servicebus.message.delivery_count",),
        "settled": ("messaging.servicebus.disposition_status",),
    },
    last_resorts={"group": ("messaging.servicebus.destination.subscription_name",)},
    operations={"complete": Role.SETTLE, "abandon": Role.SETTLE, "defer": Role.SETTLE},
    settles={
        **_METHODS,
        **_OF_MESSAGES,
        "release": Settled.NACKED,
        "checkpoint": Settled.ACKED,
        "dead-letter": Settled.TERMINATED,
    },
    keeps=("renew_message_lock", "renewmessagelock", "renew_session_lock", "renewsessionlock"),
    # Many clients name an operation nowhere else: `ServiceBusReceiver.Complete`, `ServiceBus.deadLetter`.
    names=(
        (r"servicebus[a-z]*\.(?:complete|abandon|dead[-_]?letter|defer)(?:_?message)?", Role.SETTLE),
        (r"event(?:hubs?|processor)[a-z]*\.checkpoint", Role.SETTLE),
    ),
    # `Message` and `ServiceBus.message` create messages; a CLIENT span then sends several of them at once.
    producer_names={"message": Role.CREATE},
)
