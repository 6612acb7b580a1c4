"""The tracer, instruments and options of a connection, and the guard that keeps failures from the host."""

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from opentelemetry import context as contexts
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from . import templates
from .instruments import Instruments

_log = logging.getLogger("opentelemetry.instrumentation.nats")

P = ParamSpec("P")
R = TypeVar("R")

FlowKeyFinder = Callable[[str, Any, "Mapping[str, Any] | None"], str | None]
RequestHook = Callable[[Span, str, bytes, "Mapping[str, str] | None"], None]
ResponseHook = Callable[[Span, Any], None]
ProcessHook = Callable[[Span, Any], None]

# The conventions' word for an error of no known type.
UNKNOWN: Final = "_OTHER"

# Where a client keeps its own telemetry; None turns tracing off for it.
_OWN: Final = "_opentelemetry_telemetry"


@dataclass(frozen=True)
class Options:
    """The options of one `instrument()` call; see `NatsInstrumentor.instrument_client`."""

    baggage_keys: tuple[str, ...] = ()
    template: Callable[[str], str | None] | None = None
    stores: bool = False
    started: bool = False
    old_names: bool = False
    capitals: bool = True
    flow_key: FlowKeyFinder | None = None
    request_hook: RequestHook | None = None
    response_hook: ResponseHook | None = None
    process_hook: ProcessHook | None = None


class Telemetry:
    """What every hook needs to make spans.

    Subscriptions outlive `uninstrument()`: their handlers look up the telemetry
    in force for each message, and stop tracing when there is none.
    """

    def __init__(self, tracer: Tracer, instruments: Instruments, options: Options) -> None:
        self.tracer = tracer
        self.instruments = instruments
        self.options = options
        # Cleared when a span processor copies the baggage to all spans, so that it is not copied twice.
        self.baggage_keys = options.baggage_keys
        # By identity: a hook may be unhashable, as a dataclass is.
        self._logged: set[int] = set()

    def template(self, subject: str) -> str:
        """*subject* without the parts that vary between messages, for span names and metric groups."""
        if self.options.template is not None:
            try:
                return self.options.template(subject) or templates.template(subject)
            except Exception:
                self._log_once(self.options.template, "the template function")
        return templates.template(subject)

    def call(self, hook: Callable[..., None] | None, span: Span, *details: Any) -> None:
        """Call the host's *hook*, if there is one and *span* is recording."""
        if hook is None or not span.is_recording():
            return
        try:
            hook(span, *details)
        except Exception:
            self._log_once(hook, "a hook")

    def _log_once(self, failed: object, what: str) -> None:
        if id(failed) not in self._logged:
            self._logged.add(id(failed))
            _log.warning("%s failed: %r; messages go on without it", what, failed, exc_info=True)


class _Current:
    telemetry: Telemetry | None = None


def of(client: Any) -> Telemetry | None:
    """The telemetry in force for *client*, or None if no spans are wanted."""
    found: Telemetry | None = client.__dict__.get(_OWN, _Current.telemetry)
    if found is None:
        return None
    # An empty context cannot suppress anything, and most messages are handled in one.
    return found if not contexts.get_current() or is_instrumentation_enabled() else None


def use(telemetry: Telemetry | None) -> None:
    """Set the *telemetry* of every client that has none of its own."""
    _Current.telemetry = telemetry


def use_for(client: Any, telemetry: Telemetry | None) -> None:
    """Set the *telemetry* of one *client*; None turns tracing off for it."""
    client.__dict__[_OWN] = telemetry


def harmless(function: Callable[P, R]) -> Callable[P, R | None]:
    """Make *function* return None where it would raise: tracing must not break the host.

    The first failure of each function is logged with its traceback. Later ones
    are not: they would come with every message.
    """
    logged: list[bool] = []

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:
            if not logged:
                logged.append(True)
                _log.warning("%s failed; messages go on without it", function.__qualname__, exc_info=True)
            return None

    return guarded


def name_of(error: BaseException) -> str:
    """The name of the error's class, for ``error.type``."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def warn(text: str, *details: object) -> None:
    """Log that an option cannot be used."""
    _log.warning(text, *details)


@harmless
def refuse(span: Span, code: str, text: str) -> None:
    """Record on *span* that it ended in the error *code* of a service, which says *text*."""
    if span.is_recording():
        span.set_attribute("error.type", code or UNKNOWN)
        span.set_status(Status(StatusCode.ERROR, f"{code}: {text}" if code else text))


@harmless
def fail(span: Span, error: BaseException) -> None:
    """Record on *span* that it ended in *error*."""
    if not span.is_recording():
        return
    name = name_of(error)
    span.set_attribute("error.type", name)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, f"{name}: {error}"))
