"""What is in force for a connection: tracer, instruments, options; and the promise never to harm the host."""

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

RequestHook = Callable[[Span, str, bytes, "Mapping[str, str] | None"], None]
ResponseHook = Callable[[Span, Any], None]
ProcessHook = Callable[[Span, Any], None]

# Where a client keeps the telemetry of its own; None silences it.
_OWN: Final = "_opentelemetry_telemetry"


@dataclass(frozen=True)
class Options:
    """What one `instrument()` was asked for; see `NatsInstrumentor.instrument`."""

    baggage_keys: tuple[str, ...] = ()
    template: Callable[[str], str | None] | None = None
    stores: bool = False
    started: bool = False
    old_names: bool = False
    capitals: bool = False
    request_hook: RequestHook | None = None
    response_hook: ResponseHook | None = None
    process_hook: ProcessHook | None = None


class Telemetry:
    """What every hook needs to make spans.

    Subscriptions outlive `uninstrument()`, so their handlers ask for the
    telemetry in force each time and fall silent by themselves.
    """

    def __init__(self, tracer: Tracer, instruments: Instruments, options: Options) -> None:
        self.tracer = tracer
        self.instruments = instruments
        self.options = options
        # Set by whoever puts baggage on all spans of the provider, so that it is not done twice.
        self.baggage_keys = options.baggage_keys
        # By identity: a hook may be an object that has no hash, as a dataclass has none.
        self._told: set[int] = set()

    def template(self, subject: str) -> str:
        """*subject* without what changes from message to message, to name spans and group metrics by."""
        if self.options.template is not None:
            try:
                return self.options.template(subject) or templates.template(subject)
            except Exception:
                self._tell(self.options.template, "the template function")
        return templates.template(subject)

    def call(self, hook: Callable[..., None] | None, span: Span, *details: Any) -> None:
        """Call the host's *hook*, if there is one and it has a span to write on."""
        if hook is None or not span.is_recording():
            return
        try:
            hook(span, *details)
        except Exception:
            self._tell(hook, "a hook")

    def _tell(self, failed: object, what: str) -> None:
        if id(failed) not in self._told:
            self._told.add(id(failed))
            _log.warning("%s failed: %r; messages go on without it", what, failed, exc_info=True)


class _Current:
    telemetry: Telemetry | None = None


def of(client: Any) -> Telemetry | None:
    """The telemetry in force for *client* where spans are wanted, else None."""
    found: Telemetry | None = client.__dict__.get(_OWN, _Current.telemetry)
    if found is None:
        return None
    # Nothing is suppressed in a context in which nothing is said, and most messages are met in such.
    return found if not contexts.get_current() or is_instrumentation_enabled() else None


def use(telemetry: Telemetry | None) -> None:
    """Put *telemetry* in force for every client that has none of its own."""
    _Current.telemetry = telemetry


def use_for(client: Any, telemetry: Telemetry | None) -> None:
    """Put *telemetry* in force for one *client*; None silences it."""
    client.__dict__[_OWN] = telemetry


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


def name_of(error: BaseException) -> str:
    """The error's class, as ``error.type`` has it."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


@harmless
def fail(span: Span, error: BaseException) -> None:
    """Say on *span* that it ended in *error*."""
    if not span.is_recording():
        return
    name = name_of(error)
    span.set_attribute("error.type", name)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, f"{name}: {error}"))
