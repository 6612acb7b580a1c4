"""Which attributes hold the ids that tie spans together? The user's settings decide."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Naming:
    """Attribute names, most trusted first: the first one that a span has counts.

    Libraries use the words differently: a "correlation id" is the conversation in one, the cause in another.
    """

    flow_key: Sequence[str] = ("order.id", "order_id", "app.order.id", "flow.key")
    correlation: Sequence[str] = ("messaging.message.conversation_id", "messaging.conversation_id")
    causation: Sequence[str] = ("messaging.message.causation_id",)


DEFAULT_NAMING = Naming()
