"""Which terms does a search line have, and where is each? Any text can be cut into terms."""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

_FIELD = re.compile(r"(-?)([A-Za-z_]+):")
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"\S+")
_OPERATOR = re.compile(r"(>=|<=|>|<|=|≥|≤)?")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)("?)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Value:
    """One value, without its quotes, and its place in the line."""

    text: str
    start: int
    end: int
    quoted: bool = False
    closed: bool = True  # false: its quotes have no end


@dataclass(frozen=True)
class Term:
    """A field with its values, or text, which has no field and one value."""

    start: int
    end: int
    values: tuple[Value, ...]
    field: str | None = None
    negated: bool = False


def terms(line: str, fields: Container[str], measured: Container[str]) -> Iterator[Term]:
    """The terms of *line*, in its order. Values of *measured* fields are not separated by commas."""
    place = _SPACE.match(line).end()  # type: ignore[union-attr]
    while place < len(line):
        term = _term(line, place, fields, measured)
        yield term
        place = _SPACE.match(line, term.end).end()  # type: ignore[union-attr]


def _term(line: str, start: int, fields: Container[str], measured: Container[str]) -> Term:
    if (head := _head(line, start, fields)) is None:
        negated = line.startswith('-"', start)
        value = _value(line, start + negated, "")
        return Term(start, value.end, (value,), negated=negated)
    name = head[2].lower()
    place = head.end()
    ahead = _SPACE.match(line, place).end()  # type: ignore[union-attr]
    if ahead < len(line) and _head(line, ahead, fields) is None:
        place = ahead  # as in "service: payment"
    values = []
    while True:
        value = _quantity(line, place, fields) if name in measured else _value(line, place, ",")
        values.append(value)
        place = value.end + 1
        if name in measured or not line.startswith(",", value.end):
            break
    kept = tuple(value for value in values if value.text or value.quoted)
    return Term(start, values[-1].end, kept, name, negated=bool(head[1]))


def _head(line: str, start: int, fields: Container[str]) -> "re.Match[str] | None":
    head = _FIELD.match(line, start)
    return head if head and head[2].lower() in fields else None


def _value(line: str, start: int, separator: str) -> Value:
    """The value at *start*: quoted, or up to white space or *separator*."""
    if quoted := _QUOTED.match(line, start):
        return Value(_ESCAPE.sub(r"\1", quoted[1]), start, quoted.end(), True, bool(quoted[2]))
    word = _WORD.match(line, start)
    text = word[0] if word else ""
    if separator:
        text = text.partition(separator)[0]
    return Value(text, start, start + len(text))


def _quantity(line: str, start: int, fields: Container[str]) -> Value:
    """The comparison at *start*: an operator, and what is compared with, which may be quoted."""
    operator = _OPERATOR.match(line, start)
    place = operator.end() if operator else start
    ahead = _SPACE.match(line, place).end()  # type: ignore[union-attr]
    if place > start and ahead < len(line) and _head(line, ahead, fields) is None:
        place = ahead  # as in "took:> 10s"
    value = _value(line, place, "")
    sign = operator[0] if operator else ""
    return Value(sign + value.text, start, value.end, value.quoted, value.closed)
