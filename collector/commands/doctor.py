"""The command that checks what services send: who is connected to whom, and what seems wrong with that."""

import time

import click

from collector.commands import connection_text
from collector.commands.api_client import ask
from collector.commands.page_links import page_of
from collector.commands.reading import formats, show


@click.command()
@click.option(
    "--window",
    "window_s",
    type=click.IntRange(1, 31 * 86_400),
    default=3600,
    show_default=True,
    help="Of flows that were active within so many seconds.",
)
@formats
def doctor(window_s: int, style: str) -> None:
    """Check what services send: contexts that are lost, flow keys that are missing, who is not heard.

    What it says are guesses from what spans show, with what was counted and what would mend it.
    """
    document = ask("/connections", {"window_s": window_s})
    show(document, style, lambda found: connection_text.connections(found, time.time_ns()), page_of(""))
