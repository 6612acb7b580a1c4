"""Handling that the host does not mark: from the hand-over of a message to its settling.

The host's own code handles the messages that it takes (`next_msg`, `async for`,
`fetch`). The span starts at the hand-over and stays active, so that anything
published meanwhile is its child. It ends when any task settles the message,
otherwise when its task takes the next message or ends. ``async with
process(message)`` replaces the guess.
"""

import asyncio
import time
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Final, SupportsIndex, overload

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from .connections import Connection, connection
from .deliveries import Source, source_of
from .handling import Handling, handling_of
from .status import is_status
from .telemetry import harmless

_HELD: Final = contexts.create_key("nats-held")


class Handover(Handling):
    """The guessed handling of one message."""

    __slots__ = (
        "__weakref__",
        "_announced",
        "_dropped_at",
        "_in_thread",
        "_outside",
        "_over_since",
        "adopted",
        "used",
    )

    def __init__(self, connected: Connection, message: Any, source: Source) -> None:
        super().__init__(connected, message, source)
        self._announced = connected.telemetry.options.started
        self._outside = contexts.get_current()
        self._over_since: int | None = None
        self._dropped_at: int | None = None
        self._in_thread = False
        self.adopted = False
        self.used = False
        weakref.finalize(message, self._drop).atexit = False

    def enter(self) -> None:
        """Make this the handling of the current task.

        In a thread without a loop no task shows when the work moves on: there the
        span is never current, and lasts as long as the message is referenced.
        """
        self._over_since = None
        self._in_thread = not _is_in_loop()
        if not self._in_thread:
            _note_task(self)
            contexts.attach(contexts.set_value(_HELD, self, self.context))

    def leave(self) -> None:
        """This task moves on; another that references the message may still be handling it."""
        if self._over_since is None:
            self._over_since = time.time_ns()
        if self._dropped_at is not None:
            self._end_unsettled()
        self._step_out()

    def settled(self, how: str, details: Mapping[str, AttributeValue]) -> None:
        """Record that the message was settled, which ends its handling."""
        super().settled(how, details)
        if how != "in_progress" and not self.adopted:
            self.end()
            self._step_out()

    def _drop(self) -> None:
        """Nothing references the message any more: its handling ends once its task has moved on too."""
        self._dropped_at = time.time_ns()
        if self._in_thread or self._over_since is not None:
            self._end_unsettled()

    def _end_unsettled(self) -> None:
        if not self.ended and not self.adopted:
            self.end(self._over_since or self._dropped_at)

    def adopt(self) -> None:
        """The host marks the handling itself, and decides from here on when it ends."""
        self.adopted = True
        self.source.explicit = True
        self._step_out()

    def withdraw(self) -> None:
        """This was not a handling: drop its span, unless other spans already refer to it."""
        self.adopt()
        if self.used or self._announced:
            self.end(self._over_since)
        self.ended = True

    def outside(self) -> Context | None:
        """The host's context once the handling is over; None before."""
        return self._outside if self.ended else None

    def _step_out(self) -> None:
        if current() is self and trace.get_current_span() is self.span:
            contexts.attach(self._outside)


# The last hand-over to each task; it ends with the task.
_latest: "weakref.WeakKeyDictionary[asyncio.Task[Any], Handover]" = weakref.WeakKeyDictionary()


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _note_task(handover: Handover) -> None:
    task = asyncio.current_task()
    if task is not None:
        if task not in _latest:
            task.add_done_callback(_end_of_task)
        _latest[task] = handover


@harmless
def _end_of_task(task: "asyncio.Task[Any]") -> None:
    handover = _latest.pop(task, None)
    if handover is not None:
        handover.leave()


def current() -> Handover | None:
    """The hand-over in whose context the caller runs, or None."""
    found = contexts.get_value(_HELD)
    return found if isinstance(found, Handover) else None


@harmless
def outside() -> Context | None:
    """The context to publish in if the caller still runs in that of a finished handling, else None."""
    holding = current()
    if holding is None:
        return None
    holding.used = True
    return holding.outside()


@harmless
def release(source: Source | None = None) -> None:
    """The current task is done with its last message; with *source*, only if the message came from there."""
    holding = current()
    if holding is not None and (source is None or holding.source is source):
        holding.leave()


@harmless
def begin(message: Any) -> None:
    """Hand *message* over to the current task."""
    connected = connection(message._client)
    source = source_of(message)
    if connected is None or source.explicit or source.foreign or is_status(message):
        return
    if connected.is_internal(message.subject):
        return
    release()
    known = handling_of(message)
    if known is None:
        Handover(connected, message, source).enter()
    elif isinstance(known, Handover) and not known.ended and not known.adopted:
        known.enter()


class HandedOver(list[Any]):
    """A fetched batch; each message is handed over when the host reaches it."""

    def __iter__(self) -> Iterator[Any]:
        for message in super().__iter__():
            begin(message)
            yield message
        release()

    @overload
    def __getitem__(self, place: SupportsIndex) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...

    def __getitem__(self, place: SupportsIndex | slice) -> Any:
        found = super().__getitem__(place)
        if isinstance(place, slice):
            return HandedOver(found)
        begin(found)
        return found

    def pop(self, place: SupportsIndex = -1) -> Any:
        """Remove a message and hand it over: some hosts take messages this way."""
        found = super().pop(place)
        begin(found)
        return found
