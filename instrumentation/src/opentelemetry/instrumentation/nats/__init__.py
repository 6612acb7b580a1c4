"""Traces for plain nats-py services: every message published and every message handled is a span.

    from opentelemetry.instrumentation.nats import NatsInstrumentor

    NatsInstrumentor().instrument()

Publishing injects the current context and baggage into the message's headers.
Handling runs in a span that is linked to the message's sender and is its child.
Where the host fetches messages itself, `process` and `process_batch` say
exactly which code handles which message.
"""

from collections.abc import Collection, Sequence
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from opentelemetry import trace

# The module opts out of type checking as a whole, and hides its names with that.
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.instrumentation.utils import unwrap
from wrapt import wrap_function_wrapper

from . import deliveries, handover, publishing, telemetry
from .package import _instruments
from .processing import Batch, process, process_batch
from .version import __version__

__all__ = ["Batch", "NatsInstrumentor", "process", "process_batch"]

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

_HOOKS: tuple[tuple[type, str, Any], ...] = (
    (Client, "publish", publishing.publish),
    (Client, "subscribe", deliveries.subscribe),
    (JetStreamContext, "publish", publishing.publish_to_stream),
    (JetStreamContext, "pull_subscribe", handover.pull_subscribe),
    (JetStreamContext.PullSubscription, "fetch", handover.fetch),
    (Msg, "ack", handover.settle),
    (Msg, "ack_sync", handover.settle),
    (Msg, "nak", handover.settle),
    (Msg, "term", handover.settle),
)


class NatsInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments nats-py for the whole process."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Say which nats-py this is for, as requirements."""
        return _instruments

    def _instrument(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        baggage_keys: Sequence[str] = ("order.id",),
        **_: Any,
    ) -> None:
        """Wrap nats-py.

        *tracer_provider*: the global one when not given. *baggage_keys*: which
        baggage entries become attributes of message spans and of a batch's links.
        """
        tracer = trace.get_tracer(__name__, __version__, tracer_provider, SCHEMA_URL)
        telemetry.use(telemetry.Telemetry(tracer, tuple(baggage_keys)))
        for owner, name, hook in _HOOKS:
            wrap_function_wrapper(owner, name, _around(hook))

    def _uninstrument(self, **_: Any) -> None:
        telemetry.use(None)
        for owner, name, _hook in _HOOKS:
            unwrap(owner, name)


def _around(hook: Any) -> Any:
    """*hook* in the form that wrapt calls."""

    def around(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return hook(wrapped, instance, args, kwargs)

    return around
