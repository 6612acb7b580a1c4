"""Traces and metrics for plain nats-py services: every message published or handled becomes a span.

    from opentelemetry.instrumentation.nats import NatsInstrumentor

    NatsInstrumentor().instrument()

Publishing injects the current context and baggage into the message's headers.
Handling runs in a span that links to the sender's span and is its child.
A host that fetches messages itself can use `process`, `handles` and
`process_batch` to mark exactly which code handles which message.
"""

import os
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription, _SubscriptionMessageIterator
from nats.errors import SlowConsumerError
from nats.js.client import JetStreamContext
from opentelemetry import metrics, trace

# The module opts out of type checking as a whole, and hides its names with that.
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from . import (
    attributes,
    callbacks,
    carried,
    faststream,
    losing,
    publishing,
    services,
    settling,
    taking,
    telemetry,
    wrapping,
)
from .instruments import Instruments
from .package import _instruments
from .processing import Batch, handles, process, process_batch
from .telemetry import FlowKeyFinder, Options, ProcessHook, RequestHook, ResponseHook
from .version import __version__

__all__ = ["Batch", "NatsInstrumentor", "handles", "process", "process_batch"]

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

_STABILITY: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
_BAGGAGE_KEYS: Final = "OTEL_PYTHON_NATS_BAGGAGE_KEYS"
_CAPITALS: Final = "OTEL_PYTHON_NATS_CAPITAL_HEADERS"
_FLOW_KEY: Final = "OTEL_PYTHON_NATS_FLOW_KEY"
_STARTED: Final = "OTEL_PYTHON_NATS_STARTED"
_STORES: Final = "OTEL_PYTHON_NATS_STORES"

_HOOKS: Final[tuple[tuple[type, str, Any], ...]] = (
    (Client, "request", publishing.request),
    (Client, "subscribe", callbacks.subscribe),
    (Subscription, "next_msg", taking.next_msg),
    (_SubscriptionMessageIterator, "__anext__", taking.next_of_iterator),
    (JetStreamContext, "publish", publishing.publish_to_stream),
    (JetStreamContext, "publish_async", publishing.publish_async),
    (JetStreamContext, "pull_subscribe", taking.pull_subscribe),
    (JetStreamContext.PullSubscription, "fetch", taking.fetch),
)
# Every message passes through these, so they are spared the cost of wrapt.
_IN_PLACE: Final[tuple[tuple[type, str, Any], ...]] = (
    (Client, "publish", publishing.publish),
    (Msg, "ack", settling.settle),
    (Msg, "ack_sync", settling.settle),
    (Msg, "nak", settling.settle),
    (Msg, "term", settling.settle),
    (Msg, "in_progress", settling.settle),
    (SlowConsumerError, "__init__", losing.count),
)


class _Wrapped:
    """Whether nats-py is wrapped, and for what: the whole process, single clients, or both."""

    def __init__(self) -> None:
        self.hooks = False
        self.process = False
        self.clients: weakref.WeakSet[Client] = weakref.WeakSet()


_wrapped = _Wrapped()


class NatsInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments nats-py: the whole process with `instrument`, one connection with `instrument_client`."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the supported versions of nats-py, as requirement strings."""
        return _instruments

    def _instrument(self, **options: Any) -> None:
        """Wrap nats-py for every client of the process; takes the options of `instrument_client`."""
        telemetry.use(_telemetry(**options))
        _wrapped.process = True
        _wrap()

    def _uninstrument(self, **_: Any) -> None:
        telemetry.use(None)
        _wrapped.process = False
        _unwrap_unless_needed()

    @staticmethod
    def instrument_client(
        client: Client,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        baggage_keys: Sequence[str] | None = None,
        flow_key: str | Sequence[str] | FlowKeyFinder | None = None,
        destination_template: Callable[[str], str | None] | None = None,
        stores: bool | None = None,
        started: bool | None = None,
        capital_headers: bool | None = None,
        request_hook: RequestHook | None = None,
        response_hook: ResponseHook | None = None,
        process_hook: ProcessHook | None = None,
    ) -> None:
        """Instrument one connection, including the subscriptions it already has.

        Its options apply whether or not the process is instrumented.

        *tracer_provider*, *meter_provider*: default to the global ones.
        *baggage_keys*: the baggage entries that become attributes of every span
        of the tracer provider, and of a batch's links; default ``("order.id",)``.
        *flow_key*: where messages themselves name their flow, the first that has one:
        paths into JSON (``order.id``), ``header:<name>``, ``ce-subject``, ``subject:<n>``;
        or a function of subject, payload and headers. It becomes ``order.id`` in
        spans and in the baggage of what follows; default: messages are not looked into.
        *destination_template*: maps a subject to one without ids
        (``orders.A-17.placed`` to ``orders.*.placed``), or to None to use the
        package's own rule, which replaces tokens that look like ids.
        *stores*: whether key-value and object stores count as messages; default no.
        *started*: whether to announce each handling when it begins, so that one
        that never ends can be told from one that never began; default no.
        *capital_headers*: whether to send context under names such as ``Traceparent``
        too, the only ones that Go's ``propagation.HeaderCarrier`` finds; default yes.
        NATS.Net finds no context in such messages: say no where such services listen.
        *request_hook* is called with ``(span, subject, payload, headers)`` before
        a message is sent, *response_hook* with ``(span, answer)`` when a request
        has its reply or a stream has acknowledged, *process_hook* with
        ``(span, message)`` before a message is handled. A hook that raises is
        logged once.
        """
        made = _telemetry(
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            baggage_keys=baggage_keys,
            flow_key=flow_key,
            destination_template=destination_template,
            stores=stores,
            started=started,
            capital_headers=capital_headers,
            request_hook=request_hook,
            response_hook=response_hook,
            process_hook=process_hook,
        )
        telemetry.use_for(client, made)
        _wrapped.clients.add(client)
        _wrap()
        callbacks.instrument_subscriptions(client)

    @staticmethod
    def uninstrument_client(client: Client) -> None:
        """Make no more spans for *client*, even if the process is instrumented."""
        telemetry.use_for(client, None)
        callbacks.restore_subscriptions(client)
        _wrapped.clients.discard(client)
        _unwrap_unless_needed()


