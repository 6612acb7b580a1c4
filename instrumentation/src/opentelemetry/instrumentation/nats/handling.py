"""The handling of one message: its span, its context, how it was settled, how it ended."""

import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.util.types import AttributeValue

from . import attributes, headers
from .connections import Connection, connection
from .deliveries import Source
from .started import announce
from .telemetry import Telemetry, fail, harmless, name_of

UNSETTLED: Final = "unsettled"
_HANDLING: Final = "_opentelemetry_handling"


class Handling:
    """One CONSUMER span, with a link and a parent to the one that sent the message.

    The link is what the conventions ask for; the parent keeps the whole of a
    flow in one trace where each message is handled by itself. *ambient* is the
    span in which the host took the message, which a parent must not hide.
    """

    __slots__ = (
        "_begun",
        "_error",
        "_outcome",
        "_telemetry",
        "connection",
        "context",
        "ended",
        "from_stream",
        "group",
        "origin",
        "source",
        "span",
        "template",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        message: Any,
        source: Source,
        ambient: SpanContext | None = None,
        connected: Connection | None = None,
    ) -> None:
        self._telemetry = telemetry
        self.source = source
        self.ended = False
        self._outcome: str | None = None
        self._error: str | None = None
        self._begun = time.perf_counter()
        reply = message.reply
        self.from_stream = source.settles and attributes.is_from_stream(reply)
        folded = headers.fold(message.headers)
        carried = headers.extract(folded) if folded else Context()
        origin = trace.get_current_span(carried).get_span_context()
        self.origin = origin if origin.is_valid else None
        links = [Link(span) for span in (self.origin, ambient) if span is not None]
        self.template = template = source.template(message.subject, telemetry.template)
        self.connection = connected or connection(message._client, telemetry)
        self.group = group = source.described(self.connection, "process", template)
        described: attributes.Attributes = {**group, attributes.DESTINATION: message.subject}
        self.span = span = telemetry.tracer.start_span(
            f"process {template}",
            context=carried,
            kind=SpanKind.CONSUMER,
            attributes=attributes.with_old_names(described) if telemetry.options.old_names else described,
            links=links,
        )
        if span.is_recording():
            more = attributes.of_message(message, folded)
            more |= self.connection.client_id
            if telemetry.baggage_keys:
                more |= attributes.of_baggage(carried, telemetry.baggage_keys)
            span.set_attributes(attributes.with_old_names(more) if telemetry.options.old_names else more)
            if telemetry.options.started:
                announce(telemetry, span, template, {**described, **more}, carried)
            telemetry.call(telemetry.options.process_hook, span, message)
        self.context: Context = trace.set_span_in_context(span, carried)
        # Not through setattr: a dataclass of the host's may refuse it, its dict does not.
        message.__dict__[_HANDLING] = self

    @harmless
    def settled(self, how: str, details: Mapping[str, AttributeValue], error: BaseException | None) -> None:
        """The message was settled, or could not be; *how* is the verb."""
        event = dict(details)
        if error is not None:
            event["error.type"] = name_of(error)
        self.span.add_event(how, event)
        if error is None and how != "in_progress":
            self._outcome = how
            self.span.set_attribute(attributes.OUTCOME, how)

    @harmless
    def failed(self, error: BaseException) -> None:
        """The handling raised *error*."""
        self._error = name_of(error)
        fail(self.span, error)

    @harmless
    def end(self, at: int | None = None) -> None:
        """End the span, *at* a time in nanoseconds or now; what is not settled by then is said to be so."""
        if self.ended:
            return
        self.ended = True
        if self.from_stream and self._outcome is None:
            self.span.set_attribute(attributes.OUTCOME, UNSETTLED)
        self.span.end(at)
        seconds = time.perf_counter() - self._begun
        self._telemetry.instruments.processed(self.group, seconds, self._error)

    def give_up(self) -> None:
        """Another instrumentation has a span for this message: forget ours, and make no more."""
        self.ended = True
        self.source.foreign = True


def handling_of(message: Any) -> Handling | None:
    """The latest handling of *message*."""
    found = message.__dict__.get(_HANDLING)
    return found if isinstance(found, Handling) else None
