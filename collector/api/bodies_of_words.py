"""What people say, in the body of a request: JSON, small, with exactly the fields that are expected."""

from typing import Any

import msgspec

from collector.queries import deciding, deleting, dismissing
from collector.web.bodies import BodyError

_PER_CHARACTER = 12  # bytes at the most: escaped, as two halves of a surrogate pair


def document_in(body: bytes, author: str = "") -> object:
    """The JSON document in *body*, by *author* if it names none; raise `BodyError` if it is no JSON."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BodyError(f"The body is no JSON: {str(error)[:200]}.") from error
    if author and isinstance(document, dict):
        document.setdefault("author", author)
    return document


def _longest(*texts: int) -> int:
    """How many bytes a body has at the most with texts of so many characters."""
    return _PER_CHARACTER * sum(texts) + 4_096


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def _texts(many: int, most: int) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": many, "items": _text(most)}


def _object(fields: dict[str, Any], needed: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": needed, "additionalProperties": False}


def _described(fields: dict[str, Any], needed: list[str]) -> dict[str, Any]:
    """For the OpenAPI page."""
    schema = _object(fields, needed)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _needed(fields: dict[str, Any]) -> list[str]:
    """All of *fields* but the author, for whom a token's name can stand."""
    return [name for name in fields if name != "author"]


_WISH: dict[str, Any] = {"word": {"type": "string", "enum": list(deciding.WORDS)}} | {
    name: _text(most) for name, most in deciding.LONGEST.items()
}
DECISION = _described(_WISH, _needed(_WISH))
LONGEST_DECISION = _longest(*deciding.LONGEST.values())

_NAME = _text(dismissing.LONGEST_NAME)
_WHO: dict[str, Any] = {name: _text(most) for name, most in dismissing.LONGEST.items()}
_INCIDENT: dict[str, Any] = {
    "service": _NAME,
    "triggers": _texts(dismissing.MOST_TRIGGERS, dismissing.LONGEST_NAME),
    "next_event_type": _NAME,
    "cause": _NAME,
    "before_unix_nano": {"type": "integer", "minimum": 1},
}
DISMISSAL = _described(
    {
        "flows": _texts(dismissing.MOST_NAMED, dismissing.LONGEST_KEY),
        "incident": _object(_INCIDENT, []),
        "undo": {"type": "boolean"},
        **_WHO,
    },
    _needed(_WHO),
)
DELETION = _described(
    {
        "service": _text(deleting.LONGEST_SERVICE),
        "before_unix_nano": {"type": "integer", "minimum": 1},
        "flow": _text(deleting.LONGEST_KEY),
        "dry_run": {"type": "boolean", "default": True},
        **_WHO,
    },
    _needed(_WHO),
)
LONGEST_DELETION = _longest(deleting.LONGEST_SERVICE, deleting.LONGEST_KEY, *deleting.LONGEST.values())
LONGEST_DISMISSAL = 4 * 1024 * 1024  # room for as many keys as may be named, if they are not absurdly long
