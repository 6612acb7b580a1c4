"""Formats what is expected, and what it rests on if nothing is stuck, as text for a terminal."""

import time
from collections.abc import Iterator
from typing import Any, TypeAlias

from collector.commands.calling import called
from collector.commands.terminal import clean, harmless, short, table
from collector.model.wording import HOUR, duration, percent

Document: TypeAlias = dict[str, Any]

NOT_KNOWN_YET = (
    "Nothing is known yet: the collector has just started, and goes through what came before. "
    "Ask again in some seconds."
)
_COLUMNS = (
    "SERVICE",
    "AFTER",
    "PUBLISHES/NEEDS",
    "STATE",
    "SHARE",
    "N",
    "P50",
    "P99",
    "DEADLINE",
    "SINCE",
    "LAST",
    "MISSES",
)
_OWED = "flows that ended are still owed something."
_DROPPED = "less happens than normally:"


def calm(document: Document) -> list[str]:
    """What may be said if no flow is stuck: never that all is well while a share has fallen."""
    rests, unexplained, unlisted = document["rests_on"], _unexplained(document), _unlisted(document)
    nothing = "Nothing else" if unexplained else "Nothing"
    if document["drops"]:
        head = [f"No{' other' if unexplained else ''} flow is stuck, but {_DROPPED}", *_drops(document)]
    elif any(note["kind"] == "ended_flows_owed" for note in rests["notes"]):
        head = [f"No{' other' if unexplained else ''} flow is stuck, but {_OWED}"]
    else:
        # What a limit leaves out may be stuck, and nobody would know.
        crowded = any(note["kind"] == "crowded" for note in rests["notes"])
        newer = "Nothing newer is stuck." if unlisted else f"{nothing} is stuck."
        calm = f"{nothing} is known to be stuck." if crowded or (unexplained and unlisted) else newer
        head = [calm if rests["expected"] else f"{nothing} can be called stuck yet."]
    return [*unexplained, *head, *unlisted, clean(rests["sentence"]), *_notes(document)]


def beside(document: Document) -> list[str]:
    """What is added to findings: the shares that have fallen, and what the rest's calm rests on."""
    drops = [f"{_DROPPED[0].upper()}{_DROPPED[1:]}", *_drops(document)] if document["drops"] else []
    return [
        *_unexplained(document),
        *_unlisted(document),
        clean(document["rests_on"]["sentence"]),
        *_notes(document),
        *drops,
    ]


def expectations(document: Document, now: int, event_type: str = "", service: str = "") -> str:
    """A row for each step; then what has fallen, and what changed within a day.

    With *event_type* or *service*, which the document is about, all that ever changed.
    """
    if not document["replayed"]:
        return NOT_KNOWN_YET
    steps, narrowed = document["expectations"], bool(event_type or service)
    lines = [clean(f"The declared expectations: {document['problem']}"), ""] if document["problem"] else []
    if steps:
        lines += table(_COLUMNS, (_row(step, now) for step in steps))
    elif narrowed:
        asked = [f"after {short(event_type)}"] * bool(event_type) + [f"of {short(service)}"] * bool(service)
        lines.append(f"Nothing is known {' '.join(asked)}.")
    else:
        lines.append("Nothing is known yet: no flow has taught what normally follows.")
    lines += _disused(steps, now)
    if document["drops"]:
        lines += ["", f"{_DROPPED[0].upper()}{_DROPPED[1:]}", *_drops(document)]
    since = 0 if narrowed else now - 24 * HOUR
    if changes := sorted(change for change in _changes(document) if change[0] > since):
        lines += ["", "Changes:" if narrowed else "Learned or changed in the last 24 h:"]
        lines += [f"  {_moment(at)}  {text}" for at, text in changes]
    return "\n".join([*lines, "", clean(document["rests_on"]["sentence"]), *_notes(document)])


def _unexplained(document: Document) -> list[str]:
    left = document.get("unexplained")  # an older collector has none
    return [f"{clean(left['sentence'])} 'choreoscope flows --state stuck,failed' shows them."] if left else []


