"""Formats the connection check as text for a terminal."""

from typing import Any, TypeAlias

from collector.commands.terminal import clean, short, table, tinted
from collector.model.wording import counted, duration, moment

Document: TypeAlias = dict[str, Any]


def connections(document: Document, now: int) -> str:
    """What seems wrong, with what mends it; then the services, and what each sends and handles."""
    return "\n".join([*_problems(document), *_services(document, now), *_pairs(document)])


def _problems(document: Document) -> list[str]:
    flows = counted(document["flows"], "flow")
    if not document["enough"]:
        window = duration(document["window_s"])
        return [
            tinted(f"Too little was seen to tell what is wrong: {flows} in the last {window}.", "head"),
            "Spans are sent to the collector's OTLP ports; a flow counts half a minute after its last span.",
        ]
    found = document["problems"]
    if not found:
        return [tinted(f"Nothing seems wrong with what {flows} tell.", "head")]
    lines = [tinted(f"{counted(len(found), 'thing')} may be wrong, as far as {flows} tell:", "head")]
    for problem in found:
        lines += ["", clean(problem["sentence"]), f"  {clean(problem['fix'])}", f"  {problem['docs']}"]
    return lines


def _services(document: Document, now: int) -> list[str]:
    rows = [
        (
            short(one["service"]),
            short(one["language"] or ""),
            short(one["sdk"] or ""),
            moment(one["last_unix_nano"], now),
            duration(one["export_delay_p99_s"]),
        )
        for one in document["services"]
    ]
    return ["", *table(("SERVICE", "LANGUAGE", "SDK", "LAST SPAN", "EXPORT P99"), rows)] if rows else []


def _pairs(document: Document) -> list[str]:
    rows = [
        (
            short(one["service"]),
            short(one["destination"]),
            f"{one['sent']:,}",
            f"{one['handled']:,}",
            f"{one['with_context']:,}" if one["handled"] else "",
            f"{one['with_flow_key']:,}",
        )
        for one in document["connections"]
    ]
    head = ("SERVICE", "DESTINATION", "SENT", "HANDLED", "WITH CONTEXT", "WITH FLOW KEY")
    return ["", *table(head, rows)] if rows else []
