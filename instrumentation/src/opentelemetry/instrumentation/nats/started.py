"""Announce that a handling has begun: its own span is sent only when it ends, which may never happen."""

import time
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind

from . import attributes
from .telemetry import Telemetry, harmless


@harmless
def announce(
    telemetry: Telemetry,
    handling: Span,
    template: str | None,
    described: attributes.Attributes,
    context: Context,
    origins: Sequence[Link] = (),
) -> None:
    """Send a span of zero length that links to the span of *handling*, then to *origins*.

    It has the attributes of the handling's span except the operation type: it is
    not an operation on a message, and must not be counted as a handling.
    """
    said = {**described, attributes.OPERATION_NAME: "started"}
    said.pop(attributes.OPERATION_TYPE, None)
    said.pop(attributes.OLD_OPERATION, None)
    now = time.time_ns()
    telemetry.tracer.start_span(
        "started" if template is None else f"started {template}",
        context=context,
        kind=SpanKind.INTERNAL,
        attributes=said,
        links=[Link(handling.get_span_context()), *origins],
        start_time=now,
    ).end(now)
