"""Does a JSON document have exactly the fields that a person's word needs, and are they what they should be?

Each function raises `QuestionError`, which names the field, its value and what was expected.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from collector.queries.paging import QuestionError

SHOWN = 80  # characters of a value in an error
_STRIPPED = {"author", "reason"}  # what people write; names of others stay as they are


def object_of(
    document: object, needed: Sequence[str], may: Sequence[str] = (), *, what: str = "The body"
) -> Mapping[str, Any]:
    """*document* as an object with the fields *needed*, and perhaps those that it *may* have."""
    fields = (*needed, *may)
    if not isinstance(document, dict):
        raise QuestionError(f"{what} is no JSON object: expected one with {listed(fields)}.")
    for name, value in document.items():
        if name not in fields:
            raise QuestionError(f"{cut(name)} is {shown(value)}: no such field, expected {listed(fields)}.")
    for name in needed:
        if name not in document:
            raise QuestionError(f"{name} is missing: expected {listed(fields)}.")
    return document


def text_of(document: Mapping[str, Any], name: str, most: int) -> str:
    """The text in the field *name*, of at most *most* characters."""
    value = document[name]
    text = value.strip() if isinstance(value, str) and name in _STRIPPED else value
    if not isinstance(text, str) or not text.strip() or len(text) > most:
        long = f" ({len(text):,} characters)" if isinstance(text, str) and len(text) > SHOWN else ""
        expected = f"text of 1 to {most:,} characters"
        raise QuestionError(f"{name} is {shown(value)}{long}: expected {expected}.")
    return text


def texts_of(document: Mapping[str, Any], name: str, many: int, most: int) -> tuple[str, ...]:
    """The 1 to *many* texts in the list *name*, each of at most *most* characters."""
    value = document[name]
    if not isinstance(value, list) or not 1 <= len(value) <= many:
        held = f"a list of {len(value):,}" if isinstance(value, list) else shown(value)
        raise QuestionError(f"{name} is {held}: expected a list of 1 to {many:,} texts.")
    return tuple(text_of({name: one}, name, most) for one in value)


def flag_of(document: Mapping[str, Any], name: str, *, otherwise: bool) -> bool:
    """The field *name*, which is true or false; *otherwise* if it is not there."""
    value = document.get(name, otherwise)
    if not isinstance(value, bool):
        raise QuestionError(f"{name} is {shown(value)}: expected true or false.")
    return value


def time_of(document: Mapping[str, Any], name: str) -> int:
    """The field *name* in nanoseconds since the epoch; 0 if it is not there."""
    value = document.get(name, 0)
    if name in document and (type(value) is not int or not 0 < value < 2**63):
        raise QuestionError(f"{name} is {shown(value)}: expected nanoseconds since 1970, as an integer.")
    return int(value)


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(names[:-1])} and {names[-1]}"


def shown(value: object) -> str:
    """*value* in an error."""
    return f"'{cut(value)}'" if isinstance(value, str) else cut(repr(value))


def cut(text: str, most: int = SHOWN) -> str:
    """The beginning of *text*."""
    return text if len(text) <= most else f"{text[:most]}..."
