"""How and when a message was settled: an event on the span of its handling."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind
from opentelemetry.util.types import AttributeValue

from . import attributes
from .batches import batch_of
from .connections import connection
from .deliveries import source_of
from .handling import Handling, handling_of
from .receiving import received
from .telemetry import fail, harmless, name_of

# Methods that are not named like the verb they send to the broker.
_VERBS: Final = {"ack_sync": "ack"}


def settle(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The replacement of ``Msg.ack``, ``ack_sync``, ``nak``, ``term`` and ``in_progress``."""
    name = original.__name__
    verb = _VERBS.get(name, name)

    async def around(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            answer = await original(self, *args, **kwargs)
        except BaseException as error:
            _note(self, verb, args, kwargs, error)
            raise
        _note(self, verb, args, kwargs, None)
        return answer

    return around


@harmless
def _note(
    message: Any, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException | None
) -> None:
    details = {} if verb == "ack" and error is None else _details(verb, args, kwargs, error)
    handling = handling_of(message)
    if handling is not None and not handling.ended:
        if error is not None:
            handling.span.add_event(verb, details)
        else:
            handling.settled(verb, details)
        return
    batch = batch_of(message)
    if batch is not None and batch.is_recording():
        batch.add_event(verb, {**details, **_identity(message)})
    elif verb != "in_progress":
        _record_late(message, handling, verb, details, error)


def _details(
    verb: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException | None
) -> dict[str, AttributeValue]:
    """The attributes of a settling: the delay of a nak, and the error if it failed."""
    details: dict[str, AttributeValue] = {}
    if verb == "nak":
        delay = args[0] if args else kwargs.get("delay")
        if delay:
            details[attributes.DELAY] = float(delay)
    if error is not None:
        details["error.type"] = name_of(error)
    return details


def _identity(message: Any) -> dict[str, AttributeValue]:
    """The attributes that name the message of a batch that an event is about."""
    own = attributes.of_message(message)
    return {name: own[name] for name in (attributes.MESSAGE_ID, attributes.SEQUENCE) if name in own}


def _record_late(
    message: Any,
    handling: Handling | None,
    verb: str,
    details: dict[str, AttributeValue],
    error: BaseException | None,
) -> None:
    """Make a span for a settling when no handling span is open to record it."""
    connected = connection(message._client)
    source = source_of(message)
    if connected is None or source.foreign or not attributes.is_from_stream(message.reply):
        return
    carried, origin = received(connected.telemetry, message)
    operation = connected.taking(verb, message.subject, source)
    span = connected.telemetry.tracer.start_span(
        operation.name,
        context=carried if handling is None else trace.set_span_in_context(handling.span, carried),
        kind=SpanKind.CLIENT,
        attributes={
            **operation.described(message.subject),
            **attributes.of_message(message),
            **details,
        },
        links=[Link(origin)] if origin.is_valid else None,
    )
    if error is None:
        span.set_attribute(attributes.OUTCOME, verb)
    else:
        fail(span, error)
    span.end()
