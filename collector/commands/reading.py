"""The commands that ask a running collector, and show its answer."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from collector.commands import text
from collector.commands.api_client import Document, ask, copy, named
from collector.commands.page_links import page_of
from collector.commands.terminal import colours, wants_colour
from collector.commands.watching import watched, watches
from collector.model.flow_cells import COLUMNS, csv_of
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


def show(
    document: Document, style: str, as_text: Callable[[Document], str], page: Sequence[str] = ()
) -> None:
    """Print *document* in the requested *style*; a text ends with the address of its *page*."""
    if style == "json":
        shown = json.dumps(document, indent=2, ensure_ascii=False)
    else:
        with colours(wants_colour(sys.stdout)):
            shown = "\n".join([as_text(document), *(page if style == "text" else ())])
    put(shown + "\n")


def put(text: str) -> None:
    """Print *text*. As in `choreoscope flows | head`, its reader may have enough of it before it ends."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Without this, Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command()
@limits
@click.option("--late", is_flag=True, help="Also what is late and not yet past its deadline.")
@click.option("--flows", "listed", is_flag=True, help="Also the flows of each incident.")
@click.option(
    "--fail-if-stuck", "fail", is_flag=True, help="Exit with 1 unless it is known that nothing is stuck."
)
@watches
@formats
def stuck(limit: int, late: bool, listed: bool, fail: bool, watch: bool, every: float, style: str) -> int:
    """List the incidents: what is stuck, since when, and why.

    With --fail-if-stuck it exits with 1 if a flow is stuck or has failed, if a share has fallen, and while
    that is not known.
    """
    if fail and watch:
        msg = "--fail-if-stuck ends with an exit code, and --watch does not end: give one of them."
        raise click.UsageError(msg)
    each = None if listed or style == "json" else 1

    def answer() -> Document:
        document = _pages("/stuck", "stuck", limit, {"late": str(late).lower(), "each": each})
        show(document, style, lambda found: text.stuck(found, time.time_ns(), flows=listed), page_of(""))
        return document

    if watch:
        watched(answer, watch=watch, every=every)
    document = answer()
    if not fail:
        return 0
    judged = ask("/stuck", {"limit": 1}) if late else document  # late alone is no failure
    calm = judged["replayed"] and not (
        judged["flows"] or judged["drops"] or judged["unexplained"] or judged["unlisted"]
    )
    return 0 if calm else 1


@click.command()
@click.argument("line", required=False, nargs=-1)
@click.option("--state", help="running, late, stuck, failed, done, dismissed; several with commas.")
@click.option("--waiting-for", metavar="SERVICE", help="Only those to which this service owes something.")
@click.option("--window", "window_s", type=click.IntRange(1), help="Active within so many seconds.")
@click.option(
    "--sort", metavar="COLUMN", help="state, started, last, took, messages ...; -COLUMN the other way round."
)
@click.option("--columns", metavar="NAMES", help="Which columns, with commas between: state,flow,took_ms.")
@limits
@watches
@formats_with("csv")
def flows(
    line: tuple[str, ...],
    state: str | None,
    waiting_for: str | None,
    window_s: int | None,
    sort: str | None,
    columns: str | None,
    limit: int,
    watch: bool,
    every: float,
    style: str,
) -> None:
    """List flows, stuck ones first.

    LINE is a search line: text (part of a flow key, an event type or a service, or the beginning of a trace
    id), and terms such as service:payment event:OrderPlaced state:stuck,failed waiting:payment
    outcome:OrderShipped error:yes took:'>10s' started:'>-15m' messages:'>50'; -service:payment is the
    opposite. docs/search.md has all of it. An opposite comes after --, or after another term.
    """
    asked = " ".join(line)
    search = {
        "q": asked or None,
        "state": state,
        "waiting_for": waiting_for,
        "window_s": window_s,
        "sort": sort,
    }
    chosen = _columns(columns)
    more = [f"state:{state}" if state else "", f"last:>-{window_s}s" if window_s else ""]
    more += [f"waiting:{json.dumps(waiting_for, ensure_ascii=False)}" if waiting_for else ""]
    query = {"q": " ".join(filter(None, [asked, *more])), "sort": sort}

    def answer() -> None:
        document = _pages("/flows", "flows", limit, search)
        for said in text.problems(document.get("line", {"problems": [], "text": ""})):
            click.echo(said, err=True)
        if style == "csv":
            put(csv_of(document["flows"], chosen or COLUMNS))
        else:
            show(
                document,
                style,
                lambda found: text.flows(found, time.time_ns(), chosen),
                page_of("flows", query),
            )

    watched(answer, watch=watch, every=every)


def _columns(given: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (given or "").split(",") if name.strip())
    for name in names:
        if name not in COLUMNS:
            msg = f"--columns has '{name[:40]}': expected some of {', '.join(COLUMNS)}."
            raise click.UsageError(msg)
    return names


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
@watches
@formats_with("otlp", *PICTURES)
def flow(
    key: str, limit: int, oldest: bool, cursor: str | None, watch: bool, every: float, style: str
) -> None:
    """Show one flow: who reacted to what, and what is missing. KEY is a flow key, flow id or trace id.

    otlp gives its spans, all of them, which `choreoscope stitch` and other tools read; the others are
    pictures.
    """
    if style == "otlp":
        copy(f"/spans/{named(key)}", sys.stdout)
        return
    wanted = {"limit": limit, "order": "oldest" if oldest else None, "cursor": cursor}
    as_text, page = PICTURES.get(style, text.flow), page_of("flow", {"flow": key})
    watched(lambda: show(ask(f"/flows/{named(key)}", wanted), style, as_text, page), watch=watch, every=every)


@click.command()
@click.argument("key")
@formats
def why(key: str, style: str) -> None:
    """Say why a flow stopped, with the evidence."""
    page = page_of("flow", {"flow": key})
    show(ask(f"/why/{named(key)}"), style, lambda found: text.why(found, key), page)


@click.command("map")
@click.option("--window", "window_s", type=click.IntRange(1), default=900, show_default=True, help="Seconds.")
@watches
@formats
def map_(window_s: int, watch: bool, every: float, style: str) -> None:
    """Show who reacts to what, how often and how fast."""
    page = page_of("choreography")
    watched(
        lambda: show(ask("/map", {"window_s": window_s}), style, text.choreography, page),
        watch=watch,
        every=every,
    )


def _pages(path: str, name: str, limit: int, parameters: dict[str, Any]) -> Document:
    """The first *limit* entries, over as many pages as that takes, as one document."""
    document = ask(path, {**parameters, "limit": min(limit, _PAGE)})
    while document["next_cursor"] and len(document[name]) < limit:
        wanted = min(limit - len(document[name]), _PAGE)
        following = ask(path, {**parameters, "limit": wanted, "cursor": document["next_cursor"]})
        document[name] += following[name]
        document["next_cursor"] = following["next_cursor"]
    return document
