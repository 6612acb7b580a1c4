"""Answers the same question again and again, for who watches a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from typing import Any, TextIO, TypeVar, cast

import click

from collector.commands.failure import NoAnswerError
from collector.commands.terminal import harmless
from collector.model.wording import moment

_Command = TypeVar("_Command", bound=Callable[..., Any])
_HOME, _REST = "\x1b[H", "\x1b[J"  # to the upper left corner; clear what follows
_LINE = "\x1b[K"  # clear the rest of the line


class _Over:
    """A terminal on which text is written over older text, of which nothing may stay: a figure would lie."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        """Write *text*, each of whose lines takes the place of a whole older one."""
        return self._terminal.write(text.replace("\n", f"{_LINE}\n"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


def watches(command: _Command) -> _Command:
    """Add the options of `watched` to *command*."""
    for option in (
        click.option("--every", type=click.FloatRange(0.2, 3600), default=2.0, help="Seconds.  [default: 2]"),
        click.option("--watch", is_flag=True, help="Ask again and again, until Ctrl-C."),
    ):
        command = option(command)
    return command


def watched(answer: Callable[[], object], *, watch: bool, every: float) -> None:
    """Print the *answer*; with *watch*, again and again. On a terminal each takes the place of the last."""
    if not watch:
        answer()
        return
    screen = sys.stdout.isatty()
    if screen:
        sys.stdout.write(_HOME + _REST)
    while True:
        if screen:
            sys.stdout.write(_HOME)
        with written_over() if screen else nullcontext():
            try:
                answer()
            except NoAnswerError as error:  # a collector that is restarted answers again
                click.echo(f"{moment(time.time_ns(), 0)}: {harmless(str(error))}", err=True)
        if screen:
            sys.stdout.write(_REST)
        sys.stdout.flush()
        time.sleep(every)


@contextmanager
def written_over() -> Iterator[None]:
    """While this lasts, a line that is printed leaves nothing of the longer one that stood in its place."""
    out, errors = (cast("TextIO", _Over(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(errors if sys.stderr.isatty() else sys.stderr):
        yield
