"""Answers the same question again and again, for who watches a terminal."""

import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from collector.commands.failure import NoAnswerError
from collector.commands.terminal import harmless
from collector.model.wording import moment

_Command = TypeVar("_Command", bound=Callable[..., Any])
_HOME, _REST = "\x1b[H", "\x1b[J"  # to the upper left corner; clear what follows


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
        try:
            answer()
        except NoAnswerError as error:  # a collector that is restarted answers again
            click.echo(f"{moment(time.time_ns(), 0)}: {harmless(str(error))}", err=True)
        if screen:
            sys.stdout.write(_REST)
        sys.stdout.flush()
        time.sleep(every)
