"""`process`, `handles` and `process_batch`: precise handling spans, opened by the host."""

import functools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

from nats.aio.msg import Msg
from opentelemetry import baggage, trace
from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, SpanKind

from . import attributes, losing
from .batches import remember_batch
from .connections import connection
from .deliveries import origins, source_of
from .handling import Handling, handling_of
from .handover import Handover
from .receiving import received
from .started import announce
from .taking import common_template
from .telemetry import fail, harmless, name_of

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class _Handling(AbstractContextManager[T], AbstractAsyncContextManager[T], Generic[T]):
    """A span that is current inside the block and ends with the block's outcome."""

    span: Span = INVALID_SPAN

    def __init__(self) -> None:
        self._token: Any = None

    def _start(self) -> Context | None:
        """Start the span and return the context of the block; None if there is no span."""
        raise NotImplementedError

    def _target(self) -> T:
        """The value that ``as`` binds."""
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
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        """End the span; never raise."""
        raise NotImplementedError

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
        self._one: Handling | None = None

    @harmless
    def _start(self) -> Context | None:
        connected = connection(self._message._client)
        source = source_of(self._message)
        source.explicit = True
        if connected is None or source.foreign:
            return None
        guess = handling_of(self._message)
        if isinstance(guess, Handover) and not guess.ended and not guess.adopted:
            # One span per handling: the host takes over the guessed one.
            guess.adopt()
            if (around := _ambient()) is not None:
                guess.span.add_link(around)
            self._one = guess
        else:
            self._one = Handling(connected, self._message, source, _ambient())
        self.span = self._one.span
        return self._one.context

    def _end(self, error: BaseException | None) -> None:
        assert self._one is not None
        if error is not None:
            self._one.failed(error)
        self._one.end()

    def _target(self) -> Span:
        return self.span


class Batch:
    """The messages handled together inside `process_batch`."""

    def __init__(self, handling: "_BatchProcessing") -> None:
        self._handling = handling

    @property
    def span(self) -> Span:
        """The one span of the batch; an invalid span while nothing is instrumented."""
        return self._handling.span

    @contextmanager
    def handling(self, message: Any) -> Iterator[None]:
        """Work on one *message* of the batch: anything published here carries its baggage.

        The batch's span stays current: a part of the work has no span of its own.
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
        # Bypasses the iterator of `HandedOver`, which would hand over each message.
        self._messages = list(list.__iter__(messages) if isinstance(messages, list) else messages)

    @harmless
    def _start(self) -> Context | None:
        if not self._messages:
            return None
        first = self._messages[0]
        connected = connection(first._client)
        source = source_of(first)
        for message in self._messages:
            source_of(message).explicit = True
            guess = handling_of(message)
            if isinstance(guess, Handover) and not guess.ended:
                # The host looked at the message before, but handles it here.
                guess.withdraw()
        if connected is None or source.foreign:
            return None
        telemetry = connected.telemetry
        subjects = {message.subject for message in self._messages}
        template = common_template(telemetry, source, self._messages)
        operation = connected.taking_many("process", template, source)
        described = {
            **operation.common,
            attributes.BATCH_COUNT: len(self._messages),
        }
        if len(subjects) == 1:
            described[attributes.DESTINATION] = first.subject
        delivered = attributes.of_delivery(first.reply) if first.reply else {}
        described |= {
            key: delivered[key] for key in (attributes.STREAM, attributes.CONSUMER) if key in delivered
        }
        links = origins(self._messages, telemetry)
        self.span = telemetry.tracer.start_span(
            operation.name,
            context=Context(),
            kind=SpanKind.CONSUMER,
            attributes=attributes.with_old_names(described) if telemetry.options.old_names else described,
            links=links,
        )
        losing.tell(self.span, source)
        for message in self._messages:
            remember_batch(message, self.span)
        if telemetry.options.started:
            announce(telemetry, self.span, template, described, Context(), links)
        self._group = operation.group
        self._instruments = telemetry.instruments
        self._begun = time.perf_counter()
        return trace.set_span_in_context(self.span, Context())

    @harmless
    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            fail(self.span, error)
        self.span.end()
        seconds = time.perf_counter() - self._begun
        self._instruments.processed(self._group, seconds, None if error is None else name_of(error))

    def _target(self) -> Batch:
        return Batch(self)


def process(message: Any) -> _Handling[Span]:
    """Mark the handling of one message: put ``async with`` around the code that handles *message*.

    Inside the block the message's span (bound by ``as``) is current, so anything
    published there is caused by the message. An exception ends the span with an
    error and propagates unchanged. ``with`` works too, as do messages from any
    kind of subscription. Does nothing while nothing is instrumented.
    """
    return _Processing(message)


def handles(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Decorate a coroutine function that handles a message: each call runs in a `process` block.

    The message is the first ``Msg`` among the arguments; a call without one is
    not traced.
    """

    @functools.wraps(function)
    async def handling(*args: P.args, **kwargs: P.kwargs) -> R:
        message = next((given for given in (*args, *kwargs.values()) if isinstance(given, Msg)), None)
        if message is None:
            return await function(*args, **kwargs)
        async with process(message):
            return await function(*args, **kwargs)

    return handling


def process_batch(messages: Sequence[Any]) -> _Handling[Batch]:
    """Mark the handling of many messages at once: ``async with`` binds a `Batch`.

    One span in a trace of its own, with a link to each message; wrap the work
    on one of them in ``with batch.handling(message):``.
    """
    return _BatchProcessing(messages)


def _ambient() -> SpanContext | None:
    """The host's own span around the handling, for a link: its parent is the sender."""
    span = trace.get_current_span().get_span_context()
    return span if span.is_valid else None


@harmless
def _with_baggage_of(message: Any) -> Context | None:
    connected = connection(message._client)
    if connected is None:
        return None
    carried = baggage.get_all(received(connected.telemetry, message)[0])
    context = baggage.clear()
    for key, value in carried.items():
        context = baggage.set_baggage(key, value, context)
    return context
