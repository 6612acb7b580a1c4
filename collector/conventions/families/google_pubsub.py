"""Google Pub/Sub: delivery attempts, and acknowledgements whose kind and operation say that they consume."""

from collector.conventions.lore import Lore
from collector.model.readings import Role

LORE = Lore(
    systems=("gcp_pubsub", "google_pubsub", "gcp.pubsub"),
    attributes={"deliveries": ("messaging.gcp_pubsub.message.delivery_attempt",)},
    keeps=("modack",),  # it moves the deadline of the acknowledgement
    system="gcp_pubsub",
    names=((r"(?:.* )?(?:n?ack|acknowledge)|(?:n?ack|acknowledge) .*", Role.SETTLE),),
    # `projects/demo/topics/orders` becomes `orders`.
    event_types=((r"^projects/[^/]+/(?:topics|subscriptions)/([^/]+)$", r"\1"),),
)
