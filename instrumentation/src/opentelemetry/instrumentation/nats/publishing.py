"""Sending: one PRODUCER span per message until its answer, with its context in the message's headers."""

import time
from asyncio import CancelledError, Future
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from . import attributes, handover, services
from .connections import Connection, Operation, connection
from .headers import inject
from .receiving import with_flow_key
from .telemetry import UNKNOWN, Telemetry, fail, harmless, name_of, refuse

# The position of `headers` in the arguments of `request` and of JetStream's two publish methods.
_HEADERS_AT: Final = 4

_BROKERS_OWN: Final = "$JS."

_UNACKNOWLEDGED: Final = "unacknowledged"

# Bytes of "NATS/1.0", its line end, and the empty line after the last header.
_FRAME: Final = 12
# Bytes of ": " and the line end of each header.
_MARKS: Final = 4
# The most bytes that a character has.
_WIDEST: Final = 4


class Sending:
    """One message being sent: from the call that sends it to the answer, if one is awaited."""

    __slots__ = ("_around", "_begun", "_error", "_group", "_open", "_subject", "_telemetry", "span")

    def __init__(
        self, connected: Connection, around: Context, verb: str, subject: str, payload: Any, given: Any
    ) -> None:
        self._telemetry = telemetry = connected.telemetry
        if telemetry.options.flow_key is not None:
            around = with_flow_key(telemetry, around, subject, payload, given)
        self._subject = subject
        self._around = around
        self._open = True
        self._error: str | None = None
        operation = connected.sending(verb, subject)
        self._group = operation.group
        described = attributes.Deferred(_described, operation, subject, payload, given, around, telemetry)
        self.span = telemetry.tracer.start_span(operation.name, around, SpanKind.PRODUCER, described)
        hook = telemetry.options.request_hook
        if hook is not None:
            telemetry.call(hook, self.span, subject, payload, given)
        self._begun = time.perf_counter()

    def is_of(self, subject: object) -> bool:
        """Whether a publish to *subject* during this call sends this message, not another one."""
        return self._open and self._subject == subject

    @harmless
    def carried_by(self, client: Any, payload: Any, reply: Any, given: Any) -> Any:
        """The headers to send: a copy of *given* with this span's context if that fits, else *given*."""
        if reply:
            self.span.set_attribute(attributes.REPLY_TO, reply)
        for capitals in (True, False) if self._telemetry.options.capitals else (False,):
            carrying = inject(given, self.span, self._around, capitals)
            if carrying is not None and _fits(client, payload, carrying):
                return carrying
        return given

    @harmless
    def answered(self, answer: Any) -> None:
        """Call the response hook with *answer*, a reply or an acknowledgement; a reply may be an error."""
        error = services.error_in(getattr(answer, "headers", None))
        if error is not None:
            self._error = error[0] or UNKNOWN
            refuse(self.span, *error)
        self._telemetry.call(self._telemetry.options.response_hook, self.span, answer)

    @harmless
    def acknowledged(self, answer: Any) -> None:
        """Record the stream's acknowledgement: the message's position, and whether it is a duplicate."""
        if self.span.is_recording():
            self.span.set_attribute(attributes.STREAM, answer.stream)
            self.span.set_attribute(attributes.SEQUENCE, answer.seq)
            if answer.duplicate:
                self.span.set_attribute(attributes.DUPLICATE, True)
            known = getattr(self.span, "attributes", None) or {}
            if attributes.MESSAGE_ID not in known:
                self.span.set_attribute(
                    attributes.MESSAGE_ID, attributes.stream_position(answer.stream, answer.seq)
                )
        self.answered(answer)

    @harmless
    def failed(self, error: BaseException) -> None:
        """Record that sending raised *error*."""
        self._error = name_of(error)
        fail(self.span, error)

    @harmless
    def end(self) -> None:
        """End the span: the answer has come, or none will."""
        self._open = False
        self.span.end()
        self._telemetry.instruments.sent(self._group, time.perf_counter() - self._begun, self._error)

    @harmless
    def abandoned(self) -> None:
        """End the span with an error if the answer never came: nothing awaits it any more."""
        if self._open:
            self._error = _UNACKNOWLEDGED
            self.span.set_attribute("error.type", _UNACKNOWLEDGED)
            self.span.set_status(Status(StatusCode.ERROR, _UNACKNOWLEDGED))
            self.end()

    @harmless
    def end_with(self, answer: "Future[Any]") -> None:
        """End with the outcome of *answer*, without marking its exception as retrieved."""
        if answer.cancelled():
            self.failed(CancelledError())
        else:
            # `exception()` would silence asyncio's warning that an exception was never retrieved.
            error = getattr(answer, "_exception", None)
            if error is None:
                self.acknowledged(answer.result())
            else:
                self.failed(error)
        self.end()


class _Acknowledgement:
    """Done callback of the future for the answer to *sending*.

    A connection that closes leaves its futures pending; this object is then
    collected with the future, which ends the span.
    """

    __slots__ = ("_sending",)

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    def __call__(self, answer: "Future[Any]") -> None:
        self._sending.end_with(answer)

    def __del__(self) -> None:
        self._sending.abandoned()


