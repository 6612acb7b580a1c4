"""What of a span may leave? Its row, with "hidden by rule" in place of every value that a rule hides.

Names are those of attributes (of a span, its resource, scope, events and links), keys inside maps, keys of
JSON in a text, and what stands before "=", ":" or ">" in any other text, such as baggage, a query or a
header. A text of that kind is hidden as a whole, and so is JSON that was cut off: nobody knows what of it is
left. What is hidden once is hidden wherever the same span says it again, as a status message does.
"""

import json
import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.model.hiding import HIDDEN, STATUS_MESSAGE, TRACE_STATE, Hiding
from collector.model.spans import ValueType

Row: TypeAlias = Mapping[str, Any]  # a row of the span table as plain values
Path: TypeAlias = tuple[str, ...]  # an attribute's name, and the keys that lead to a value in it
MessageT = TypeVar("MessageT", bound=Message)

# A shorter one is found everywhere, and tells little where it is.
LEAST, LEAST_DIGITS = 4, 6
_MOST = 1_000  # values that are looked for: with more, every other text of the span is hidden

# A name, and the value that follows it.
_NAMED = re.compile(r"""(?<![\w.%+-])([\w.%+-]++)[\\"'\]]*+\s*+[=:>]\s*+[\\"']*+([^\r\n\\"',;&<>})\]]*+)""")
_QUOTED = re.compile(r"""["']([^"'\\]{0,1024}+)\\*+["']\s*+[=:]\s*+[\\"']*+([^\\"']*+)""")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


BECAME = "choreoscope.log_record"  # on a span that was made of a log record: what it became


class Eraser(Protocol):
    """What becomes of the values of a span."""

    def hides(self, path: Path, value: Any) -> bool:
        """Whether all of *value*, at *path*, is hidden."""

    def text(self, text: str, path: Path) -> str:
        """What is left of *text*, at *path*."""


def rows(spans: pa.Table, hiding: Hiding) -> list[Row]:
    """The rows of *spans* (SPANS) as plain values, without what *hiding* hides."""
    found: list[Row] = spans.to_pylist()
    if not hiding:
        return found
    # A log record may repeat what is hidden on its span.
    told = [row for row in found if BECAME in row["attribute_keys"]]
    above = {(row["trace_id"], row["parent_span_id"]) for row in told}
    spans_of = {ref: row for row in found if (ref := (row["trace_id"], row["span_id"])) in above}
    return [
        redacted(row, hiding, spans_of.get((row["trace_id"], row["parent_span_id"])) if told else None)
        for row in found
    ]


def redacted(row: Row, hiding: Hiding, around: Row | None = None) -> Row:
    """*row* without what *hiding* hides, nor what it hides of the row *around* it."""
    resource, of_resource = sender("resource", row["resource"], hiding)
    scope, of_scope = sender("scope", row["scope"], hiding)
    by_name = _ByName(hiding)
    left = _erased(row, by_name)
    if around is not None:
        _erased(around, by_name)
    secrets = {*by_name.secrets, *of_resource, *of_scope}
    if secrets:
        left = _erased(left, _ByValue(secrets))
    return {**left, "resource": resource, "scope": scope}


@lru_cache(256)
def sender(column: str, octets: bytes, hiding: Hiding) -> tuple[bytes, frozenset[str]]:
    """What the *column* resource or scope holds, without what is hidden; and what that was."""
    opened = _open(Resource() if column == "resource" else InstrumentationScope(), octets)
    if opened is None:
        return octets, frozenset()
    by_name = _ByName(hiding)
    _erase_pairs(opened.attributes, (), by_name)
    if by_name.secrets:
        _erase_pairs(opened.attributes, (), _ByValue(by_name.secrets))
    return opened.SerializeToString(), frozenset(by_name.secrets)


class _ByName:
    """Hides what rules name, and notes the `secrets`: what that was, if it could be known elsewhere."""

    def __init__(self, hiding: Hiding) -> None:
        self._hiding = hiding
        self.secrets: set[str] = set()

    def hides(self, path: Path, value: Any) -> bool:
        if not self._hiding.hides(*path):
            return False
        self.secrets.update(secrets_in(value))
        return True

    def text(self, text: str, path: Path) -> str:
        if text.lstrip()[:1] in {"{", "["}:
            try:
                document = json.loads(text, object_pairs_hook=_unambiguous)
                left = self._left(document, path)
            except (ValueError, RecursionError):  # cut off, or no JSON at all
                text_of_keys = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)
                return HIDDEN if self._names_in(_QUOTED, text_of_keys, path) else self._plain(text, path)
            return json.dumps(left) if left is not document else text
        return self._plain(text, path)

    def _plain(self, text: str, path: Path) -> str:
        if not any(sign in text for sign in "=:>%"):
            return text
        hidden = self._names_in(_NAMED, text, path)
        if "%" in text and (plain := unquote(text)) != text:
            hidden |= self._names_in(_NAMED, plain, path)
        return HIDDEN if hidden else text

    def _names_in(self, pattern: re.Pattern[str], text: str, path: Path) -> bool:
        hidden = False
        for name, value in pattern.findall(text):
            hidden |= self.hides((*path, name), value)
        return hidden

    def _left(self, value: Any, path: Path) -> Any:
        """What is left of *value*, of JSON at *path*: the same object if nothing is hidden."""
        if isinstance(value, dict):
            left = {
                key: HIDDEN if self.hides((*path, key), item) else self._left(item, (*path, key))
                for key, item in value.items()
            }
            return value if all(left[key] is value[key] for key in value) else left
        if isinstance(value, list):
            items = [self._left(item, path) for item in value]
            return value if all(map(operator.is_, items, value)) else items
        return self.text(value, path) if isinstance(value, str) else value


