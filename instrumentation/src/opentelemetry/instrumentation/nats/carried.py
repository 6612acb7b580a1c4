"""Baggage on every span: the flow key reaches all spans of a service, even of code that does not know it."""

import weakref
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import TracerProvider

from .attributes import of_baggage
from .telemetry import harmless

# A span processor cannot be removed from its provider, so each provider gets one whose keys can change.
_processors: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()


@harmless
def copy_to_spans(provider: TracerProvider, keys: tuple[str, ...]) -> bool:
    """Copy the baggage entries *keys* to every span of *provider* from now on; return whether that works.

    It does not if the provider is not the SDK's, or is not set yet.
    """
    if not keys and provider not in _processors:
        return False
    processor = _processors.get(provider)
    if processor is None:
        add: Any = getattr(provider, "add_span_processor", None)
        if add is None:
            return False
        processor = _new_processor()
        add(processor)
        _processors[provider] = processor
    processor.keys = keys
    return True


def forget() -> None:
    """Stop copying."""
    for processor in _processors.values():
        processor.keys = ()


def _new_processor() -> Any:
    # The package requires only the API; a provider that takes processors comes with the SDK.
    from opentelemetry.sdk.trace import SpanProcessor  # noqa: PLC0415

    class BaggageToAttributes(SpanProcessor):
        """Copies the baggage entries under `keys` to each span when it starts."""

        keys: tuple[str, ...] = ()

        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            # An empty context carries no baggage; None means the current context.
            if parent_context is not None and not parent_context:
                return
            for key, value in of_baggage(parent_context, self.keys).items():
                span.set_attribute(key, value)

    return BaggageToAttributes()
