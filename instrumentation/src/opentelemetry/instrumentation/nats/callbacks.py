"""Callbacks: one handling per call."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from opentelemetry import context as contexts

from . import faststream
from .connections import connection
from .deliveries import Source, of_subscription, remember
from .handling import Handling
from .status import is_status
from .telemetry import harmless

_CALLBACK_AT: Final = 2


async def subscribe(
    wrapped: Callable[..., Awaitable[Any]], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap ``Client.subscribe``, which JetStream's push subscriptions use too."""
    callback: Any = args[_CALLBACK_AT] if len(args) > _CALLBACK_AT else kwargs.get("cb")
    # nats-py refuses any other callback with an error of its own.
    if not _is_accepted(callback):
        return await wrapped(*args, **kwargs)
    traced = Traced(callback)
    if len(args) > _CALLBACK_AT:
        args = (*args[:_CALLBACK_AT], traced.handle, *args[_CALLBACK_AT + 1 :])
    else:
        kwargs = {**kwargs, "cb": traced.handle}
    traced.subscription = await wrapped(*args, **kwargs)
    return traced.subscription


def _is_accepted(callback: Any) -> bool:
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
        getattr(callback, "func", None)
    )


@harmless
def instrument_subscriptions(client: Any) -> None:
    """Trace the callbacks of the subscriptions that *client* already has."""
    for subscription in list(client._subs.values()):
        callback = subscription._cb
        if _is_accepted(callback) and not isinstance(getattr(callback, "__self__", None), Traced):
            traced = Traced(callback)
            traced.subscription = subscription
            subscription._cb = traced.handle


@harmless
def restore_subscriptions(client: Any) -> None:
    """Restore the original callbacks of *client*'s subscriptions."""
    for subscription in list(client._subs.values()):
        traced = getattr(subscription._cb, "__self__", None)
        if isinstance(traced, Traced):
            subscription._cb = traced.callback


class Traced:
    """A subscription's callback with a span around each call."""

    def __init__(self, callback: Callable[[Any], Awaitable[None]]) -> None:
        self.callback = callback
        self._foreign = bool(faststream.takes_over(callback))
        self.subscription: Any = None

    async def handle(self, message: Any) -> None:
        """Call the callback with *message*."""
        handling = self._begin(message)
        if handling is None:
            return await self.callback(message)
        token = contexts.attach(handling.context)
        try:
            return await self.callback(message)
        except BaseException as error:
            handling.failed(error)
            raise
        finally:
            contexts.detach(token)
            handling.end()

    @harmless
    def _begin(self, message: Any) -> Handling | None:
        connected = connection(message._client)
        if connected is None or connected.is_internal(message.subject) or is_status(message):
            return None
        # The first message may arrive before `subscribe` returns.
        subscription = self.subscription or message._client._subs.get(message._sid)
        source = Source() if subscription is None else of_subscription(subscription)
        if self._foreign:
            source.foreign = True
        remember(message, source)
        if source.foreign:
            return None
        handling = Handling(connected, message, source)
        connected.telemetry.instruments.received(handling.operation.group, 1)
        return handling
