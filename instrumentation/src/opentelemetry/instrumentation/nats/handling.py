"""The handling of one message: its span, its context, how it was settled, how it ended."""

import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.util.types import AttributeValue

from . import attributes, headers, losing
from .connections import Connection, Operation
from .deliveries import Source
from .receiving import received
from .started import announce
from .telemetry import UNKNOWN, fail, harmless, name_of, refuse

UNSETTLED: Final = "unsettled"
_HANDLING: Final = "_opentelemetry_handling"


class Handling:
    """One CONSUMER span that links to the sender's span and is its child.

    The conventions ask for the link; the parent keeps a flow in one trace where
    each message is handled alone. *ambient* is the host's own span around the
    handling: it becomes a link too, because the sender takes its place as parent.
    """

    __slots__ = (
        "_begun",
        "_error",
        "_instruments",
        "_outcome",
        "_settles",
        "context",
        "ended",
        "operation",
        "recording",
        "source",
        "span",
    )

    def __init__(
        self, connected: Connection, message: Any, source: Source, ambient: SpanContext | None = None
    ) -> None:
        telemetry = connected.telemetry
        options = telemetry.options
        self._begun = time.perf_counter()
        self._instruments = telemetry.instruments
        self._outcome: str | None = None
        self._error: str | None = None
        self._settles = source.settles and attributes.is_from_stream(message.reply)
        self.ended = False
        self.source = source
        self.operation = operation = connected.taking("process", message.subject, source)
        # A call less for each message, unless the host wants its messages looked into.
        if options.flow_key is None:
            carried, origin = headers.extract(message.headers)
        else:
            carried, origin = received(telemetry, message)
        links = [Link(origin)] if origin.is_valid else []
        if ambient is not None and ambient.is_valid:
            links.append(Link(ambient))
        described = attributes.Deferred(_described, operation, message, carried, telemetry.baggage_keys)
        self.span = span = telemetry.tracer.start_span(
            operation.name, carried, SpanKind.CONSUMER, described, links
        )
        self.recording = span.is_recording()
        if self.recording:
            if source.dropped:
                losing.tell(span, source)
            if options.started:
                announce(telemetry, span, operation.template, described.found(), carried)
            if options.process_hook is not None:
                telemetry.call(options.process_hook, span, message)
        self.context: Context = trace.set_span_in_context(span, carried)
        # A dataclass of the host may refuse setattr.
        object.__setattr__(message, _HANDLING, self)

    def settled(self, how: str, details: Mapping[str, AttributeValue]) -> None:
        """Record that the message was settled; *how* is the verb."""
        if self.recording:
            self.span.add_event(how, details or None)
        if how != "in_progress":
            self._outcome = how
            if self.recording:
                self.span.set_attribute(attributes.OUTCOME, how)

    @harmless
    def failed(self, error: BaseException) -> None:
        """Record that the handling raised *error*."""
        self._error = name_of(error)
        fail(self.span, error)

    @harmless
    def refused(self, code: str, text: str, raised: BaseException | None = None) -> None:
        """Record that the handling answered with the error *code*, because of what it *raised*, if it did."""
        self._error = code or UNKNOWN
        if raised is not None and self.recording:
            self.span.record_exception(raised)
        refuse(self.span, code, text)

    @harmless
    def end(self, at: int | None = None) -> None:
        """End the span, *at* a time in nanoseconds or now; a message not settled by then is unsettled."""
        if self.ended:
            return
        self.ended = True
        if self._settles and self._outcome is None:
            self.span.set_attribute(attributes.OUTCOME, UNSETTLED)
        self.span.end(at)
        seconds = time.perf_counter() - self._begun
        self._instruments.processed(self.operation.group, seconds, self._error)

    def give_up(self) -> None:
        """Drop this span, and make no more for its source: another instrumentation traces it."""
        self.ended = True
        self.source.foreign = True


def _described(
    operation: Operation, message: Any, carried: Context, baggage_keys: tuple[str, ...]
) -> attributes.Attributes:
    """The initial attributes of the span that handles *message*."""
    found = {**operation.common, attributes.DESTINATION: message.subject}
    attributes.add_message(found, message)
    if baggage_keys:
        found |= attributes.of_baggage(carried, baggage_keys)
    return attributes.with_old_names(found) if operation.old_names else found


def handling_of(message: Any) -> Handling | None:
    """The latest handling of *message*, or None."""
    found = getattr(message, _HANDLING, None)
    return found if isinstance(found, Handling) else None
