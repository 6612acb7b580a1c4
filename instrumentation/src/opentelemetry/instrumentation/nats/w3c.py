"""A fast path for the common trace context and baggage in headers.

Most messages carry a ``traceparent`` of version 00, and a ``baggage`` of a few plain
words. If OpenTelemetry's default propagator is in force, these functions read and
write them with the same result in a third of the time. For anything else (another
propagator, a tracestate, an escaped or a malformed entry) they return None and
leave the work to the propagator.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_DEFAULT: Final = [TraceContextTextMapPropagator, W3CBaggagePropagator]
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"
_CAPITAL_TRACEPARENT: Final = TRACEPARENT.title()
_CAPITAL_BAGGAGE: Final = BAGGAGE.title()

_PARENT: Final = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch
_FLAGS: Final = {f"{flags:02x}": TraceFlags(flags) for flags in range(256)}
# Baggage that needs no escapes, and is too short to be near any of its limits.
_PLAIN: Final = re.compile("[0-9A-Za-z_.-]+").fullmatch
_PAIR: Final = re.compile("([0-9A-Za-z_.-]+)=([0-9A-Za-z_.-]+)").fullmatch
_MOST_PLAIN: Final = 256
_EMPTY: Final = Context()


class _Known:
    """The propagator last seen, and whether it is the default one: one tuple, so threads see a valid pair."""

    last: tuple[TextMapPropagator | None, bool] = (None, False)


def is_in_force() -> bool:
    """Whether the global propagator is the default one: trace context, then baggage, nothing else."""
    propagator = propagate.get_global_textmap()
    known, is_default = _Known.last
    if propagator is not known:
        is_default = _is_default(propagator)
        _Known.last = (propagator, is_default)
    return is_default


def _is_default(propagator: TextMapPropagator) -> bool:
    if type(propagator) is not CompositePropagator:
        return False
    # A plain composite holds its parts and nothing else; any other does its own work.
    held = list(vars(propagator).values())
    if len(held) != 1 or not isinstance(held[0], list | tuple):
        return False
    return [type(part) for part in held[0]] == _DEFAULT and not any(vars(part) for part in held[0])


def extract(given: Mapping[str, Any], lower: Mapping[str, str]) -> tuple[Context, SpanContext] | None:
    """The context in the headers *given*, and the span in it; *lower* maps lower-case names to spellings.

    None: the propagator must do it.
    """
    spelled = lower.get(TRACEPARENT)
    if spelled is None or TRACESTATE in lower:
        return None
    parent = given[spelled]
    parsed = _PARENT(parent) if isinstance(parent, str) else None
    if parsed is None:
        return None
    trace_id, span_id, flags = parsed.groups()
    span = SpanContext(int(trace_id, 16), int(span_id, 16), True, _FLAGS[flags])
    if not span.is_valid:
        return None
    context = _EMPTY
    spelled = lower.get(BAGGAGE)
    if spelled is not None:
        entries = given[spelled]
        if not isinstance(entries, str) or len(entries) > _MOST_PLAIN:
            return None
        for entry in entries.split(","):
            pair = _PAIR(entry)
            if pair is None:
                return None
            context = baggage.set_baggage(pair[1], pair[2], context)
    return trace.set_span_in_context(NonRecordingSpan(span), context), span


def inject(span: Span, around: Context, capitals: bool) -> dict[str, str] | None:
    """The headers that carry *span* and the baggage of *around*; None: the propagator must do it.

    With *capitals* each is written twice, the second time with a capital.
    """
    carried = span.get_span_context()
    if not carried.is_valid or carried.trace_state:
        return None
    # An f-string with format specifiers would take half as long again.
    parent = "00-%032x-%016x-%02x" % (carried.trace_id, carried.span_id, carried.trace_flags)  # noqa: UP031
    carrier = {TRACEPARENT: parent, _CAPITAL_TRACEPARENT: parent} if capitals else {TRACEPARENT: parent}
    if around:
        pairs = []
        for key, value in baggage.get_all(around).items():
            if not (isinstance(value, str) and _PLAIN(key) and _PLAIN(value)):
                return None
            pairs.append(f"{key}={value}")
        if pairs:
            entries = ",".join(pairs)
            if len(entries) > _MOST_PLAIN:
                return None
            carrier[BAGGAGE] = entries
            if capitals:
                carrier[_CAPITAL_BAGGAGE] = entries
    return carrier
