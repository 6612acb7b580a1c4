"""Which batch does a message belong to?"""

from typing import Any, Final

from opentelemetry.trace import Span

_BATCH: Final = "_opentelemetry_batch"


def remember_batch(message: Any, span: Span) -> None:
    """Attach the *span* of the batch that handles *message* to it."""
    message.__dict__[_BATCH] = span


def batch_of(message: Any) -> Span | None:
    """The span of the latest batch that handled *message*, or None."""
    found = message.__dict__.get(_BATCH)
    return found if isinstance(found, Span) else None
