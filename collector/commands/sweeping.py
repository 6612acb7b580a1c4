"""The commands of a person's broom: `dismiss` what nobody minds, `delete` what nobody wants to keep."""

import re
import time
from datetime import datetime
from typing import Any

import click

from collector.commands import sweeping_text
from collector.commands.api_client import Document, ask, tell
from collector.commands.expecting import login
from collector.commands.reading import formats, show

_AGE = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LOOK_S = 0.5


class Moment(click.ParamType[int]):
    """An age such as 14d, or an ISO date with its zone; in nanoseconds since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse *value*, or fail with one line."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        if age := _AGE.fullmatch(text):
            return time.time_ns() - int(age[1]) * _SECONDS[age[2]] * 10**9
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or not 0 < at.timestamp() < 2**33:
            self.fail(
                f"'{text[:40]}': expected an age such as 14d, 36h, 90m or 30s, or a date with its zone such"
                " as 2026-11-30T08:00:00+01:00 or 2026-11-30T07:00Z.",
                param,
                ctx,
            )
        return int(at.timestamp() * 1_000_000) * 1_000


_reason = click.option("--reason", required=True, metavar="TEXT", help="Why: others read it beside it.")
_author = click.option("--author", metavar="NAME", help="Who says so.  [default: your login name]")


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--waiting-for", metavar="SERVICE", help="Flows to which this service owes something.")
@click.option("--after", multiple=True, metavar="T", help="After this event type; a join has several.")
@click.option("--missing", metavar="T", help="Flows in which this event type is missing.")
@click.option("--cause", metavar="CAUSE", help="Flows that stopped for this cause, as 'stuck' names it.")
@click.option(
    "--before", type=Moment(), metavar="WHEN", help="In which nothing happened since (14d, or a date)."
)
@click.option("--undo", is_flag=True, help="Show them again.")
@_reason
@_author
@formats
def dismiss(
    keys: tuple[str, ...],
    waiting_for: str | None,
    after: tuple[str, ...],
    missing: str | None,
    cause: str | None,
    before: int | None,
    undo: bool,
    reason: str,
    author: str | None,
    style: str,
) -> None:
    """Never mind flows that are stuck or failed, as they stand now.

    KEY is a flow key, flow id or trace id. Instead of keys, options describe an incident: a flow must fit all
    of them. What is dismissed stays listed as such (flows --state dismissed); a flow that goes on and stops
    again is shown again.
    """
    incident = {
        "service": waiting_for,
        "triggers": list(after) or None,
        "next_event_type": missing,
        "cause": cause,
        "before_unix_nano": before,
    }
    described = {name: value for name, value in incident.items() if value is not None}
    if bool(keys) == bool(described):
        raise click.UsageError(
            "Name flows by their KEYs, or describe an incident by options: one of the two."
        )
    what: Document = {"flows": list(keys)} if keys else {"incident": described}
    body = {**what, "undo": undo, "author": login() if author is None else author, "reason": reason}
    show(tell("/dismissals", body), style, sweeping_text.dismissed)


@click.command()
@click.option("--service", metavar="SERVICE", help="Spans of this service.")
@click.option("--before", type=Moment(), metavar="WHEN", help="Spans received before then (14d, or a date).")
@click.option("--flow", metavar="KEY", help="Spans of this flow: its key, id or trace id.")
@click.option("--yes", is_flag=True, help="Do it. Without this, only say what would go.")
@click.option("--reason", metavar="TEXT", help="Why: it is kept with the deletion. Needed with --yes.")
@_author
@formats
def delete(
    service: str | None,
    before: int | None,
    flow: str | None,
    yes: bool,
    reason: str | None,
    author: str | None,
    style: str,
) -> None:
    """Delete spans for good: those for which ALL given conditions hold.

    Without --yes, nothing is changed: it says what would go. What arrives after the command is not meant.
    """
    wanted = {"service": service, "before_unix_nano": before, "flow": flow}
    conditions = {name: value for name, value in wanted.items() if value is not None}
    if not conditions:
        raise click.UsageError("Say what: --service, --before, --flow, or several, which must all hold.")
    if yes and not (reason or "").strip():
        raise click.UsageError("--yes needs --reason TEXT: it stays, as what was deleted does not.")
    who = {"author": login() if author is None else author, "reason": reason or "a dry run"}
    document = tell("/deletions", {**conditions, "dry_run": not yes, **who}, timeout_s=600)
    if yes:
        document = _awaited(document)
    show(document, style, sweeping_text.deleted)
    if document["state"] == "failed":
        raise click.exceptions.Exit(1)


def _awaited(document: Document) -> Document:
    """*document* of a deletion once it has ended: with what was counted at its beginning."""
    while True:
        found = ask("/deletions")["deletions"]
        now = next((one for one in found if one["id"] == document["id"]), document)
        if now["state"] in {"done", "failed"}:
            told = {name: now[name] for name in ("state", "step", "ended_unix_nano", "error")}
            return {**document, **told}
        time.sleep(_LOOK_S)
