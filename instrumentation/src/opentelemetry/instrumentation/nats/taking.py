"""How a host takes messages: `next_msg`, `async for`, `fetch`."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from opentelemetry.trace import SpanKind

from . import attributes, handover
from . import telemetry as telemetries
from .connections import Connection, connection
from .deliveries import Source, of_subscription, origins, remember
from .status import is_status
from .telemetry import Telemetry, harmless

_PULLED: Final = "_opentelemetry_pulled"
_SOURCE: Final = "_opentelemetry_source"


async def next_msg(
    wrapped: Callable[..., Awaitable[Any]], subscription: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap ``Subscription.next_msg``, which a push subscription's own `next_msg` calls too."""
    return await _one(wrapped, subscription, args, kwargs)


async def next_of_iterator(
    wrapped: Callable[..., Awaitable[Any]], iterator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap the iterator that ``async for`` runs over."""
    return await _one(wrapped, iterator._sub, args, kwargs)


async def _one(
    wrapped: Callable[..., Awaitable[Any]], subscription: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    # `fetch` takes its messages through here too, and hands them over itself.
    if _PULLED in subscription.__dict__:
        return await wrapped(*args, **kwargs)
    _ask(subscription)
    message = await wrapped(*args, **kwargs)
    _take(subscription, message)
    return message


@harmless
def _ask(subscription: Any) -> None:
    """Asking a subscription for its next message ends the work on its last one."""
    if telemetries.of(subscription._conn) is not None:
        handover.release(of_subscription(subscription))


@harmless
def _take(subscription: Any, message: Any) -> None:
    connected = connection(subscription._conn)
    if connected is None or connected.is_internal(message.subject) or is_status(message):
        return
    source = of_subscription(subscription)
    remember(message, source)
    if not source.foreign:
        operation = connected.taking("process", message.subject, source)
        connected.telemetry.instruments.received(operation.group, 1)
        handover.begin(message)


async def fetch(
    wrapped: Callable[..., Awaitable[list[Any]]],
    subscription: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[Any]:
    """Wrap ``PullSubscription.fetch``."""
    source = _ask_for_many(subscription)
    begun, since = time.time_ns(), time.perf_counter()
    messages = await wrapped(*args, **kwargs)
    if source is None:
        return messages
    batch = args[0] if args else kwargs.get("batch", 1)
    return _hand_over(subscription, messages, batch, source, begun, since) or messages


@harmless
def _ask_for_many(subscription: Any) -> Source | None:
    subscription._sub.__dict__[_PULLED] = True
    if telemetries.of(subscription._nc) is None:
        return None
    known = getattr(subscription, _SOURCE, None)
    source = known if isinstance(known, Source) else Source((), subscription._consumer)
    remember(subscription, source)
    # Messages are dropped from the queue of the subscription within.
    remember(subscription._sub, source)
    handover.release(source)
    return source


@harmless
def _hand_over(
    subscription: Any, messages: list[Any], batch: int, source: Source, begun: int, since: float
) -> list[Any] | None:
    connected = connection(subscription._nc)
    if connected is None or not messages or source.foreign:
        return None
    for message in messages:
        remember(message, source)
    _received(connected, subscription, messages, batch, source, begun, since)
    if source.explicit:
        return messages
    if batch == 1:
        handover.begin(messages[0])
        return messages
    return handover.HandedOver(messages)


@harmless
def _received(
    connected: Connection,
    subscription: Any,
    messages: list[Any],
    batch: int,
    source: Source,
    begun: int,
    since: float,
) -> None:
    """Count the fetched messages; a batch gets a span that says which messages came together."""
    telemetry = connected.telemetry
    template = common_template(telemetry, source, messages)
    operation = connected.taking_many("fetch", template, source)
    telemetry.instruments.received(operation.group, len(messages), time.perf_counter() - since)
    if batch == 1:
        return
    described = {
        **operation.common,
        attributes.BATCH_COUNT: len(messages),
        attributes.STREAM: subscription._stream,
        attributes.CONSUMER: subscription._consumer,
    }
    telemetry.tracer.start_span(
        operation.name,
        kind=SpanKind.CLIENT,
        attributes=attributes.with_old_names(described) if telemetry.options.old_names else described,
        links=origins(messages, telemetry),
        start_time=begun,
    ).end()


def common_template(telemetry: Telemetry, source: Source, messages: list[Any]) -> str | None:
    """The template that *messages* have in common, or None."""
    first = source.template(messages[0].subject, telemetry.template)
    if len(source.subjects) == 1:
        return first
    alike = all(source.template(message.subject, telemetry.template) == first for message in messages)
    return first if alike else None


async def pull_subscribe(
    wrapped: Callable[..., Awaitable[Any]], stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap ``JetStreamContext.pull_subscribe``: only its arguments name the subjects."""
    subscription = await wrapped(*args, **kwargs)
    _remember_subjects(subscription, args, kwargs)
    return subscription


@harmless
def _remember_subjects(subscription: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    names = ("subject", "durable", "stream", "config")
    given = dict(zip(names, args, strict=False)) | kwargs
    config = given.get("config")
    subject = given.get("subject")
    filters = tuple(getattr(config, "filter_subjects", None) or ()) or ((subject,) if subject else ())
    remember(subscription, Source(filters, given.get("durable") or None))
