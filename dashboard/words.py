"""How are durations, counts and causes worded? The same way on all pages.

Ages grow while the page is open, so the browser formats them: `ages.js`, in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypedDict

SECOND = 1_000_000_000


class Part(TypedDict, total=False):
    """A piece of a sentence: plain text, a highlighted name, or an age.

    `mark` is "code" (an event type) or "strong" (a service). `since` is when an age
    begins, in nanoseconds; the browser lets the age grow. `target` makes it a link.
    """

    text: str
    mark: str
    since: int
    target: dict[str, str]


# Each cause, worded to follow the name of the service that owes the reaction.
CAUSES = {
    "nobody_subscribed": "is not subscribed",
    "consumer_down": "is down",
    "consumer_paused": "is paused at the broker",
    "backlog": "is alive and behind",
    "not_acknowledged": "took it and has not finished",
    "handler_failed": "tried and failed",
    "gave_up": "has given it up",
    "handler_silent": "published nothing",
    "context_lost": "answered without context",
    "telemetry_missing": "acted unseen",
    "waiting_for_other": "waits for another event too",
    "unknown": "has not reacted, and nothing shows why",
}

# How an edge is known, for the inspector.
BECAUSES = {
    "link": "span link",
    "parent": "parent span",
    "message_id": "same message id",
    "causation_id": "causation id",
    "conversation": "same conversation",
    "flow_key": "same flow key, what its service took last",
}


def quoted(name: str) -> str:
    """Return *name* as a value of a search line, whatever is in it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def duration(ms: float | None) -> str:
    """Format a duration with at most three digits: `218 ms`, `1.96 s`, `41 s`, `14 m`, `2 h 5 m`."""
    if ms is None:
        return ""
    if ms < 0:
        return "\u2212" + duration(-ms)
    if ms < 999.5:
        return f"{ms:.0f} ms" if ms >= 10 or ms == 0 else f"{ms:.1f} ms" if ms >= 0.1 else "<0.1 ms"
    seconds = ms / 1000
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 29.95 else f"{int(seconds)} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} m"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} m" if rest and hours < 10 else f"{hours} h"
    return f"{hours // 24} d"


def tick(ms: float, pace_ms: float) -> str:
    """Format an axis label, precise enough to tell labels *pace_ms* apart from each other."""
    if ms == 0:
        return "0"
    if pace_ms >= 60_000 or ms < 1_000:
        return duration(ms)
    digits = 0 if pace_ms >= 1_000 else 1 if pace_ms >= 100 else 2 if pace_ms >= 10 else 3
    minutes, seconds = divmod(round(ms / 1000, digits), 60)
    said = f"{seconds:.{digits}f} s"
    return f"{minutes:.0f} m {said}" if minutes else said


def offset(ns: int) -> str:
    """Format a time relative to the start of its flow: `+2.85 s`."""
    said = duration(ns / 1_000_000)
    return said if ns < 0 else "+" + said


def offsets(moments: Iterable[int]) -> dict[int, str]:
    """Format times (ns) after the start of a flow, each as exactly as tells it from its neighbours.

    Four steps at `+2 m` are `+2 m 3.41 s`, `+2 m 3.43 s` and so on; one that is alone stays `+2 m`.
    """
    found = sorted(set(moments))
    ways = [[offset(ns), *(_exact(ns, digits) for digits in range(4))] for ns in found]
    said = {}
    for at, ns in enumerate(found):
        beside = [ways[other] for other in (at - 1, at + 1) if 0 <= other < len(found)]
        way = next((n for n in range(5) if all(ways[at][n] != other[n] for other in beside)), 4)
        said[ns] = ways[at][way]
    return said


def _exact(ns: int, digits: int) -> str:
    """Format an offset to *digits* of a second: `+1 h 2 m 3.41 s`. Milliseconds are as exact as they get."""
    if ns < SECOND:
        return offset(ns)
    minutes, seconds = divmod(round(ns / SECOND, digits), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} m"] * bool(hours or minutes)
    return "+" + " ".join([*parts, f"{seconds:.{digits}f} s"])


def number(value: float) -> str:
    """Format a count or a rate: `12,480`, `3.4`."""
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}"


def count(value: int, thing: str, plural: str | None = None) -> str:
    """Format a number of things: `1 flow`, `31 flows`."""
    return f"{value:,} {thing if value == 1 else plural or thing + 's'}"


def times(thing: str, value: int) -> str:
    """Format a thing and how often it occurs: `missing parent`, `missing parent \u00d7 3`."""
    return thing if value == 1 else f"{thing} \u00d7 {value:,}"


def share(part: float) -> str:
    """Format a share: `98 %`, but never 0 or 100 for a share that is only close to it."""
    percent = part * 100
    if 0 < percent < 1:
        return "<1 %"
    if 99 < percent < 100:
        return ">99 %"
    return f"{percent:.0f} %"


def apart(ahead: float | None, least: float | None, most: float | None) -> str:
    """Describe how far apart two clocks are, in milliseconds: `about 21 ms behind`; empty if unknown."""
    if ahead is not None and least is not None and most is not None:
        if least <= 0 <= most:
            return f"within {duration(max(-least, most))} of"
        return f"about {duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'}"
    if least is not None and least > 0 and most is None:
        return f"at least {duration(least)} ahead of"
    if most is not None and most < 0 and least is None:
        return f"at least {duration(-most)} behind"
    return ""


def cause(name: str) -> str:
    """Return a cause, worded to follow the name of a service."""
    return CAUSES.get(name, name.replace("_", " "))


def marked(sentence: str, *, codes: Iterable[str | None], strongs: Iterable[str | None]) -> list[Part]:
    """Split *sentence* into parts, so that the event types and services in it can be highlighted.

    Only whole words match: the service `order` does not match in `OrderPlaced`.
    """
    marks = {word: "strong" for word in strongs if word} | {word: "code" for word in codes if word}
    parts: list[Part] = []
    plain = 0
    at = 0
    words = sorted(marks, key=len, reverse=True)
    while at < len(sentence):
        word = next((word for word in words if _whole(sentence, at, word)), None)
        if word is None:
            at += 1
            continue
        if plain < at:
            parts.append({"text": sentence[plain:at]})
        parts.append({"text": word, "mark": marks[word]})
        at = plain = at + len(word)
    if plain < len(sentence):
        parts.append({"text": sentence[plain:]})
    return parts


def _whole(sentence: str, at: int, word: str) -> bool:
    end = at + len(word)
    before = sentence[at - 1] if at else " "
    after = sentence[end] if end < len(sentence) else " "
    return sentence.startswith(word, at) and not _inside(before) and not _inside(after)


def _inside(character: str) -> bool:
    return character.isalnum() or character in "_-"


def visible(text: str, kept: str = "") -> str:
    r"""Show what nobody sees, such as control characters and turns of direction, as JSON does: `\\u202e`.

    In JSON they stay what they are. Those in *kept* stay anywhere.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in kept else json.dumps(one)[1:-1] for one in text)


def short(text: str, longest: int = 60) -> str:
    """Cut a text that may be long to *longest* characters."""
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"
