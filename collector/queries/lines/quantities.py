"""What is compared in a search line: durations, times and numbers, as whole numbers between two limits."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from collector.model.wording import SECOND

_DAY = 86_400 * SECOND
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
    "d": _DAY,
    "w": 7 * _DAY,
}
_MOST = 2**63 - 1  # of what a column holds
_OPERATORS = (">=", "<=", ">", "<", "=", "≥", "≤")
_SAME = {"≥": ">=", "≤": "<="}

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"[0-9]+")
_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:[tT\s]\s*(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?\s*([zZ]|[+-]\d\d(?::?\d\d)?)?)?)?)?",
    re.ASCII,
)


class UnreadableError(ValueError):
    """It is no such quantity."""


@dataclass(frozen=True)
class Quantity:
    """What was written: *at* exactly; or, if it was written less exactly, from *at* on."""

    at: int
    upto: int  # the last that `<=` and a range include
    same: int  # the last that `=` includes: all that begins with what was written
    since: bool = False  # without an operator, it means what came since then


@dataclass(frozen=True)
class Kind:
    """How one kind of quantity is read, and what an error says is expected."""

    read: Callable[[str, int], Quantity]
    expected: str


def limits(text: str, kind: Kind, now: int) -> tuple[int | None, int | None]:
    """The lowest and the highest number that *text* admits; raise `UnreadableError` if it cannot be read."""
    first, between, second = text.partition("..")
    if between:
        low = kind.read(first.strip(), now) if first.strip() else None
        high = kind.read(second.strip(), now) if second.strip() else None
        if low is None and high is None:
            raise UnreadableError
        if low is not None and high is not None and high.upto < low.at:
            raise UnreadableError
        return (None if low is None else low.at), (None if high is None else high.upto)
    sign = next((one for one in _OPERATORS if text.startswith(one)), "")
    found = kind.read(text[len(sign) :].strip(), now)
    sign = _SAME.get(sign, sign)
    if sign in {"", "="}:
        return (found.at, None) if found.since else (found.at, found.same)
    return {
        ">": (_bounded(found.at + 1), None),
        ">=": (found.at, None),
        "<": (None, _bounded(found.at - 1)),
        "<=": (None, found.upto),
    }[sign]


def _bounded(number: int) -> int:
    return max(min(number, _MOST), -_MOST)


def _duration(text: str, now: int) -> Quantity:
    nanoseconds, finest = _nanoseconds(text)
    at = _bounded(nanoseconds)
    return Quantity(at, at, _bounded(at + max(finest, 1) - 1))


def _nanoseconds(text: str) -> tuple[int, int]:
    """The duration that *text* says, and the smallest step that it is written in."""
    text = "".join(text.lower().replace("μ", "µ").split())
    if text == "0":
        return 0, 1
    if not _DURATION.fullmatch(text):
        raise UnreadableError
    found, finest = 0, _MOST
    for number, unit in _PART.findall(text):
        found += int(Decimal(number) * _UNITS[unit])
        finest = min(finest, _UNITS[unit] // 10 ** len(number.partition(".")[2]))
    return found, finest


def _number(text: str, now: int) -> Quantity:
    if not _NUMBER.fullmatch(text):
        raise UnreadableError
    at = int(Decimal(text).min(_MOST))
    return Quantity(at, at, at)


def _time(text: str, now: int) -> Quantity:
    word = text.lower()
    if word in {"now", "-0"}:
        return Quantity(now, now, now, since=True)
    if word in {"today", "yesterday"}:
        at = now - now % _DAY - (_DAY if word == "yesterday" else 0)
        return Quantity(at, at + _DAY - 1, at + _DAY - 1)
    if word.startswith("-"):
        ago, _ = _nanoseconds(word[1:])
        at = _bounded(now - ago)
        return Quantity(at, at, at, since=True)
    if not (found := _TIME.fullmatch(text.strip())):
        raise UnreadableError
    return _calendar(*found.groups())


def _calendar(*parts: str | None) -> Quantity:
    """The time with these parts; what is left out at the end makes it less exact."""
    year, month, day, hour, minute, second, fraction, zone = parts
    try:
        begin = datetime(
            int(year or 0),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise UnreadableError from error
    at = (begin - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * SECOND
    if fraction:
        step = 10 ** (9 - len(fraction))
        at += int(fraction) * step
    elif day is None:
        following = (year, int(month) + 1) if month and month != "12" else (int(year or 0) + 1, 1)
        step = _days(int(following[0] or 0), following[1]) * _DAY - at
    else:
        step = SECOND if second else 60 * SECOND if minute else 3_600 * SECOND if hour else _DAY
    at -= _offset(zone)
    end = _bounded(at + step - 1)
    return Quantity(_bounded(at), end, end)


def _days(year: int, month: int) -> int:
    """How many days after 1970-01-01 this month begins."""
    if year > 9999:  # beyond what the library knows
        return 2_932_897
    return (datetime(year, month, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


def _offset(zone: str | None) -> int:
    """How far the clocks of *zone* are ahead of UTC, nanoseconds."""
    if zone is None or zone in {"Z", "z"}:
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 18 or minutes > 59:
        raise UnreadableError
    ahead = (hours * 60 + minutes) * 60 * SECOND
    return -ahead if zone.startswith("-") else ahead


DURATION = Kind(_duration, "a duration with its unit, such as >10s, <=500ms, >1m30s or 1s..5m")
TIME = Kind(
    _time,
    "a time, such as >2026-11-29, >2026-11-29T10:00 (UTC), <2026-11-29T10:00+01:00, >-15m or -2h..-1h",
)
NUMBER = Kind(_number, "a whole number, such as >50, 3 or 10..20")
