"""What was found in a file: spans, ids as their sender wrote them, and records that could not be read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from collector.formats.otlp import tabulate
from collector.formats.otlp.json_shapes import Request, ResourcePart, ScopePart, Span
from collector.formats.spelled_ids import Ids
from collector.formats.trouble import UnusableError
from collector.model.hiding import HIDDEN, Hiding
from collector.model.notes import Trouble

__all__ = ["Format", "FormatError", "Found", "Problem", "Reading"]


class Format(StrEnum):
    """The format of a document."""

    OTLP = "OTLP"
    JAEGER = "Jaeger"
    ZIPKIN = "Zipkin"


class FormatError(Exception):
    """Nothing in a file can be read: the reason, and which line it is about if the file is read by lines."""

    def __init__(self, reason: str, line: int | None = None, lines: int = 1) -> None:
        super().__init__(reason)
        self.line = line
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that cannot be used, shown to the reader as a note."""

    kind: Trouble
    ref: str | None
    text: str

    def told(self, hiding: Hiding) -> str:
        """The text, which may quote any value of the record: with rules of *hiding*, that it is hidden."""
        return f"A record cannot be used; what is wrong with it is {HIDDEN}." if hiding else self.text


@dataclass(frozen=True, slots=True)
class Found:
    """The spans of a file (SPANS); *spelled* has the original text of ids that OTLP writes differently."""

    spans: pa.Table
    spelled: dict[bytes, str]
    problems: list[Problem]


@dataclass
class Reading:
    """What has been read of a file so far, in OTLP's shapes: spans grouped by resource and scope."""

    ids: Ids = field(default_factory=Ids)
    problems: list[Problem] = field(default_factory=list)
    groups: dict[ResourcePart, dict[ScopePart, list[Span]]] = field(default_factory=dict)

    def add(self, resource: ResourcePart, scope: ScopePart, span: Span) -> None:
        """Keep *span*."""
        self.groups.setdefault(resource, {}).setdefault(scope, []).append(span)

    def each(self, records: Iterable[Any], read: Callable[[Any], None]) -> None:
        """Read each record; an unusable one becomes a problem and does not affect the others."""
        for record in records:
            try:
                read(record)
            except UnusableError as error:
                self.problems.append(Problem(error.kind, error.ref, str(error)))
            except RecursionError:
                text = "A span cannot be read: its values are nested too deeply."
                self.problems.append(Problem(Trouble.UNREADABLE, None, text))

    def spans(self, received_unix_nano: int) -> pa.Table:
        """All spans read so far, as SPANS."""
        request: Request = {
            "resourceSpans": [
                {
                    "resource": resource,
                    "scopeSpans": [{"scope": scope, "spans": spans} for scope, spans in scopes.items()],
                }
                for resource, scopes in self.groups.items()
            ]
        }
        return tabulate([request], received_unix_nano)
