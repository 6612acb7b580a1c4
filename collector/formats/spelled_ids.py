"""Converts ids in any spelling to the 16 or 8 bytes of the span table, and remembers what the sender wrote.

Hex and base64 are decoded; short hex gets back the leading zeros that old tracers dropped. Anything else
(letters, UUIDs, long decimal numbers) is replaced by a hash of it, so that equal ids get equal stand-ins in
every file and every process.
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
    """The ids of one file. The methods return the hex digits of an id's bytes."""

    spelled: dict[bytes, str] = field(default_factory=dict)
    _known: dict[tuple[int, str], str] = field(default_factory=dict)

    def trace(self, written: Any) -> str:
        """The digits of a trace id; raise `UnusableError` if *written* cannot be one."""
        return self._digits(written, TRACE)

    def span(self, written: Any) -> str:
        """The digits of a span id; raise `UnusableError` if *written* cannot be one."""
        return self._digits(written, SPAN)

    def parent(self, written: Any) -> str:
        """The digits of a parent's id; empty if there is no parent: no id, or only zeros."""
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
            # If one id has two spellings, the choice must not depend on which came first.
            self.spelled[octets] = min(shown, self.spelled.get(octets, shown))
        return digits


def ref_of(trace: Any, span: Any) -> str | None:
    """The ref of a record that cannot be used; None if one of its ids is missing."""
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
