"""The command that shows what is expected, and takes what people say about it."""

import getpass
import time

import click

from collector.commands import expectation_text
from collector.commands.api_client import ask, tell
from collector.commands.failure import CommandError
from collector.commands.page_links import page_of
from collector.commands.reading import formats, show

_PATH = "/expectations"
_AFTER = "The event type after which it is expected."


@click.group(invoke_without_command=True)
@click.option("--event-type", default="", metavar="T", help="Only what is expected after T.")
@click.option("--service", default="", metavar="S", help="Only what is expected of S.")
@formats
@click.pass_context
def expectations(context: click.Context, event_type: str, service: str, style: str) -> None:
    """Show what is expected of whom after what, how sure that is, and what has changed.

    T and S are names in full; case does not matter.
    """
    if context.invoked_subcommand is not None:
        if event_type or service:
            msg = f"--event-type and --service come after '{context.invoked_subcommand}'."
            raise click.UsageError(msg)
        return
    document = ask(_PATH, {"event_type": event_type or None, "service": service or None})
    show(
        document,
        style,
        lambda found: expectation_text.expectations(found, time.time_ns(), event_type, service),
        page_of("expectations", {"event_type": event_type, "service": service}),
    )


@expectations.command()
@click.option("--event-type", required=True, metavar="T", help=_AFTER)
@click.option("--service", required=True, metavar="S", help="Of whom it is expected.")
@click.option("--reason", required=True, metavar="TEXT", help="Why: others read it in the history.")
@click.option("--author", metavar="NAME", help="Who says so.  [default: your login name]")
@formats
def forget(event_type: str, service: str, reason: str, author: str | None, style: str) -> None:
    """Expect nothing of a service after an event type any more, whatever is learned."""
    _decide("forget", event_type, service, reason, author, style)


@expectations.command()
@click.option("--event-type", required=True, metavar="T", help=_AFTER)
@click.option("--service", required=True, metavar="S", help="Of whom it is expected.")
@click.option("--reason", required=True, metavar="TEXT", help="Why: others read it in the history.")
@click.option("--author", metavar="NAME", help="Who says so.  [default: your login name]")
@formats
def keep(event_type: str, service: str, reason: str, author: str | None, style: str) -> None:
    """Expect a service to take each message of an event type, however few it took of late."""
    _decide("keep", event_type, service, reason, author, style)


def _decide(word: str, event_type: str, service: str, reason: str, author: str | None, style: str) -> None:
    body = {
        "word": word,
        "event_type": event_type,
        "service": service,
        "author": author if author is not None else login(),
        "reason": reason,
    }
    show(tell(_PATH, body), style, expectation_text.decided)


def login() -> str:
    """The name of who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise CommandError("Your login name is not known: say who you are with --author NAME.") from error
