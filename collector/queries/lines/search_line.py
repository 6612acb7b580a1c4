"""What does a search line ask for, and what of it cannot be read? The rest of it counts all the same."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from collector.model.conditions import Condition, Erred, IsVariant, Measure, Mentions, Name, Where, Within
from collector.model.flows import State
from collector.model.variant_ids import variant_of
from collector.queries.lines.quantities import DURATION, NUMBER, TIME, Kind, UnreadableError, limits
from collector.queries.lines.terms import Term, Value, terms

_SHOWN = 40  # characters of a value in a problem
_MOST_TERMS = 30  # each is looked for in all flows

STATES: Mapping[str, int] = {state.word: int(state) for state in State}
DISMISSED = "dismissed"  # no state of a flow, but asked for like one
STATE_WORDS = ("stuck", "failed", "late", "running", "done", DISMISSED)

_MEASURES: Mapping[str, tuple[Measure, Kind]] = {
    "took": ("took", DURATION),
    "started": ("started", TIME),
    "last": ("last", TIME),
    "messages": ("messages", NUMBER),
    "reactions": ("reactions", NUMBER),
    "wait": ("wait", DURATION),
    "work": ("work", DURATION),
}
_NAMES: Mapping[str, Where] = {
    "service": "named",
    "event": "named",
    "waiting": "waiting",
    "outcome": "outcome",
}
FIELDS = ("service", "event", "state", "waiting", "outcome", "variant", "error", *_MEASURES)
# What people write who do not know our word for it.
_MEANT = {
    "status": "state",
    "duration": "took",
    "latency": "took",
    "type": "event",
    "event_type": "event",
    "start": "started",
    "failed": "error",
}
_LIKE_FIELD = re.compile(r"-?([A-Za-z_]+):\S")
_VARIANT_ID = re.compile(r"[0-9a-fA-F]{16}")
_YES, _NO = {"yes", "true", "any"}, {"no", "false", "none"}

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """What cannot be read, or not be meant, from *start* to before *end*, and what was expected."""

    start: int
    end: int
    sentence: str


@dataclass(frozen=True)
class Read:
    """A term that counts: its place, and its field; None for text."""

    start: int
    end: int
    field: str | None
    negated: bool


@dataclass(frozen=True)
class Line:
    """A search line, as it was read."""

    text: str = ""
    states: frozenset[str] | None = None  # words; None: all
    conditions: tuple[Condition, ...] = ()
    terms: tuple[Read, ...] = ()
    problems: tuple[Problem, ...] = ()
    names: tuple[str, ...] = ()  # what was given as text, and may be the name of a flow


@dataclass
class _Reading:
    """What was read so far."""

    now: int
    states: set[str] | None = None
    without: set[str] = field(default_factory=set)
    conditions: list[Condition] = field(default_factory=list)
    # Of these, a flow has one at most: several terms are alternatives, as one term with commas is.
    outcomes: list[Name] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def read(text: str, now: int) -> Line:
    """What the line *text* asks for at the time *now*, nanoseconds since the epoch. Any text can be read."""
    reading = _Reading(now)
    counted = []
    for number, term in enumerate(terms(text, FIELDS, _MEASURES)):
        if number == _MOST_TERMS:
            said = f"Only the first {_MOST_TERMS} conditions count: expected no more."
            reading.problems.append(Problem(term.start, len(text), said))
            break
        for value in term.values:
            if not value.closed:
                said = "The quotes are not closed: they were read up to the end of the line."
                reading.problems.append(Problem(value.start, value.end, said))
        if _READERS.get(term.field or "", _text)(term, reading):
            counted.append(Read(term.start, term.end, term.field, term.negated))
    if reading.outcomes:
        reading.conditions.append(Mentions("outcome", tuple(reading.outcomes)))
    states = reading.states
    if reading.without:
        states = (set(STATE_WORDS) if states is None else states) - reading.without
    return Line(
        text,
        None if states is None else frozenset(states),
        tuple(reading.conditions),
        tuple(counted),
        tuple(reading.problems),
        tuple(reading.names),
    )


def _text(term: Term, reading: _Reading) -> bool:
    (value,) = term.values
    if not value.text:
        return False
    if not value.quoted and (like := _LIKE_FIELD.match(value.text)):
        name = like[1].lower()
        near = _MEANT.get(name) or next(iter(get_close_matches(name, FIELDS, 1, 0.75)), None)
        if near:
            said = f"There is no '{_cut(like[1])}:', so it was searched as text. Did you mean '{near}:'?"
            reading.problems.append(Problem(value.start, value.end, said))
    reading.conditions.append(Mentions("text", (Name(value.text, False, False),), term.negated))
    if not term.negated:
        reading.names.append(value.text)
    return True


def _state(term: Term, reading: _Reading) -> bool:
    words = set(_each(term, reading, _state_word, f"{', '.join(STATE_WORDS[:-1])} or {STATE_WORDS[-1]}"))
    if not words:
        return False
    if term.negated:
        reading.without |= words
    else:
        reading.states = words | (reading.states or set())
    return True


def _state_word(value: Value) -> str:
    if value.text.lower() not in STATE_WORDS:
        raise UnreadableError
    return value.text.lower()


def _names(term: Term, reading: _Reading) -> bool:
    names = tuple(_each(term, reading, _name, f"a name, such as {term.field}:{_EXAMPLES[term.field or '']}"))
    if not names:
        return False
    if term.field == "outcome" and not term.negated:
        reading.outcomes += names
    else:
        reading.conditions.append(Mentions(_NAMES[term.field or ""], names, term.negated))
    return True


_EXAMPLES = {"service": "payment", "event": "OrderPlaced", "waiting": "payment", "outcome": "OrderShipped"}


def _name(value: Value) -> Name:
    """The name that is meant; an asterisk at an end of it, unless it is in quotes, stands for anything."""
    if value.quoted:
        text, begins, ends = value.text, True, True
    else:
        text = value.text.strip("*")
        begins, ends = not value.text.startswith("*"), not value.text.endswith("*")
    if not text.strip():
        raise UnreadableError
    return Name(text, begins, ends)


def _error(term: Term, reading: _Reading) -> bool:
    said = tuple(_each(term, reading, _error_word, "yes, no or a service, such as error:payment"))
    words = {one for one in said if isinstance(one, bool)}
    names = tuple(one for one in said if isinstance(one, Name))
    if not said:
        return False
    if names and not words:
        reading.conditions.append(Mentions("failures", names, term.negated))
    elif len(words) == 1 and not names:
        reading.conditions.append(Erred(negated=term.negated == words.pop()))
    elif words == {True}:
        reading.conditions.append(Erred(term.negated))  # of whichever service
    else:
        reading.problems.append(
            Problem(term.start, term.end, "error is both yes and no: expected one of them, or services.")
        )
        return False
    return True


def _error_word(value: Value) -> bool | Name:
    word = value.text.lower()
    if not value.quoted and word in _YES | _NO:
        return word in _YES
    return _name(value)


def _variant(term: Term, reading: _Reading) -> bool:
    if not term.values:
        _empty(term, reading, "the id of a variant, or all its event types, such as variant:A,B")
        return False
    first = term.values[0]
    if len(term.values) == 1 and not first.quoted and _VARIANT_ID.fullmatch(first.text):
        chosen = int(first.text, 16)
    else:
        chosen = variant_of(value.text for value in term.values)
    reading.conditions.append(IsVariant((chosen,), term.negated))
    return True


def _measure(term: Term, reading: _Reading) -> bool:
    measure, kind = _MEASURES[term.field or ""]
    found = tuple(_each(term, reading, lambda value: limits(value.text, kind, reading.now), kind.expected))
    for low, high in found:
        reading.conditions.append(Within(measure, low, high, term.negated))
    return bool(found)


def _each(term: Term, reading: _Reading, read_one: Callable[[Value], T], expected: str) -> list[T]:
    """What each value of *term* means; those that mean nothing are reported."""
    found = []
    if not term.values:
        _empty(term, reading, expected)
    for value in term.values:
        try:
            found.append(read_one(value))
        except UnreadableError:
            said = f"{term.field} is '{_cut(value.text)}': expected {expected}."
            reading.problems.append(Problem(value.start, value.end, said))
    return found


def _empty(term: Term, reading: _Reading, expected: str) -> None:
    said = f"{term.field} has no value: expected {expected}."
    reading.problems.append(Problem(term.start, term.end, said))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_READERS: Mapping[str, Callable[[Term, _Reading], bool]] = {
    "state": _state,
    "error": _error,
    "variant": _variant,
    **dict.fromkeys(_NAMES, _names),
    **dict.fromkeys(_MEASURES, _measure),
}