class _ByValue:
    """Hides *secrets* wherever they stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._numbers = set(secrets) - {HIDDEN}
        self._secrets = sorted(self._numbers, key=lambda secret: (-len(secret), secret))

    def hides(self, path: Path, value: Any) -> bool:
        """Whether it is a number that is one of them: texts may hold more than a secret."""
        return not isinstance(_open_value(value), str) and any(
            secret in self._numbers for secret in secrets_in(value, deep=False)
        )

    def text(self, text: str, path: Path) -> str:
        if len(self._secrets) > _MOST:
            return HIDDEN
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text


def _erased(row: Row, eraser: Eraser) -> Row:
    """*row* without what *eraser* hides; its resource and scope stay."""
    parts = (row["attribute_keys"], row["attribute_types"], row["attribute_values"])
    typed = [_attribute(key, kind, octets, eraser) for key, kind, octets in zip(*parts, strict=True)]
    return {
        **row,
        "attribute_types": [kind for kind, _ in typed],
        "attribute_values": [octets for _, octets in typed],
        "events": [_event(octets, eraser) for octets in row["events"]],
        "link_attributes": [
            [_pair(octets, eraser) for octets in encoded] for encoded in row["link_attributes"]
        ],
        "status_message": _said(STATUS_MESSAGE, row["status_message"], eraser),
        "trace_state": _said(TRACE_STATE, row["trace_state"], eraser),
    }


def _said(name: str, text: str, eraser: Eraser) -> str:
    if not text:
        return text
    return HIDDEN if eraser.hides((name,), text) else eraser.text(text, (name,))


def _attribute(key: str, kind: int, octets: bytes, eraser: Eraser) -> tuple[int, bytes]:
    """What is left of an entry of `attribute_types` and `attribute_values`."""
    hidden, path = (int(ValueType.STRING), HIDDEN.encode()), (key,)
    match kind:
        case ValueType.STRING | ValueType.BYTES:
            text = octets.decode(errors="replace")
            if eraser.hides(path, text):
                return hidden
            left = eraser.text(text, path)
            if left == text:
                return kind, octets
            return (kind, left.encode(errors="replace")) if kind == ValueType.STRING else hidden
        case ValueType.ARRAY | ValueType.KVLIST:
            return _nested(key, kind, octets, eraser)
        case ValueType.INT:
            return hidden if eraser.hides(path, int(octets)) else (kind, octets)
        case ValueType.DOUBLE:
            return hidden if eraser.hides(path, float(octets)) else (kind, octets)
    return hidden if eraser.hides(path, None) else (kind, octets)


def _nested(key: str, kind: int, octets: bytes, eraser: Eraser) -> tuple[int, bytes]:
    pair = KeyValue(key=key)
    inner = pair.value.array_value if kind == ValueType.ARRAY else pair.value.kvlist_value
    inner.SetInParent()
    readable = _open(inner, octets) is not None
    _erase_pairs([pair], (), eraser)
    if pair.value.WhichOneof("value") == "string_value":
        return ValueType.STRING, HIDDEN.encode()
    return (kind, inner.SerializeToString()) if readable else (kind, octets)


def _event(octets: bytes, eraser: Eraser) -> bytes:
    event = _open(Span.Event(), octets)
    if event is None or not event.attributes:
        return octets
    _erase_pairs(event.attributes, (), eraser)
    return event.SerializeToString()


def _pair(octets: bytes, eraser: Eraser) -> bytes:
    pair = _open(KeyValue(), octets)
    if pair is None:
        return octets
    _erase_pairs([pair], (), eraser)
    return pair.SerializeToString()


def _erase_pairs(pairs: Iterable[KeyValue], path: Path, eraser: Eraser) -> None:
    for pair in pairs:
        here = (*path, pair.key)
        if eraser.hides(here, pair.value):
            pair.value.Clear()
            pair.value.string_value = HIDDEN
        else:
            _erase(pair.value, here, eraser)


def _erase(value: AnyValue, path: Path, eraser: Eraser) -> None:
    match value.WhichOneof("value"):
        case "string_value":
            value.string_value = eraser.text(value.string_value, path)
        case "array_value":
            for entry in value.array_value.values:
                _erase(entry, path, eraser)
        case "kvlist_value":
            _erase_pairs(value.kvlist_value.values, path, eraser)
        case "bytes_value":
            text = value.bytes_value.decode(errors="replace")
            if eraser.text(text, path) != text:
                value.string_value = HIDDEN


def secrets_in(value: Any, *, deep: bool = True) -> Iterator[str]:
    """The texts and numbers in *value* (JSON, or an `AnyValue`) that can be recognized elsewhere."""
    match _open_value(value):
        case dict() as members if deep:
            for member in members.values():
                yield from secrets_in(member)
        case list() as items if deep:
            for item in items:
                yield from secrets_in(item)
        case str() as text if len(text.strip()) >= LEAST:
            yield text.strip()
        case int() | float() as number if len(str(number)) >= LEAST_DIGITS:
            yield str(number)


def _open_value(value: Any) -> Any:
    """*value*, or what is in it if it is an `AnyValue`; octets as text."""
    if not isinstance(value, AnyValue):
        return value
    match value.WhichOneof("value"):
        case "array_value":
            return list(value.array_value.values)
        case "kvlist_value":
            # A key may repeat.
            return [pair.value for pair in value.kvlist_value.values]
        case "bytes_value":
            return value.bytes_value.decode(errors="replace")
        case None:
            return None
        case field:
            return getattr(value, field)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of JSON with these *pairs*; raise `ValueError` if a key repeats."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _open(message: MessageT, octets: bytes) -> MessageT | None:
    try:
        message.ParseFromString(octets)
    except DecodeError:  # nested too deeply, or invalid UTF-8 in it: nobody can show it either
        return None
    return message
