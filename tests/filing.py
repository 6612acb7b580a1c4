"""Trace files of other systems, and what is read of them."""

import json
from typing import Any

from collector import conventions, formats
from collector.details import Row, rows
from collector.documents import Document, document
from collector.formats import Found
from collector.stitching import stitch
from tests.factories import NOW

MICROS = NOW // 1000


def read(*documents: Any) -> Found:
    """What is in a file with *documents*, one a line; bytes are a line as they are."""
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return formats.read(b"\n".join(lines), NOW)


def span_of(*documents: Any) -> Row:
    """The only span of a file in which nothing is wrong."""
    found = read(*documents)
    assert found.problems == []
    (row,) = rows(found.spans).values()
    return row


def told(*documents: Any) -> Document:
    """The document of a file in which nothing is wrong."""
    found = read(*documents)
    assert found.problems == []
    return document(stitch(conventions.read(found.spans)), spelled=found.spelled)


def edges(answer: Document) -> set[tuple[str, str, str]]:
    """(kind, from, to) of each edge, by the last part of their refs."""
    return {
        (edge["kind"], edge["from"].rpartition(":")[2], edge["to"].rpartition(":")[2])
        for edge in answer["edges"]
    }
