"""How does the log stay readable, and finite, whatever is sent to us?

A line of one kind is written five times a minute, then counted: whoever can make us log a line for each
request could fill the disk with them. And what a line quotes is data: no control character of it reaches a
terminal, and no line break makes two lines of one.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

_MOST, _WITHIN_S = 5, 60.0
_KINDS = 1_000  # kept at once; there are as many as there are log calls, so this is never reached by chance


def set_up(where: TextIO | None = None) -> None:
    """Write what is logged anywhere in this process to *where*, by default the standard error."""
    handler = Handler(where or sys.stderr)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def adopt(name: str) -> None:
    """Let the logger *name*, and those below it, log as all others do; its library gave it handlers."""
    for one in (name, *(known for known in logging.root.manager.loggerDict if known.startswith(f"{name}."))):
        logger = logging.getLogger(one)
        logger.handlers.clear()
        logger.propagate = True


@dataclass
class _Kind:
    since: float
    written: int = 0
    more: int = 0
    last: str = ""


class Handler(logging.StreamHandler[TextIO]):
    """Writes the first lines of each kind in a minute, and then how many more there were."""

    def __init__(self, where: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(where)
        self.setFormatter(Line())
        self._clock = clock
        self._kinds: dict[object, _Kind] = {}
        self._counting = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*, unless there were too many of its kind; first, tell of those that were too many."""
        with self._counting:
            told = self._over(self._clock())
            written = self._is_written(record)
        for more in told:
            super().emit(more)
        if written:
            super().emit(record)

    def _is_written(self, record: logging.LogRecord) -> bool:
        # The text before its values are put in, so that no sender makes a kind of its own.
        plain = str(record.msg)
        kind = (record.name, record.levelno, record.lineno, record.getMessage() if plain == "%s" else plain)
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= _KINDS:
                return False
            known = self._kinds[kind] = _Kind(self._clock())
        known.written += 1
        if known.written <= _MOST:
            return True
        known.more += 1
        known.last = record.getMessage()[:200]
        return False

    def _over(self, now: float) -> list[logging.LogRecord]:
        """Forget the kinds whose minute is over; return a line for each that had too many."""
        over = [kind for kind, known in self._kinds.items() if now - known.since >= _WITHIN_S]
        told = []
        for known in map(self._kinds.pop, over):
            if known.more:
                text = f"and {known.more:,} more lines like this one: {known.last}"
                told.append(logging.LogRecord(__name__, logging.WARNING, "", 0, text, None, None))
        return told


class Line(logging.Formatter):
    """One line, or one and a traceback, without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """`choreoscope: warning: text`."""
        line = f"choreoscope: {record.levelname.lower()}: {_harmless(record.getMessage())}"
        if record.exc_info and not _is_about_data(record):
            raised = self.formatException(record.exc_info)
            line += "".join(f"\n{_harmless(each)}" for each in raised.split("\n"))
        return line


def _is_about_data(record: logging.LogRecord) -> bool:
    """Whether all that is wrong is that a sender's metadata are no text: gRPC logs that with a traceback."""
    raised = record.exc_info[1] if record.exc_info else None
    return record.name.startswith("grpc") and isinstance(raised, UnicodeError)


def _harmless(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
