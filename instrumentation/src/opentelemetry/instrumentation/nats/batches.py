"""Which batch is a message a part of?"""

from typing import Any, Final

from opentelemetry.trace import Span

_BATCH: Final = "_opentelemetry_batch"


def remember_batch(message: Any, span: Span) -> None:
    """Keep with *message* the *span* of the batch that it is handled in."""
    message.__dict__[_BATCH] = span


def batch_of(message: Any) -> Span | None:
    """The span of the latest batch that *message* was handled in."""
    found = message.__dict__.get(_BATCH)
    return found if isinstance(found, Span) else None
