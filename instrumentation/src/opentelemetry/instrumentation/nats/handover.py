"""Handling that the host does not mark: from the hand-over of a message to its settling.

A pull consumer's message is handed over by `fetch`, and what the host does
with it happens in its own code. Its span begins with the hand-over and is
active from there on, so that what is published in between is its child. It
ends when the message is settled, in whichever task, or else where the task
took the next one. With ``async with process(message)`` nothing is guessed.
"""

import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import Span

from .deliveries import Source, note_settled, remember, source_of, start
from .telemetry import Telemetry, current, harmless

_HELD: Final = contexts.create_key("nats-held")
_HANDOVER: Final = "_opentelemetry_handover"


class Handover:
    """The guessed handling of one message."""

    def __init__(self, telemetry: Telemetry, message: Any, source: Source) -> None:
        self.outside = contexts.get_current()
        self.span: Span
        self.span, inside = start(telemetry, message, source)
        self.inside: Context = contexts.set_value(_HELD, self, inside)
        self.used = False
        self._over_since: int | None = None
        self._ended = False
        setattr(message, _HANDOVER, self)
        contexts.attach(self.inside)
        # A message that is dropped without being settled is over too.
        weakref.finalize(message, self.end, settled=False).atexit = False

    def leave(self) -> None:
        """This task goes on to something else; another may still be at it."""
        if self._over_since is None:
            self._over_since = time.time_ns()
        if contexts.get_current() is self.inside:
            contexts.attach(self.outside)

    def end(self, settled: bool = True) -> None:
        """End the span: now if *settled*, else where the handing task went on."""
        if not self._ended:
            self._ended = True
            self.span.end(None if settled else self._over_since)
        if settled and contexts.get_current() is self.inside:
            contexts.attach(self.outside)

    def give_up(self) -> None:
        """The host marks the handling itself: this span is nobody's, unless it has children."""
        if contexts.get_current() is self.inside:
            contexts.attach(self.outside)
        if self.used:
            self.end(settled=False)
        self._ended = True


def held() -> Handover | None:
    """The hand-over in whose context the caller runs."""
    found = contexts.get_value(_HELD)
    return found if isinstance(found, Handover) else None


@harmless
def note_use() -> None:
    """Something was published in the current hand-over's context, so its span must not vanish."""
    if (holding := held()) is not None:
        holding.used = True


@harmless
def release() -> None:
    """The current task is done with the message it was handed last."""
    if (holding := held()) is not None:
        holding.leave()


@harmless
def begin(message: Any) -> None:
    """*message* is handed to the current task."""
    release()
    telemetry = current()
    source = source_of(message)
    if telemetry is not None and not source.explicit and not hasattr(message, _HANDOVER):
        Handover(telemetry, message, source)


@harmless
def claim(message: Any) -> None:
    """The host opens a span for *message* itself: forget the guess, and guess no more there."""
    source_of(message).explicit = True
    guess = getattr(message, _HANDOVER, None)
    if isinstance(guess, Handover):
        guess.give_up()
    else:
        setattr(message, _HANDOVER, None)


class HandedOver(list[Any]):
    """A fetched batch; each message is handed over when the host's loop comes to it."""

    def __iter__(self) -> Iterator[Any]:
        for message in super().__iter__():
            begin(message)
            yield message
        release()


async def fetch(
    wrapped: Callable[..., Awaitable[list[Any]]],
    subscription: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[Any]:
    """Around ``PullSubscription.fetch``."""
    release()
    messages = await wrapped(*args, **kwargs)
    batch = args[0] if args else kwargs.get("batch", 1)
    return _hand_over(subscription, messages, batch) or messages


@harmless
def _hand_over(subscription: Any, messages: list[Any], batch: int) -> list[Any] | None:
    if current() is None:
        return None
    source = getattr(subscription, "_opentelemetry_source", None) or Source((), subscription._consumer)
    for message in messages:
        remember(message, source)
    if source.explicit:
        return messages
    if batch == 1:
        begin(messages[0])
        return messages
    return HandedOver(messages)


async def pull_subscribe(
    wrapped: Callable[..., Awaitable[Any]], stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Around ``JetStreamContext.pull_subscribe``, which alone knows the subjects asked for."""
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


async def settle(
    wrapped: Callable[..., Awaitable[Any]], message: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Around ``Msg.ack``, ``ack_sync``, ``nak`` and ``term``."""
    answer = await wrapped(*args, **kwargs)
    _settled(message, wrapped.__name__.removesuffix("_sync"))
    return answer


@harmless
def _settled(message: Any, how: str) -> None:
    note_settled(message, how)
    guess = getattr(message, _HANDOVER, None)
    if isinstance(guess, Handover):
        guess.end()
