"""Inject context into NATS headers, and extract it.

NATS preserves the case of header names and gives them no meaning, so a producer
in Go writes ``Traceparent`` where one in Python writes ``traceparent``.
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

# Few senders means few sets of header names; with many, the cache merely does not help.
_MOST_SETS_OF_NAMES: Final = 256

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch


@lru_cache(_MOST_SETS_OF_NAMES)
def lower_case(names: tuple[str, ...]) -> Mapping[str, str]:
    """The spelling of each of *names*, by lower-case name; if two differ only in case, lower case wins."""
    lower = {name.lower(): name for name in names}
    return lower | {name: name for name in names if name in lower}


class _AnyCase(Getter[Headers]):
    """Finds a header in any case."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        name = lower_case(tuple(carrier)).get(key.lower())
        value = None if name is None else carrier[name]
        return None if value is None else [value]

    def keys(self, carrier: Headers) -> list[str]:
        return list(lower_case(tuple(carrier)))


_ANY_CASE: Final = _AnyCase()


def extract(given: Headers | None) -> tuple[Context, SpanContext]:
    """The context that the headers *given* carry, and the sender's span context.

    Without a context, or with a malformed one, the first is empty and the second
    invalid. Extraction starts from an empty context: the current one (such as the
    span in which the subscription was made) has nothing to do with the message.
    """
    if given and w3c.is_in_force():
        usual = w3c.extract(given, lower_case(tuple(given)))
        if usual is not None:
            return usual
    context = propagate.extract(given or {}, Context(), _ANY_CASE)
    return context, trace.get_current_span(context).get_span_context()


def inject(given: Headers | None, span: Span, around: Context, capitals: bool) -> Headers | None:
    """A copy of the headers *given* that carries *span* in the context *around*, and no other context.

    None when there is nothing to carry. With *capitals* the context is written
    twice, the second time under the names that Go's ``HeaderCarrier`` looks for.
    """
    carrier = w3c.inject(span, around, capitals) if w3c.is_in_force() else None
    if carrier is None:
        written: dict[str, str] = {}
        propagate.inject(written, trace.set_span_in_context(span, around))
        carrier = {name: value for name, value in written.items() if _is_sendable(name, value)}
        if not carrier:
            return None
        if capitals:
            carrier |= {name.title(): value for name, value in carrier.items()}
    if not given:
        return carrier
    if _overlap(tuple(given), tuple(carrier)):
        given = _without(given, carrier)
    return {**given, **carrier}


@lru_cache(_MOST_SETS_OF_NAMES)
def _overlap(given: tuple[str, ...], written: tuple[str, ...]) -> bool:
    """Whether a header that is to be *written* is among those *given*, in any case."""
    return not {name.lower() for name in written}.isdisjoint(lower_case(given))


def _is_sendable(name: object, value: object) -> bool:
    """Whether NATS allows this header: a propagator may write others, and nats-py refuses such a message."""
    return (
        isinstance(name, str) and isinstance(value, str) and _NAME(name) is not None and value.isprintable()
    )


def _without(given: Headers, carrier: dict[str, str]) -> Headers:
    """*given* without the headers in *carrier*, in any case."""
    replaced = {name.lower() for name in carrier}
    return {name: value for name, value in given.items() if name.lower() not in replaced}
