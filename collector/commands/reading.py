"""The commands that ask a running collector, and show its answer."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from collector.commands import text
from collector.commands.api_client import Document, ask, copy, named
from collector.pictures import PICTURES

_PAGE = 1000
_Command = TypeVar("_Command", bound=Callable[..., Any])


def formats_with(*more: str) -> Callable[[_Command], _Command]:
    """The option that chooses text, JSON or one of *more*."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(["text", "json", *more]),
        default="text",
        show_default=True,
        help="json is stable.",
    )


formats = formats_with()
limits = click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many."
)


def show(document: Document, style: str, as_text: Callable[[Document], str]) -> None:
    """Print *document* in the requested *style*."""
    shown = json.dumps(document, indent=2, ensure_ascii=False) if style == "json" else as_text(document)
    try:
        sys.stdout.write(shown + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # As in `choreoscope flows | head`: the reader has enough. Without this, Python would complain at
        # exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command()
@limits
@click.option("--late", is_flag=True, help="Also what is late and not yet past its deadline.")
@formats
def stuck(limit: int, late: bool, style: str) -> None:
    """List what is stuck, and why."""
    document = _pages("/stuck", "stuck", limit, {"late": str(late).lower()})
    show(document, style, lambda found: text.stuck(found, time.time_ns()))


@click.command()
@click.argument("query", required=False)
@click.option("--state", help="running, late, stuck, failed, done, dismissed; several with commas.")
@click.option("--waiting-for", metavar="SERVICE", help="Only those to which this service owes something.")
@click.option("--window", "window_s", type=click.IntRange(1), help="Active within so many seconds.")
@limits
@formats
def flows(
    query: str | None,
    state: str | None,
    waiting_for: str | None,
    window_s: int | None,
    limit: int,
    style: str,
) -> None:
    """List flows, stuck ones first.

    QUERY is part of a flow key, of an event type or of a service in it, or the beginning of a trace id.
    """
    search = {"q": query, "state": state, "waiting_for": waiting_for, "window_s": window_s}
    document = _pages("/flows", "flows", limit, search)
    show(document, style, lambda found: text.flows(found, time.time_ns()))


@click.command()
@click.argument("key")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=5_000,
    show_default=True,
    help="Of a larger flow, a part of so many spans.",
)
@click.option("--oldest", is_flag=True, help="Its first part; without, its last, where it stopped.")
@click.option("--cursor", metavar="TEXT", help="The part that another answer names.")
@formats_with("otlp", *PICTURES)
def flow(key: str, limit: int, oldest: bool, cursor: str | None, style: str) -> None:
    """Show one flow: who reacted to what, and what is missing. KEY is a flow key, flow id or trace id.

    otlp gives its spans, all of them, which `choreoscope stitch` and other tools read; the others are
    pictures.
    """
    if style == "otlp":
        copy(f"/spans/{named(key)}", sys.stdout)
        return
    wanted = {"limit": limit, "order": "oldest" if oldest else None, "cursor": cursor}
    show(ask(f"/flows/{named(key)}", wanted), style, PICTURES.get(style, text.flow))


@click.command()
@click.argument("key")
@formats
def why(key: str, style: str) -> None:
    """Say why a flow stopped, with the evidence."""
    show(ask(f"/why/{named(key)}"), style, lambda found: text.why(found, key))


@click.command("map")
@click.option("--window", "window_s", type=click.IntRange(1), default=900, show_default=True, help="Seconds.")
@formats
def map_(window_s: int, style: str) -> None:
    """Show who reacts to what, how often and how fast."""
    show(ask("/map", {"window_s": window_s}), style, text.choreography)


def _pages(path: str, name: str, limit: int, parameters: dict[str, Any]) -> Document:
    """The first *limit* entries, over as many pages as that takes, as one document."""
    document = ask(path, {**parameters, "limit": min(limit, _PAGE)})
    while document["next_cursor"] and len(document[name]) < limit:
        wanted = min(limit - len(document[name]), _PAGE)
        following = ask(path, {**parameters, "limit": wanted, "cursor": document["next_cursor"]})
        document[name] += following[name]
        document["next_cursor"] = following["next_cursor"]
    return document
