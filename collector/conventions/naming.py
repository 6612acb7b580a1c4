"""Which attributes hold what ties spans together; the user's settings decide."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Naming:
    """Names of attributes, most trusted first: of those that a span has, the first counts.

    Libraries do not agree on the words: one calls the conversation the correlation id, another the cause.
    """

    flow_key: Sequence[str] = ("order.id", "order_id", "app.order.id", "flow.key")
    correlation: Sequence[str] = ("messaging.message.conversation_id", "messaging.conversation_id")
    causation: Sequence[str] = ("messaging.message.causation_id",)


DEFAULT_NAMING = Naming()
