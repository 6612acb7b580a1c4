"""`process` and `process_batch`: the precise spans of handling, opened by the host."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Generic, TypeVar

from opentelemetry import baggage, trace
from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, SpanKind

from . import attributes, deliveries, handover, headers
from .telemetry import current, fail, harmless

T = TypeVar("T")


class _Handling(AbstractContextManager[T], AbstractAsyncContextManager[T], Generic[T]):
    """A span that is current inside the block and ends with the block's outcome."""

    span: Span = INVALID_SPAN

    def __init__(self) -> None:
        self._token: Any = None

    def _start(self) -> Context | None:
        """Begin the span and give the context for the block; None for no span."""
        raise NotImplementedError

    def _target(self) -> T:
        """What ``as`` names."""
        raise NotImplementedError

    def __enter__(self) -> T:
        context = self._start()
        if context is not None:
            self._token = contexts.attach(context)
        return self._target()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        if self._token is None:
            return
        contexts.detach(self._token)
        if error is not None:
            fail(self.span, error)
        self.span.end()

    async def __aenter__(self) -> T:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace_back)


class _Processing(_Handling[Span]):
    def __init__(self, message: Any) -> None:
        super().__init__()
        self._message = message

    @harmless
    def _start(self) -> Context | None:
        handover.claim(self._message)
        telemetry = current()
        if telemetry is None:
            return None
        source = deliveries.source_of(self._message)
        self.span, context = deliveries.start(telemetry, self._message, source, _ambient())
        return context

    def _target(self) -> Span:
        return self.span


class Batch:
    """The messages that are handled in one go, inside `process_batch`."""

    def __init__(self, handling: "_BatchProcessing") -> None:
        self._handling = handling

    @property
    def span(self) -> Span:
        """The one span of the batch; an invalid one while nothing is instrumented."""
        return self._handling.span

    @contextmanager
    def handling(self, message: Any) -> Iterator[None]:
        """Work for one *message* of the batch: what is published here carries its baggage.

        The span stays the batch's: a part of the work has none of its own.
        """
        context = _with_baggage_of(message)
        if context is None:
            yield
            return
        token = contexts.attach(context)
        try:
            yield
        finally:
            contexts.detach(token)


class _BatchProcessing(_Handling[Batch]):
    def __init__(self, messages: Sequence[Any]) -> None:
        super().__init__()
        # Not through the list's own iterator, which would hand each one over.
        self._messages = [messages[position] for position in range(len(messages))]

    @harmless
    def _start(self) -> Context | None:
        for message in self._messages:
            handover.claim(message)
        telemetry = current()
        if telemetry is None or not self._messages:
            return None
        first = self._messages[0]
        source = deliveries.source_of(first)
        subjects = {message.subject for message in self._messages}
        template = source.template(first.subject) if len(source.subjects) < 2 or len(subjects) == 1 else None
        described = deliveries.of_source(first._client, source, template)
        described[attributes.BATCH_COUNT] = len(self._messages)
        if len(subjects) == 1:
            described[attributes.DESTINATION] = first.subject
        delivered = attributes.of_delivery(first.reply)
        described |= {
            key: delivered[key] for key in (attributes.STREAM, attributes.CONSUMER) if key in delivered
        }
        destination = template or described.get(attributes.DESTINATION) or ""
        self.span = telemetry.tracer.start_span(
            f"process {destination}".rstrip(),
            context=Context(),
            kind=SpanKind.CONSUMER,
            attributes=described,
            links=deliveries.origins(self._messages, telemetry.baggage_keys),
        )
        return trace.set_span_in_context(self.span, Context())

    def _target(self) -> Batch:
        return Batch(self)


def process(message: Any) -> _Handling[Span]:
    """Mark the handling of one message: ``async with`` it, around the code that handles *message*.

    Inside the block the message's span, which ``as`` names, is current, so what is
    published there is caused by the message. An exception ends the span with
    an error and goes on unchanged. Works with ``with`` as well, with messages
    from any kind of subscription, and does nothing while not instrumented.
    """
    return _Processing(message)


def process_batch(messages: Sequence[Any]) -> _Handling[Batch]:
    """Mark the handling of many messages in one go: ``async with`` it, as a `Batch`.

    One span in a trace of its own, with a link to each message; wrap the work
    for one of them in ``with batch.handling(message):``.
    """
    return _BatchProcessing(messages)


def _ambient() -> SpanContext | None:
    """The host's own span around the handling, to be linked because a parent hides it."""
    span = trace.get_current_span().get_span_context()
    return span if span.is_valid else None


@harmless
def _with_baggage_of(message: Any) -> Context | None:
    carried = baggage.get_all(headers.extract(headers.fold(message.headers)))
    context = baggage.clear()
    for key, value in carried.items():
        context = baggage.set_baggage(key, value, context)
    return context
