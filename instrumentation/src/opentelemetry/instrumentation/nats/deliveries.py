"""Handling: one CONSUMER span for each message, with a link and a parent to the one that sent it."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind

from . import attributes, headers
from .subjects import is_internal, matches
from .telemetry import Telemetry, current, fail, harmless

_SOURCE: Final = "_opentelemetry_source"
_SPAN: Final = "_opentelemetry_span"


@dataclass
class Source:
    """Where messages come from: the subscription's subjects, and who shares its messages.

    `explicit` turns true with the first message that the host opens a span for
    itself, and ends the guessing about the ones after it.
    """

    subjects: tuple[str, ...] = ()
    group: str | None = None
    explicit: bool = False

    def template(self, subject: str) -> str | None:
        """The subscription's subject under which *subject* came, as far as it is known."""
        return next((pattern for pattern in self.subjects if matches(pattern, subject)), None)


def remember(holder: Any, source: Source) -> None:
    """Keep *source* with the message or the subscription that came from it."""
    setattr(holder, _SOURCE, source)


def of_config(config: Any) -> Source:
    """The source that a JetStream consumer's configuration describes."""
    filters = tuple(config.filter_subjects or ()) or (
        (config.filter_subject,) if config.filter_subject else ()
    )
    return Source(filters, config.deliver_group or config.durable_name or None)


def of_subscription(subscription: Any) -> Source:
    """The source behind a ``nats.aio.subscription.Subscription``, made at the first question."""
    known = getattr(subscription, _SOURCE, None)
    if isinstance(known, Source):
        return known
    consumer = subscription._jsi
    if consumer is not None:
        source = of_config(consumer._ccreq)
    elif is_internal(subscription._subject):
        # Where a push consumer delivers to, before nats-py has said so.
        return Source()
    else:
        source = Source((subscription._subject,), subscription._queue or None)
    remember(subscription, source)
    return source


def source_of(message: Any) -> Source:
    """Where *message* came from; a source that says nothing when that cannot be found out."""
    known = getattr(message, _SOURCE, None)
    if isinstance(known, Source):
        return known
    subscription = message._client._subs.get(message._sid)
    source = Source() if subscription is None else of_subscription(subscription)
    remember(message, source)
    return source


def start(
    telemetry: Telemetry, message: Any, source: Source, ambient: SpanContext | None = None
) -> tuple[Span, Context]:
    """Begin the span of *message*'s handling; give it and the context to handle the message in.

    The link is what the conventions ask for; the parent keeps the whole of a
    flow in one trace where each message is handled by itself. *ambient* is the
    span in which the host took the message, which a parent must not hide.
    """
    folded = headers.fold(message.headers)
    context = headers.extract(folded)
    origin = trace.get_current_span(context).get_span_context()
    links = [Link(span) for span in (origin, ambient) if span is not None and span.is_valid]
    template = source.template(message.subject)
    described = of_source(message._client, source, template)
    described |= attributes.of_message(message, folded)
    described |= attributes.of_baggage(context, telemetry.baggage_keys)
    span = telemetry.tracer.start_span(
        f"process {template or message.subject}",
        context=context,
        kind=SpanKind.CONSUMER,
        attributes=described,
        links=links,
    )
    setattr(message, _SPAN, span)
    return span, trace.set_span_in_context(span, context)


def note_settled(message: Any, how: str) -> None:
    """Say on the span of *message*'s handling *how* it was settled, if that goes on still."""
    span = getattr(message, _SPAN, None)
    if isinstance(span, Span) and span.is_recording():
        span.set_attribute(attributes.SETTLED, how)


def of_source(client: Any, source: Source, template: str | None) -> attributes.Attributes:
    """What is the same for all messages of one subscription."""
    described: attributes.Attributes = {
        attributes.SYSTEM: attributes.NATS,
        attributes.OPERATION_TYPE: "process",
        attributes.OPERATION_NAME: "process",
    }
    if template is not None:
        described[attributes.TEMPLATE] = template
    if source.group is not None:
        described[attributes.GROUP] = source.group
    return described | attributes.of_client(client)


async def subscribe(
    wrapped: Callable[..., Awaitable[Any]], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Around ``Client.subscribe``, through which JetStream's push subscriptions pass too."""
    position = 2
    callback: Any = args[position] if len(args) > position else kwargs.get("cb")
    # What nats-py would refuse is left for it to refuse.
    if not (
        inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "func", None))
    ):
        return await wrapped(*args, **kwargs)
    traced = _Traced(callback)
    if len(args) > position:
        args = (*args[:position], traced.handle, *args[position + 1 :])
    else:
        kwargs = {**kwargs, "cb": traced.handle}
    traced.subscription = await wrapped(*args, **kwargs)
    return traced.subscription


class _Traced:
    """A subscription's callback with a span around each call of it."""

    def __init__(self, callback: Callable[[Any], Awaitable[None]]) -> None:
        self._callback = callback
        self.subscription: Any = None

    async def handle(self, message: Any) -> None:
        begun = self._begin(message)
        if begun is None:
            return await self._callback(message)
        span, context = begun
        token = contexts.attach(context)
        try:
            return await self._callback(message)
        except BaseException as error:
            fail(span, error)
            raise
        finally:
            contexts.detach(token)
            span.end()

    @harmless
    def _begin(self, message: Any) -> tuple[Span, Context] | None:
        telemetry = current()
        if telemetry is None or is_internal(message.subject, message._client._inbox_prefix.decode()):
            return None
        source = Source() if self.subscription is None else of_subscription(self.subscription)
        remember(message, source)
        return start(telemetry, message, source)


def origins(messages: Iterable[Any], keys: tuple[str, ...]) -> list[Link]:
    """A link for each message that carries a context, with what is that message's own on it."""
    found = []
    for message in messages:
        folded = headers.fold(message.headers)
        context = headers.extract(folded)
        origin = trace.get_current_span(context).get_span_context()
        if origin.is_valid:
            own = attributes.of_message(message, folded) | attributes.of_baggage(context, keys)
            found.append(Link(origin, own))
    return found
