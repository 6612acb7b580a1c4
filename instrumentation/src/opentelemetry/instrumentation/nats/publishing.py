"""Publishing: one PRODUCER span for each message, and its context in the message's headers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from . import attributes, handover, headers
from .subjects import is_internal
from .telemetry import Telemetry, current, fail, harmless

_SENDING: Final = contexts.create_key("nats-sending")

# Positions of `headers` in Client.publish and in JetStreamContext.publish.
_CORE_HEADERS: Final = 3
_STREAM_HEADERS: Final = 4

# "NATS/1.0", its line end, and the empty line after the last header.
_FRAME: Final = 12


@dataclass
class _Sending:
    """One publish under way: its span, and the arguments to publish with."""

    span: Span
    context: Context
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    handed_on: bool = False


async def publish(
    wrapped: Callable[..., Awaitable[None]], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Around ``Client.publish``, through which every message of a client passes."""
    sending = None if _is_part_of_another() else _begin(client, args, kwargs, _CORE_HEADERS)
    if sending is None:
        return await wrapped(*args, **kwargs)
    try:
        return await wrapped(*sending.args, **sending.kwargs)
    except BaseException as error:
        fail(sending.span, error)
        raise
    finally:
        sending.span.end()


async def publish_to_stream(
    wrapped: Callable[..., Awaitable[Any]], stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Around ``JetStreamContext.publish``: one span from the call to the stream's acknowledgement."""
    sending = _begin(stream._nc, args, kwargs, _STREAM_HEADERS)
    if sending is None:
        return await wrapped(*args, **kwargs)
    token = contexts.attach(contexts.set_value(_SENDING, sending, sending.context))
    try:
        acknowledgement = await wrapped(*sending.args, **sending.kwargs)
        _acknowledge(sending.span, acknowledgement)
        return acknowledgement
    except BaseException as error:
        fail(sending.span, error)
        raise
    finally:
        contexts.detach(token)
        sending.span.end()


def _is_part_of_another() -> bool:
    """Whether this is the core publish inside a JetStream publish, which has a span already.

    True once only: the same context may live on in a task that was begun there.
    """
    sending = contexts.get_value(_SENDING)
    if not isinstance(sending, _Sending) or sending.handed_on:
        return False
    sending.handed_on = True
    return True


@harmless
def _begin(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], headers_at: int) -> _Sending | None:
    telemetry = current()
    subject = args[0] if args else kwargs.get("subject")
    if telemetry is None or not isinstance(subject, str):
        return None
    if is_internal(subject, client._inbox_prefix.decode()):
        return None
    payload = args[1] if len(args) > 1 else kwargs.get("payload", b"")
    given = args[headers_at] if len(args) > headers_at else kwargs.get("headers")
    span = _start(telemetry, client, subject, payload, given)
    handover.note_use()
    context = trace.set_span_in_context(span)
    carried = headers.inject(given, context)
    if carried is None or not _fits(client, payload, carried):
        return _Sending(span, context, args, kwargs)
    if len(args) > headers_at:
        return _Sending(span, context, (*args[:headers_at], carried, *args[headers_at + 1 :]), kwargs)
    return _Sending(span, context, args, {**kwargs, "headers": carried})


def _start(telemetry: Telemetry, client: Any, subject: str, payload: Any, given: Any) -> Span:
    described: attributes.Attributes = {
        attributes.SYSTEM: attributes.NATS,
        attributes.OPERATION_TYPE: "send",
        attributes.OPERATION_NAME: "publish",
        attributes.DESTINATION: subject,
        attributes.BODY_SIZE: len(payload),
    }
    described |= attributes.of_client(client)
    described |= attributes.of_headers(headers.fold(given))
    described |= attributes.of_baggage(contexts.get_current(), telemetry.baggage_keys)
    return telemetry.tracer.start_span(f"send {subject}", kind=SpanKind.PRODUCER, attributes=described)


def _fits(client: Any, payload: Any, carried: dict[str, Any]) -> bool:
    """Whether the server will take *payload* with these headers.

    A server counts headers in its payload limit, and nats-py does not: near
    the limit a message goes without our context rather than not at all.
    """
    if client._server_info.get("headers") is False:
        return False
    size = len(payload) + _FRAME + sum(len(name) + len(str(value)) + 4 for name, value in carried.items())
    return bool(size <= client.max_payload)


@harmless
def _acknowledge(span: Span, acknowledgement: Any) -> None:
    """What the stream said: where the message is now, and whether it was there before."""
    if not span.is_recording():
        return
    stream, sequence = acknowledgement.stream, acknowledgement.seq
    span.set_attribute(attributes.STREAM, stream)
    span.set_attribute(attributes.SEQUENCE, sequence)
    if acknowledgement.duplicate:
        span.set_attribute(attributes.DUPLICATE, True)
    known = getattr(span, "attributes", None) or {}
    if attributes.MESSAGE_ID not in known:
        span.set_attribute(attributes.MESSAGE_ID, attributes.stream_position(stream, sequence))
