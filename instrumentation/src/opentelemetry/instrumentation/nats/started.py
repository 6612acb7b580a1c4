"""Word that a handling has begun: its own span is sent only when it has ended, and may never be."""

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
    """Send a span of no length that links to the span of *handling*, and then to *origins*.

    It has what the handling's span has, but for the operation's type: it is no
    operation on a message, and must not be counted as a handling of its own.
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
