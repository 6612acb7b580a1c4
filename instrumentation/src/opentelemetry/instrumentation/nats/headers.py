"""Context in and out of NATS headers.

NATS keeps the case of header names and gives them no meaning, so a producer in
Go writes ``Traceparent`` where one in Python writes ``traceparent``.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanContext

from . import w3c

Headers = Mapping[str, Any]

# Senders are few, and so are the sets of names in their headers; where they are not, nothing is gained.
_MOST_SETS_OF_NAMES: Final = 256

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch


@lru_cache(_MOST_SETS_OF_NAMES)
def lower_case(names: tuple[str, ...]) -> Mapping[str, str]:
    """How each of *names* is spelled; of two that differ in case only, it is the lower-case one."""
    lower = {name.lower(): name for name in names}
    return lower | {name: name for name in names if name in lower}


class _AnyCase(Getter[Headers]):
    """Finds a header whatever the case of its name."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        name = lower_case(tuple(carrier)).get(key.lower())
        value = None if name is None else carrier[name]
        return None if value is None else [value]

    def keys(self, carrier: Headers) -> list[str]:
        return list(lower_case(tuple(carrier)))


_ANY_CASE: Final = _AnyCase()


def extract(given: Headers | None) -> tuple[Context, SpanContext]:
    """The context that a message with the headers *given* carries, and its sender's span.

    The context is empty and the span not valid where it carries none, or a
    malformed one. It starts from nothing: whatever is current here (the span in
    which the subscription was made, say) is none of the message's business.
    """
    if given and w3c.is_in_force():
        usual = w3c.extract(given, lower_case(tuple(given)))
        if usual is not None:
            return usual
    context = propagate.extract(given or {}, Context(), _ANY_CASE)
    return context, trace.get_current_span(context).get_span_context()


def inject(given: Headers | None, span: Span, around: Context, capitals: bool) -> Headers | None:
    """A copy of the headers *given* that carries *span* in the context *around*, and no other.

    None when there is nothing to carry. With *capitals* it does so twice, the
    second time with names as Go's ``HeaderCarrier`` looks for them.
    """
    carrier = w3c.inject(span, around) if w3c.is_in_force() else None
    if carrier is None:
        written: dict[str, str] = {}
        propagate.inject(written, trace.set_span_in_context(span, around))
        carrier = {name: value for name, value in written.items() if _is_sendable(name, value)}
        if not carrier:
            return None
    if given:
        lower = lower_case(tuple(given))
        for name in carrier:
            if name.lower() in lower:
                given = _without(given, carrier)
                break
    if capitals:
        carrier |= {name.title(): value for name, value in carrier.items()}
    return {**given, **carrier} if given else carrier


def _is_sendable(name: object, value: object) -> bool:
    """Whether NATS has such headers: a propagator may write others, and nats-py would refuse the message."""
    return (
        isinstance(name, str) and isinstance(value, str) and _NAME(name) is not None and value.isprintable()
    )


def _without(given: Headers, carrier: dict[str, str]) -> Headers:
    """*given* without what *carrier* has, whatever the case of the names."""
    replaced = {name.lower() for name in carrier}
    return {name: value for name, value in given.items() if name.lower() not in replaced}
