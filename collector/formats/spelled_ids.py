"""Ids of any spelling -> the 16 and 8 bytes of the span table, and back to what their sender wrote.

Hex is what it says; shorter hex gets the zeros that old tracers left off. Anything else (letters, UUIDs,
decimal numbers) can not be 16 or 8 bytes and is stood for by a hash of it: equal ids have equal stand-ins,
in every file and every process.
"""

import re
from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from collector.formats.trouble import UnusableError
from collector.model.notes import Trouble

TRACE, SPAN = 16, 8  # bytes
_NAMES = {TRACE: "trace id", SPAN: "span id"}
_HEX = re.compile(r"[0-9a-f]+")
_BASE64 = {TRACE: re.compile(r"[\w+/-]{22}=="), SPAN: re.compile(r"[\w+/-]{11}=")}


@dataclass
class Ids:
    """The ids of one file. Each is given back as the hex digits of its bytes."""

    spelled: dict[bytes, str] = field(default_factory=dict)
    _known: dict[tuple[int, str], str] = field(default_factory=dict)

    def trace(self, written: Any) -> str:
        """The digits of a trace id; raise `UnusableError` if it is none."""
        return self._digits(written, TRACE)

    def span(self, written: Any) -> str:
        """The digits of a span id; raise `UnusableError` if it is none."""
        return self._digits(written, SPAN)

    def parent(self, written: Any) -> str:
        """The digits of a parent's id; empty where there is none: no id, or one of zeros alone."""
        if written is None or (isinstance(written, str | int) and not str(written).strip("0 ")):
            return ""
        return self.span(written)

    def _digits(self, written: Any, size: int) -> str:
        text = _text(written, size)
        known = self._known.get((size, text))
        if known is None:
            known = self._known[size, text] = self._read(text, size)
        return known

    def _read(self, text: str, size: int) -> str:
        if _BASE64[size].fullmatch(text):
            return _valid(
                b64decode(text, altchars=b"-_" if {"-", "_"} & set(text) else None).hex(), text, size
            )
        shown = text.lower()
        if len(shown) <= 2 * size and _HEX.fullmatch(shown):
            digits = _valid(shown.zfill(2 * size), text, size)
        else:
            digits = sha256(shown.encode(errors="replace")).hexdigest()[: 2 * size]
        if digits != shown:
            octets = bytes.fromhex(digits)
            # Of two spellings of one id the choice may not depend on which came first.
            self.spelled[octets] = min(shown, self.spelled.get(octets, shown))
        return digits


def ref_of(trace: Any, span: Any) -> str | None:
    """The ref of a record that can not be used; None if one of its ids is no id."""
    if all(isinstance(one, str) and one.strip() for one in (trace, span)):
        return ":".join(one.strip().lower() for one in (trace, span))
    return None


def _text(written: Any, size: int) -> str:
    if isinstance(written, str | int) and not isinstance(written, bool) and (text := str(written).strip()):
        return text
    given = "no" if written is None or isinstance(written, str) else f"{str(written)[:40]!r} as its"
    msg = f"A span has {given} {_NAMES[size]}: expected {2 * size} hex digits."
    raise UnusableError(msg, Trouble.INVALID_ID)


def _valid(digits: str, text: str, size: int) -> str:
    if digits.strip("0"):
        return digits
    msg = f"A span has the {_NAMES[size]} {text!r}: expected one that is not all zero."
    raise UnusableError(msg, Trouble.INVALID_ID)
