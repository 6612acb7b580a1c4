"""Where else can a trace be opened? `CHOREOSCOPE_TRACE_LINK` is an address with places for ids."""

from __future__ import annotations

import re
from dataclasses import dataclass

SETTING = "CHOREOSCOPE_TRACE_LINK"
EXAMPLE = "https://jaeger.example/trace/{trace_id}"
LONGEST = 2_000  # characters

# A name that resolves, or an address, and a port: no user and password, which every reader would see.
_PLACE = re.compile(r"https?://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?(?=[/?#]|$)")
_PLACEHOLDERS = {"trace_id", "span_id"}
_REF = re.compile(r"(?P<trace_id>[0-9a-f]{32}):(?P<span_id>[0-9a-f]{16})", re.IGNORECASE | re.ASCII)


class TraceLinkError(Exception):
    """The setting cannot be used; the text says why, in one line."""


@dataclass(frozen=True)
class TraceLink:
    """An address for each span, in another program at *place* (its host and port)."""

    template: str
    place: str

    def to(self, ref: str | None) -> str | None:
        """The address for the span *ref*, or None if its ids are not those of OpenTelemetry."""
        ids = _REF.fullmatch(ref or "")
        return ids and re.sub(r"{(\w+)}", lambda found: ids[found[1]].lower(), self.template)

    def to_trace(self, trace_id: str) -> str | None:
        """The address for a whole trace, or None if the address is one for spans."""
        return None if "{span_id}" in self.template else self.to(f"{trace_id}:{'0' * 16}")


def trace_link(setting: str) -> TraceLink | None:
    """What *setting* means; None if it is empty. Raise `TraceLinkError` if it cannot be used."""
    template = setting.strip()
    if not template:
        return None
    shown = "(not shown: it has an @)" if "@" in template else f"'{template[:80]}'"
    if len(template) > LONGEST:
        said = f"has {len(template):,} characters: expected at most {LONGEST:,}"
        raise TraceLinkError(f"{SETTING} {said}.")
    if not re.fullmatch(r"[!-~]+", template) or set(template) & set("\"'<>\\^`|"):
        # Not shown: it may have characters that no log should have.
        raise TraceLinkError(
            f"{SETTING} has spaces, quotes or other characters that no address has: expected one such as"
            f" {EXAMPLE}, with %20 for a space."
        )
    where = _PLACE.match(template)
    if where is None:
        raise TraceLinkError(
            f"{SETTING} is {shown}: expected http:// or https://, a host without user and password, and a"
            f" path, such as {EXAMPLE}."
        )
    odd = re.sub("|".join(f"{{{name}}}" for name in _PLACEHOLDERS), "", template[where.end() :])
    if "{" in odd or "}" in odd or "{trace_id}" not in template:
        raise TraceLinkError(
            f"{SETTING} is {shown}: expected {{trace_id}} in it, and no other braces than those of"
            f" {{trace_id}} and {{span_id}}, such as {EXAMPLE}."
        )
    return TraceLink(template, f"{where['host']}{where['port'] or ''}")