def _unlisted(document: Document) -> list[str]:
    left = document.get("unlisted")
    return [f"{clean(left['sentence'])} 'choreoscope flows --state stuck' shows them."] if left else []


def _notes(document: Document) -> list[str]:
    return [clean(note["text"]) for note in document["rests_on"]["notes"]]


def decided(document: Document) -> str:
    """What was stored."""
    word, service, event_type = (document[name] for name in ("word", "service", "event_type"))
    if word == "keep":
        return f"Kept: {short(service)} is expected to take every {short(event_type)}."
    again = harmless(_command("keep", event_type, service))
    return (
        f"Forgotten: nothing is expected of {short(service)} after {short(event_type)} any more.\n"
        f"Expect it again with: {again}"
    )


def _row(step: Document, now: int) -> tuple[str, ...]:
    known = step["n"] > 0
    join = " or " if step["kind"] == "input" else " and "
    group = "" if step["group"] == step["service"] else f" ({step['group']})"
    # What a reaction publishes has rows of its own.
    publishes = "" if step["kind"] == "reaction" else ", ".join(step["publishes"])
    return (
        short(f"{step['service']}{group}"),
        short(join.join(step["triggers"])),
        short(f"needs {step['needs']}" if step["needs"] else publishes),
        clean(step["said"]),
        percent(step["share"]) if known else "",
        f"{step['n']:,}",
        _ms(step["p50_ms"]),
        _ms(step["p99_ms"]),
        _ms(step["deadline_ms"]),
        _ago(step["since_unix_nano"], now),
        _ago(step["kept_unix_nano"], now),
        f"{step['missed']:,} of {step['recent']:,}" if step["recent"] else "",
    )


def _disused(steps: list[Document], now: int) -> Iterator[str]:
    """What nobody has seen for a day, and how to say that it is gone."""
    asked = set()
    for step in steps:
        what = step["event_type"], step["service"]
        if step["disused"] and what not in asked:
            asked.add(what)
            last = (
                f"not seen for {_age(step['kept_unix_nano'], now)}"
                if step["kept_unix_nano"]
                else "never seen"
            )
            yield ""
            who = f"{short(step['service'])} after {short(step['event_type'])}"
            yield f"{who}: {last}: still expected; forget it?"
            yield f"  {harmless(_command('forget', *what))}"


def _drops(document: Document) -> list[str]:
    return [f"  {clean(drop['sentence'])}" for drop in document["drops"]]


def _changes(document: Document) -> Iterator[tuple[int, str]]:
    """When something changed, and what; and what people said about steps that show no change by it."""
    shown = set()
    for step in document["expectations"]:
        join = " or " if step["kind"] == "input" else " and "
        publishing = f" publishing {', '.join(step['publishes'])}" if step["kind"] == "publish" else ""
        what = f"{step['service']}{publishing} after {join.join(step['triggers'])}"
        for change in step["history"]:
            at = change["time_unix_nano"]
            shown.add((at, change["author"]))
            yield at, clean(f"{what}: {change['state']}: {_by(change)}")
    for said in document["decisions"]:
        if (said["time_unix_nano"], said["author"]) not in shown:
            text = f"{said['service']} after {said['event_type']}: {said['word']}: {said['reason']}"
            yield said["time_unix_nano"], clean(f"{text} ({said['author']})")


def _by(change: Document) -> str:
    said = [change["change"], change["reason"]]
    text = ": ".join(part for part in said if part)
    return f"{text} ({change['author']})" if change["author"] else text


def _command(word: str, event_type: str, service: str) -> str:
    where = ["--event-type", event_type, "--service", service]
    return f"{called('expectations', word, *where)} --reason TEXT"


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1e9))


def _ms(value: float | None) -> str:
    return "" if value is None else duration(value / 1e3)


def _age(at: int, now: int) -> str:
    return duration(max(now - at, 0) / 1e9)


def _ago(at: int | None, now: int) -> str:
    return f"{_age(at, now)} ago" if at else ""
