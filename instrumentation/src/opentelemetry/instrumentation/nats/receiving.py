"""What context comes with a message: what its headers carry, and the flow key that it names itself."""

from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

from . import attributes, headers
from .telemetry import Telemetry


def received(telemetry: Telemetry, message: Any) -> tuple[Context, SpanContext]:
    """The context that *message* carries, its own flow key in the baggage, and the sender's span context."""
    context, origin = headers.extract(message.headers)
    if telemetry.options.flow_key is not None:
        context = with_flow_key(telemetry, context, message.subject, message.data, message.headers)
    return context, origin


def with_flow_key(telemetry: Telemetry, context: Context, subject: str, payload: Any, given: Any) -> Context:
    """*context*, with the flow key that a message names itself in place of one that was carried to here.

    The message knows better: a handler of one order may send a message about another.
    """
    find = telemetry.options.flow_key
    key = None if find is None else find(subject, payload, given)
    return context if key is None else baggage.set_baggage(attributes.FLOW_KEY, key, context)
