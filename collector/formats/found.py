"""What was read of a file: its spans, how its sender wrote their ids, and what could not be read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from collector.formats.otlp import tabulate
from collector.formats.otlp.json_shapes import Request, ResourcePart, ScopePart, Span
from collector.formats.spelled_ids import Ids
from collector.formats.trouble import UnusableError
from collector.model.notes import Trouble

__all__ = ["Format", "FormatError", "Found", "Problem", "Reading"]


class Format(StrEnum):
    """Whose format a document is in."""

    OTLP = "OTLP"
    JAEGER = "Jaeger"
    ZIPKIN = "Zipkin"


class FormatError(Exception):
    """A file of which nothing can be read: why, and in which of its lines if it is read by lines."""

    def __init__(self, reason: str, line: int | None = None, lines: int = 1) -> None:
        super().__init__(reason)
        self.line = line
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that can not be used: a note for the reader."""

    kind: Trouble
    ref: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """The spans of a file as `SPANS`; *spelled* has the ids that OTLP would write otherwise."""

    spans: pa.Table
    spelled: dict[bytes, str]
    problems: list[Problem]


@dataclass
class Reading:
    """What of a file has been read so far, in the shapes of OTLP: spans by their resource and scope."""

    ids: Ids = field(default_factory=Ids)
    problems: list[Problem] = field(default_factory=list)
    groups: dict[ResourcePart, dict[ScopePart, list[Span]]] = field(default_factory=dict)

    def add(self, resource: ResourcePart, scope: ScopePart, span: Span) -> None:
        """Keep *span*."""
        self.groups.setdefault(resource, {}).setdefault(scope, []).append(span)

    def each(self, records: Iterable[Any], read: Callable[[Any], None]) -> None:
        """Read each record; one that can not be used is a problem of its own and costs no other."""
        for record in records:
            try:
                read(record)
            except UnusableError as error:
                self.problems.append(Problem(error.kind, error.ref, str(error)))
            except RecursionError:
                text = "A span can not be read: its values are nested too deeply."
                self.problems.append(Problem(Trouble.UNREADABLE, None, text))

    def spans(self, received_unix_nano: int) -> pa.Table:
        """All spans so far as `SPANS`."""
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
