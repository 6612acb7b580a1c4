"""FastStream: where its own telemetry traces the handling, this package does not.

Its middleware runs inside the callback, or after the fetch, that this package
sees first. A handling that reaches the middleware is therefore withdrawn, and
its subscription is left to FastStream.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from opentelemetry.instrumentation.utils import unwrap
from wrapt import when_imported, wrap_function_wrapper

from .deliveries import source_of
from .handling import Handling, handling_of
from .telemetry import harmless

_MODULE: Final = "faststream.opentelemetry.middleware"
_CLASS: Final = "BaseTelemetryMiddleware"


class _State:
    wanted = False
    asked = False


def step_back() -> None:
    """Leave messages to FastStream's telemetry, from now on or from its import on."""
    _State.wanted = True
    if not _State.asked:
        _State.asked = True
        when_imported(_MODULE)(_wrap)
    elif _MODULE in sys.modules:
        _wrap(sys.modules[_MODULE])


def forget() -> None:
    """Stop watching FastStream's telemetry."""
    _State.wanted = False
    if _MODULE in sys.modules:
        unwrap(getattr(sys.modules[_MODULE], _CLASS), "consume_scope")


@harmless
def takes_over(callback: Any) -> bool:
    """Whether *callback* belongs to FastStream with its telemetry on."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return False
    middlewares = getattr(getattr(callback, "__self__", None), "_broker_middlewares", ())
    return any(isinstance(middleware, module.TelemetryMiddleware) for middleware in middlewares)


def _wrap(module: Any) -> None:
    if _State.wanted and not hasattr(getattr(module, _CLASS).consume_scope, "__wrapped__"):
        wrap_function_wrapper(module, f"{_CLASS}.consume_scope", _consume_scope)


async def _consume_scope(
    wrapped: Callable[..., Awaitable[Any]], _middleware: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    _withdraw(args[1] if len(args) > 1 else kwargs.get("msg"))
    return await wrapped(*args, **kwargs)


@harmless
def _withdraw(framed: Any) -> None:
    raw = getattr(framed, "raw_message", None)
    for message in raw if isinstance(raw, list | tuple) else (raw,):
        if hasattr(message, "_sid"):
            source_of(message).foreign = True
            handling = handling_of(message)
            if isinstance(handling, Handling) and not handling.ended:
                handling.give_up()
