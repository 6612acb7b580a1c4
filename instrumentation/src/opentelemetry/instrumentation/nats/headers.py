"""Context in and out of NATS headers.

NATS keeps the case of header names and gives them no meaning, so a producer in
Go writes ``Traceparent`` where one in Python writes ``traceparent``.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter

Folded = dict[str, str]


def fold(headers: Mapping[str, Any] | None) -> Folded:
    """*headers* under lower-case names; of two that differ in case only, the lower-case one."""
    if not headers:
        return {}
    folded = {name.lower(): value for name, value in headers.items()}
    if len(folded) < len(headers):
        folded |= {name: headers[name] for name in folded if name in headers}
    return folded


class _FoldedGetter(Getter[Folded]):
    def get(self, carrier: Folded, key: str) -> list[str] | None:
        value = carrier.get(key.lower())
        return None if value is None else [value]

    def keys(self, carrier: Folded) -> list[str]:
        return list(carrier)


_GETTER = _FoldedGetter()


def extract(folded: Folded) -> Context:
    """The context that a message carries; an empty one when it carries none, or a malformed one.

    It starts from nothing: whatever is current here (the span in which the
    subscription was made, say) is none of the message's business.
    """
    return propagate.extract(folded, Context(), _GETTER)


def inject(headers: Mapping[str, Any] | None, context: Context, capitals: bool) -> dict[str, Any] | None:
    """A copy of *headers* that carries *context* and no other; None when there is nothing to carry.

    With *capitals* it does so twice, the second time with names as Go's
    ``HeaderCarrier`` looks for them.
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context)
    if not carrier:
        return None
    if capitals:
        carrier |= {name.title(): value for name, value in carrier.items()}
    if not headers:
        return carrier
    replaced = {name.lower() for name in carrier}
    if not replaced.isdisjoint(map(str.lower, headers)):
        headers = {name: value for name, value in headers.items() if name.lower() not in replaced}
    return {**headers, **carrier}
