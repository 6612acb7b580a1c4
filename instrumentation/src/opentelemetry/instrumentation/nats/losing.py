"""What a slow consumer lost: nats-py drops messages when a subscription's queue is full.

It says so to the connection's error callback alone. The span of the next
message that the subscription handles says it too, and a metric counts it.
"""

from collections.abc import Callable
from typing import Any

from opentelemetry.trace import Span

from . import attributes
from .connections import connection
from .deliveries import Source, of_subscription
from .telemetry import harmless


def count(original: Callable[..., None]) -> Callable[..., None]:
    """The replacement of ``SlowConsumerError.__init__``: nats-py makes one for each message that it drops."""

    def around(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _count(self)

    return around


@harmless
def _count(error: Any) -> None:
    connected = connection(error.sub._conn)
    if connected is None or connected.is_internal(error.subject):
        return
    source = of_subscription(error.sub)
    source.dropped += 1
    connected.telemetry.instruments.dropped(connected.taking("process", error.subject, source).group)


def tell(span: Span, source: Source) -> None:
    """Say on *span* how many messages of its *source* were dropped since the last time."""
    if source.dropped and span.is_recording():
        span.add_event(attributes.SLOW_CONSUMER, {attributes.DROPPED: source.dropped})
        source.dropped = 0
