"""Baggage on every span: the flow key reaches the spans of a service that never heard of it."""

import weakref
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.trace import TracerProvider

from .telemetry import harmless

# A provider takes span processors and gives none back, so each gets one, which is told what to copy.
_processors: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()


@harmless
def copy_to_spans(provider: TracerProvider, keys: tuple[str, ...]) -> bool:
    """Put the baggage entries *keys* on every span of *provider* from now on; say whether it could be done.

    It can not where the provider is none of the SDK's, or not set yet.
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
    """Copy nothing any more."""
    for processor in _processors.values():
        processor.keys = ()


def _new_processor() -> Any:
    # The package needs the API only; who has a provider to add this to has the SDK.
    from opentelemetry.sdk.trace import SpanProcessor  # noqa: PLC0415

    class BaggageToAttributes(SpanProcessor):
        """Copies the baggage entries under `keys` to each span that begins."""

        keys: tuple[str, ...] = ()

        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            # Nothing is carried in a context that has nothing in it; None is the current one.
            if parent_context is not None and not parent_context:
                return
            for key in self.keys:
                value = baggage.get_baggage(key, parent_context)
                if value is not None:
                    span.set_attribute(key, str(value))

    return BaggageToAttributes()