def _described(
    operation: Operation, subject: str, payload: Any, given: Any, around: Context, telemetry: Telemetry
) -> attributes.Attributes:
    """The initial attributes of the span that sends *payload* to *subject*."""
    found = {**operation.common, attributes.DESTINATION: subject, attributes.BODY_SIZE: len(payload)}
    if given:
        attributes.add_headers(found, given)
    if telemetry.baggage_keys:
        found |= attributes.of_baggage(around, telemetry.baggage_keys)
    return attributes.with_old_names(found) if operation.old_names else found


_sending: ContextVar[Sending | None] = ContextVar("nats-sending", default=None)


def publish(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The replacement of ``Client.publish``, through which every message of a client passes."""

    async def around(
        self: Any,
        subject: Any,
        payload: Any = b"",
        reply: Any = "",
        headers: Any = None,
        *more: Any,
        **others: Any,
    ) -> None:
        outer = _sending.get()
        if outer is not None and outer.is_of(subject):
            headers = outer.carried_by(self, payload, reply, headers) or headers
            return await original(self, subject, payload, reply, headers, *more, **others)
        # There are as many acknowledgements as messages: they pass without further checks.
        if isinstance(subject, str) and subject.startswith(_BROKERS_OWN):
            return await original(self, subject, payload, reply, headers, *more, **others)
        sending = _begin(self, "send", subject, payload, headers)
        if sending is None:
            return await original(self, subject, payload, reply, headers, *more, **others)
        headers = sending.carried_by(self, payload, reply, headers) or headers
        try:
            return await original(self, subject, payload, reply, headers, *more, **others)
        except BaseException as error:
            sending.failed(error)
            raise
        finally:
            sending.end()

    return around


async def request(
    wrapped: Callable[..., Awaitable[Any]], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap ``Client.request``: one span from the call to the reply."""
    outer = _sending.get()
    if outer is not None and outer.is_of(args[0] if args else kwargs.get("subject")):
        return await wrapped(*args, **kwargs)
    sending = _begin(client, "request", *_sent(args, kwargs))
    if sending is None:
        return await wrapped(*args, **kwargs)
    return await _exchange(wrapped, args, kwargs, sending, sending.answered)


async def publish_to_stream(
    wrapped: Callable[..., Awaitable[Any]], stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap ``JetStreamContext.publish``: one span from the call to the stream's acknowledgement."""
    sending = _begin(stream._nc, "send", *_sent(args, kwargs))
    if sending is None:
        return await wrapped(*args, **kwargs)
    return await _exchange(wrapped, args, kwargs, sending, sending.acknowledged)


async def publish_async(
    wrapped: Callable[..., Awaitable[Any]], stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap ``JetStreamContext.publish_async``: one span from the call to the stream's acknowledgement."""
    sending = _begin(stream._nc, "send", *_sent(args, kwargs))
    if sending is None:
        return await wrapped(*args, **kwargs)
    token = _sending.set(sending)
    try:
        acknowledgement = await wrapped(*args, **kwargs)
    except BaseException as error:
        sending.failed(error)
        sending.end()
        raise
    finally:
        _restore(token)
    acknowledgement.add_done_callback(_Acknowledgement(sending))
    return acknowledgement


async def _exchange(
    wrapped: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    sending: Sending,
    on_answer: Callable[[Any], None],
) -> Any:
    """Send, wait, and pass the answer to *on_answer*; a publish meanwhile may be this sending's."""
    token = _sending.set(sending)
    try:
        answer = await wrapped(*args, **kwargs)
        on_answer(answer)
        return answer
    except BaseException as error:
        sending.failed(error)
        raise
    finally:
        _restore(token)
        sending.end()


@harmless
def _restore(token: "Token[Sending | None]") -> None:
    _sending.reset(token)


def _sent(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The subject, payload and headers in the arguments of `request` or of JetStream's publish methods."""
    return (
        args[0] if args else kwargs.get("subject"),
        args[1] if len(args) > 1 else kwargs.get("payload", b""),
        args[_HEADERS_AT] if len(args) > _HEADERS_AT else kwargs.get("headers"),
    )


@harmless
def _begin(client: Any, verb: str, subject: Any, payload: Any, given: Any) -> Sending | None:
    connected = connection(client)
    if connected is None or not isinstance(subject, str) or connected.is_internal(subject):
        return None
    around = contexts.get_current()
    if around:
        if _is_traced_by_another():
            return None
        outside = handover.outside()
        # An empty context counts: it means that the host was in none.
        around = around if outside is None else outside
    return Sending(connected, around, verb, subject, payload, given)


def _is_traced_by_another() -> bool:
    """Whether another instrumentation, such as a framework's, already has a span for this message."""
    around: Any = trace.get_current_span()
    return (
        getattr(around, "kind", None) is SpanKind.PRODUCER
        and around.is_recording()
        and (getattr(around, "attributes", None) or {}).get(attributes.SYSTEM) == attributes.NATS
    )


def _fits(client: Any, payload: Any, carrying: Mapping[str, Any]) -> bool:
    """Whether the server will take *payload* with these headers.

    A server counts headers in its payload limit, nats-py does not: near the
    limit a message goes without context rather than not at all.
    """
    if client._server_info.get("headers") is False:
        return False
    # Encode only near the limit: a character has at most four bytes.
    characters = sum(map(len, carrying)) + sum(map(len, carrying.values()))
    marks = _FRAME + _MARKS * len(carrying)
    if len(payload) + marks + _WIDEST * characters <= client._max_payload:
        return True
    encoded = sum(len(name.encode()) + len(value.encode()) for name, value in carrying.items())
    return bool(len(payload) + marks + encoded <= client._max_payload)
