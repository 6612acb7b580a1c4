"""A decision in the body of a request: JSON, small, with exactly the fields that are expected."""

from typing import Any

import msgspec

from collector.queries import Wish, wish_of
from collector.queries.deciding import LONGEST, WORDS
from collector.web.bodies import BodyError

# The longest texts, if all of their characters are escaped: twelve bytes, as two halves of a surrogate pair.
LONGEST_BODY = 12 * sum(LONGEST.values()) + 4_096

_FIELDS: dict[str, Any] = {"word": {"type": "string", "enum": list(WORDS)}} | {
    name: {"type": "string", "minLength": 1, "maxLength": most} for name, most in LONGEST.items()
}
_SCHEMA = {
    "type": "object",
    "properties": _FIELDS,
    "required": [name for name in _FIELDS if name != "author"],  # a token's name can stand for it
    "additionalProperties": False,
}
# For the OpenAPI page.
DESCRIBED: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}
}


def wish_in(body: bytes, author: str = "") -> Wish:
    """The wish in *body*, by *author* if it names none.

    Raise `BodyError` if it is no JSON, `QuestionError` if a field is wrong.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BodyError(f"The body is no JSON: {str(error)[:200]}.") from error
    if author and isinstance(document, dict):
        document.setdefault("author", author)
    return wish_of(document)