def _telemetry(
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    baggage_keys: Sequence[str] | None = None,
    flow_key: str | Sequence[str] | FlowKeyFinder | None = None,
    destination_template: Callable[[str], str | None] | None = None,
    stores: bool | None = None,
    started: bool | None = None,
    capital_headers: bool | None = None,
    request_hook: RequestHook | None = None,
    response_hook: ResponseHook | None = None,
    process_hook: ProcessHook | None = None,
    **_: Any,
) -> telemetry.Telemetry:
    """The telemetry for these options; the environment decides those that are not given."""
    if baggage_keys is None:
        named = os.environ.get(_BAGGAGE_KEYS, "order.id").split(",")
        baggage_keys = [key.strip() for key in named if key.strip()]
    elif isinstance(baggage_keys, str):
        baggage_keys = (baggage_keys,)
    found = flow_key if flow_key is not None else os.environ.get(_FLOW_KEY)
    finder = _finder(found) if found else None
    if finder is not None and attributes.FLOW_KEY not in baggage_keys:
        baggage_keys = (*baggage_keys, attributes.FLOW_KEY)
    options = Options(
        baggage_keys=tuple(baggage_keys),
        template=destination_template,
        stores=_is_set(_STORES) if stores is None else stores,
        started=_is_set(_STARTED) if started is None else started,
        capitals=_is_set(_CAPITALS, "true") if capital_headers is None else capital_headers,
        flow_key=finder,
        old_names="messaging/dup" in [word.strip() for word in os.environ.get(_STABILITY, "").split(",")],
        request_hook=request_hook,
        response_hook=response_hook,
        process_hook=process_hook,
    )
    tracer = trace.get_tracer(__name__, __version__, tracer_provider, SCHEMA_URL)
    meter = metrics.get_meter(__name__, __version__, meter_provider, SCHEMA_URL)
    made = telemetry.Telemetry(tracer, Instruments(meter), options)
    if carried.copy_to_spans(tracer_provider or trace.get_tracer_provider(), options.baggage_keys):
        made.baggage_keys = ()
    return made


@telemetry.harmless
def _finder(wanted: str | Sequence[str] | FlowKeyFinder) -> FlowKeyFinder | None:
    # Only hosts that ask for it load a parser.
    from .flow_key import flow_key_of  # noqa: PLC0415

    return flow_key_of(wanted)


def _is_set(variable: str, otherwise: str = "") -> bool:
    return (os.environ.get(variable, "").strip() or otherwise).lower() in ("1", "true", "yes", "on")


def _wrap() -> None:
    if not _wrapped.hooks:
        _wrapped.hooks = True
        for owner, name, hook in _HOOKS:
            wrapping.hook_in(owner, name, hook)
        for owner, name, make in _IN_PLACE:
            wrapping.put_around(owner, name, make)
        faststream.step_back()
        services.watch()


def _unwrap_unless_needed() -> None:
    if _wrapped.hooks and not _wrapped.process and not _wrapped.clients:
        _wrapped.hooks = False
        for owner, name, hook in _HOOKS:
            wrapping.hook_out(owner, name, hook)
        for owner, name, _make in _IN_PLACE:
            wrapping.put_back(owner, name)
        faststream.forget()
        services.forget()
        carried.forget()
