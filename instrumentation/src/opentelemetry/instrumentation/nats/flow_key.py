"""Which flow is a message of, by its own words: a field of its payload, a header, or a token of its subject.

Hosts that cannot put the id of an order into baggage have it in their messages.
Looking for it is bounded: only JSON, only payloads up to 64 KiB, a few paths of a
few steps. Only what lies on a path is decoded; the parser skips everything else.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from . import headers
from .telemetry import harmless, warn

Headers = Mapping[str, Any]
# What one source says of a message (its subject, payload and headers); anything but a usable text is none.
Look = Callable[[str, Any, "Headers | None"], Any]

LARGEST: Final = 64 * 1024
MOST_SOURCES: Final = 8
DEEPEST: Final = 8
LONGEST: Final = 128

_HEADER: Final = "header:"
_SUBJECT: Final = "subject:"
_CLOUD_EVENT: Final = "ce-"
_INTEGER: Final = re.compile(rb"-?[0-9]+").fullmatch
_ABSENT: Final = msgspec.Raw(b"")
_TEXT: Final = msgspec.json.Decoder(str)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])


class FlowKey:
    """Finds the flow key of a message in the first of several places that has one."""

    def __init__(self, *looks: Look) -> None:
        self._looks = looks

    @harmless
    def __call__(self, subject: str, payload: Any, given: Headers | None) -> str | None:
        """The flow key of a message, or None."""
        for look in self._looks:
            found = look(subject, payload, given)
            if isinstance(found, int) and not isinstance(found, bool):
                found = str(found)
            if isinstance(found, str):
                found = found.strip()
                if 0 < len(found) <= LONGEST and found.isprintable():
                    return found
        return None


def flow_key_of(wanted: str | Sequence[str] | Look) -> FlowKey | None:
    """The finder for the option *wanted*; what cannot be read of it is logged and left out."""
    if callable(wanted):
        return FlowKey(wanted)
    names = wanted.split(",") if isinstance(wanted, str) else wanted
    looks: list[Look] = []
    for name in [name.strip() for name in names if name.strip()]:
        look = _look_for(name) if len(looks) < MOST_SOURCES else None
        if look is None:
            warn(
                "The flow key %r is left out: expected a path such as order.id, header:x-order-id,"
                " ce-subject or subject:2; at most %d of them.",
                name,
                MOST_SOURCES,
            )
        else:
            looks.append(look)
    return FlowKey(*looks) if looks else None


def _look_for(name: str) -> Look | None:
    if name.startswith(_HEADER):
        return _header(name.removeprefix(_HEADER).strip().lower())
    if name.lower().startswith(_CLOUD_EVENT):
        return _header(name.lower())
    if name.startswith(_SUBJECT):
        number = name.removeprefix(_SUBJECT).strip()
        return _token(int(number)) if _INTEGER(number.encode()) and int(number) else None
    steps = name.removeprefix("$.").split(".")
    return None if "" in steps or len(steps) > DEEPEST else _path(steps)


def _header(name: str) -> Look | None:
    """Looks into the header *name*, whatever its case."""

    def look(_subject: str, _payload: Any, given: Headers | None) -> Any:
        spelled = headers.lower_case(tuple(given)).get(name) if given else None
        if given is None or spelled is None:
            return None
        value = given[spelled]
        # The NATS binding of CloudEvents percent-encodes everything except printable ASCII.
        is_encoded = name.startswith(_CLOUD_EVENT) and isinstance(value, str) and "%" in value
        return unquote(value) if is_encoded else value

    return look if name else None


def _token(number: int) -> Look:
    """Looks at the subject's token *number*: 1 is the first, -1 the last."""
    place = number - 1 if number > 0 else number

    def look(subject: str, _payload: Any, _given: Headers | None) -> str | None:
        tokens = subject.split(".")
        return tokens[place] if -len(tokens) <= place < len(tokens) else None

    return look


def _path(steps: list[str]) -> Look:
    """Looks along the *steps* through a payload of JSON: names of fields, and places in lists."""
    decoders = [_decoder(steps[depth:]) for depth in range(len(steps))]

    def look(_subject: str, payload: Any, _given: Headers | None) -> str | None:
        if not isinstance(payload, bytes | bytearray | memoryview) or len(payload) > LARGEST:
            return None
        try:
            return _walk(bytes(payload).lstrip(), steps, decoders, 0)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None  # not JSON, or nested so deeply that it harms

    return look


def _decoder(steps: list[str]) -> "msgspec.json.Decoder[Any]":
    """Reads an object's field under the first of *steps*, and the one under all of them: ``order.id``."""
    fields = [("whole", msgspec.Raw, _ABSENT), ("first", msgspec.Raw, _ABSENT)]
    names = {"whole": ".".join(steps), "first": steps[0]}
    if len(steps) == 1:
        del fields[1], names["first"]
    return msgspec.json.Decoder(msgspec.defstruct("Fields", fields, rename=names))


def _walk(
    text: bytes, steps: list[str], decoders: "list[msgspec.json.Decoder[Any]]", depth: int
) -> str | None:
    if depth == len(steps):
        return _scalar(text)
    if text.startswith(b"{"):
        found = decoders[depth].decode(text)
        whole = _scalar(bytes(found.whole))
        if whole is not None or depth + 1 == len(steps):
            return whole
        return _walk(bytes(found.first), steps, decoders, depth + 1)
    if text.startswith(b"[") and steps[depth].isdecimal():
        items, place = _LIST.decode(text), int(steps[depth])
        return _walk(bytes(items[place]), steps, decoders, depth + 1) if place < len(items) else None
    return None


def _scalar(text: bytes) -> str | None:
    """A text or an integer; everything else names nothing."""
    if text.startswith(b'"'):
        return _TEXT.decode(text)
    return text.decode() if _INTEGER(text) and len(text) <= LONGEST else None
