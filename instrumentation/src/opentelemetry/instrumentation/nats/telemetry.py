"""The tracer and the options of one `instrument()`, and the promise never to harm the host."""

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import Span, Status, StatusCode, Tracer

_log = logging.getLogger("opentelemetry.instrumentation.nats")

P = ParamSpec("P")
R = TypeVar("R")


class Telemetry:
    """What every hook needs to make spans.

    Subscriptions outlive `uninstrument()`, so their handlers ask `enabled`
    each time and fall silent by themselves.
    """

    def __init__(self, tracer: Tracer, baggage_keys: tuple[str, ...]) -> None:
        self.tracer = tracer
        self.baggage_keys = baggage_keys
        self.live = True

    @property
    def enabled(self) -> bool:
        """Whether a span is wanted here and now."""
        return self.live and is_instrumentation_enabled()


class _Current:
    telemetry: Telemetry | None = None


def current() -> Telemetry | None:
    """The telemetry in force where spans are wanted, else None."""
    telemetry = _Current.telemetry
    return telemetry if telemetry is not None and telemetry.enabled else None


def use(telemetry: Telemetry | None) -> None:
    """Put *telemetry* in force, and silence the one before it."""
    if _Current.telemetry is not None:
        _Current.telemetry.live = False
    _Current.telemetry = telemetry


def harmless(function: Callable[P, R]) -> Callable[P, R | None]:
    """Make *function* give None where it fails: a host must not fail for our sake.

    The first failure of each function is logged with its traceback, the
    following ones are not: they would come with every message.
    """
    told: list[bool] = []

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:
            if not told:
                told.append(True)
                _log.warning("%s failed; messages go on without it", function.__qualname__, exc_info=True)
            return None

    return guarded


@harmless
def fail(span: Span, error: BaseException) -> None:
    """Say on *span* that it ended in *error*."""
    if not span.is_recording():
        return
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    span.set_attribute("error.type", name)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, f"{name}: {error}"))
