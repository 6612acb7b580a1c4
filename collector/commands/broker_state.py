"""The command that shows what brokers know of consumers."""

import time

import click

from collector.commands.api_client import Document, ask
from collector.commands.reading import formats, limits, show
from collector.commands.terminal import clean, short, table, tinted
from collector.commands.watching import watched, watches
from collector.model.wording import counted, duration, moment


@click.command()
@limits
@watches
@formats
def consumers(limit: int, watch: bool, every: float, style: str) -> None:
    """Show what brokers know of consumers: who is paused, behind, or gone, and how many flows wait there.

    It needs CHOREOSCOPE_NATS: docs/nats.md.
    """

    def answer() -> None:
        document = ask("/consumers", {"limit": limit})
        show(document, style, lambda found: as_text(found, time.time_ns()))

    watched(answer, watch=watch, every=every)


def as_text(document: Document, now: int) -> str:
    """A line for each consumer, and what is not known."""
    if not document["brokers"]:
        return "No broker is read: set CHOREOSCOPE_NATS for the collector, such as nats://localhost:4222."
    rows = [
        (
            short(one["stream"]),
            tinted(short(one["consumer"]), "missing" if one["flows_waiting"] else ""),
            short(one["service"] or "-"),
            f"{one['pending']:,}",
            f"{one['in_flight']:,}",
            f"{one['redelivered']:,}",
            moment(one["last_delivered_unix_nano"], now) if one["last_delivered_unix_nano"] else "never",
            f"{one['flows_waiting']:,}",
            _state(one, now),
        )
        for one in document["consumers"]
    ]
    head = ("STREAM", "CONSUMER", "SERVICE", "PENDING", "IN FLIGHT", "REDELIVERED", "LAST", "FLOWS", "STATE")
    lines = list(table(head, rows)) if rows else ["No consumer is known."]
    if len(rows) < document["total"]:
        lines.append(f"{counted(document['total'], 'consumer')} in all: --limit shows more.")
    gaps = [said for broker in document["brokers"] for said in broker["gaps"]]
    if said := [*gaps, *document["unjoined"]]:
        lines += ["", *map(clean, said)]
    return "\n".join(lines)


def _state(one: Document, now: int) -> str:
    """What is remarkable about it, in a few words."""
    if not one["fresh"]:
        return f"unknown since {moment(one['as_of_unix_nano'], now)}"
    if one["paused"]:
        until = one["paused_until_unix_nano"]
        return f"paused until {moment(until, now)}" if until else "paused"
    if one["most_in_flight"] and one["in_flight"] >= one["most_in_flight"]:
        return f"full: {one['in_flight']:,} of {one['most_in_flight']:,} in flight"
    if one["bound"] is False:
        return "nobody subscribes"
    since = one["no_taker_since_unix_nano"]
    # With nothing to fetch, and one message in hand, a healthy worker does not ask either.
    if since and one["pending"] and now - since > 5e9:
        return f"nobody pulls for {duration((now - since) / 1e9)}"
    return ""
