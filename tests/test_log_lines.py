"""Does the log stay finite and readable, whatever is sent?"""

import io
import logging

import pytest

from collector.log_lines import Handler


class Log:
    """A logger of its own, with a clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self._written = io.StringIO()
        self.logger = logging.Logger("some")
        self.logger.addHandler(Handler(self._written, lambda: self.now))

    @property
    def lines(self) -> list[str]:
        return self._written.getvalue().splitlines()


@pytest.fixture
def log() -> Log:
    return Log()


def test_lines_of_one_kind_are_written_five_times_a_minute_and_then_counted(log: Log) -> None:
    for number in range(4_321):
        log.logger.warning("A request of %d bytes is bad", number)
    log.logger.warning("Another")
    written = len(log.lines)
    log.now = 60
    log.logger.warning("Another")

    assert written == 6
    assert log.lines[6:] == [
        "choreoscope: warning: and 4,316 more lines like this one: A request of 4320 bytes is bad",
        "choreoscope: warning: Another",
    ]


def test_after_a_minute_a_kind_is_written_again(log: Log) -> None:
    for now in (0, 61, 122):
        log.now = now
        for _ in range(5):
            log.logger.error("Bad")

    assert log.lines == ["choreoscope: error: Bad"] * 15


def test_texts_that_are_only_text_are_kinds_of_their_own(log: Log) -> None:
    """Troubles are logged so: ten different ones are ten lines."""
    for number in range(10):
        log.logger.error("%s", f"trouble {number}")

    assert len(log.lines) == 10


def test_no_sender_makes_a_line_or_colours_one(log: Log) -> None:
    log.logger.warning("It said %s", "\x1b[31m\nchoreoscope: ready\r\u202e\x9b")
    try:
        raise ValueError("\x07bell\x1b]0;title")
    except ValueError:
        log.logger.exception("It failed")

    assert log.lines[0] == "choreoscope: warning: It said �[31m�choreoscope: ready���"
    assert log.lines[-1] == "ValueError: �bell�]0;title"
    assert all(line.isprintable() for line in log.lines)


def test_kinds_take_no_memory_without_an_end(log: Log) -> None:
    for number in range(5_000):
        log.logger.error("%s", f"trouble {number}")

    assert len(log.lines) == 1_000
