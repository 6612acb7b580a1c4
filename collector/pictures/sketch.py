"""What is drawn of a document? Numbered nodes and edges, the same for every language.

A ref that edges name but nothing describes is drawn as not seen, and what the findings miss as missing:
without its gaps, a picture would say that all is well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from collector.model.wording import duration

Document: TypeAlias = Mapping[str, Any]

_LONGEST = 80  # of a text in a picture: a longer one is not a name


class Kind(StrEnum):
    """What a node stands for."""

    MESSAGE = "message"
    REACTION = "reaction"
    NOT_SEEN = "not_seen"  # a span that something refers to, but that is not here
    MISSING = "missing"  # what is owed


@dataclass(frozen=True)
class Node:
    """One box. *title* and *detail* are plain text: one line each, with visible characters only."""

    kind: Kind
    ref: str | None
    title: str
    detail: str
    service: str | None
    item: Document  # its entry in the document; empty if it was not seen
    time: int = 0
    failed: bool = False

    @property
    def ghost(self) -> bool:
        """Whether nothing of it was received."""
        return self.kind in (Kind.NOT_SEEN, Kind.MISSING)


@dataclass(frozen=True)
class Edge:
    """From one node to another, by their numbers."""

    source: int
    target: int
    kind: str  # delivery, cause, or missing: from where a flow stopped to what should follow
    because: str
    certainty: str

    @property
    def dashed(self) -> bool:
        """Whether it is inferred, and not observed."""
        return self.certainty == "inferred"


@dataclass(frozen=True)
class Sketch:
    """The nodes in order of time, then those not seen or missing; and the edges between them."""

    headline: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def sketch(document: Document) -> Sketch:
    """The document of `flow` or of `stitch` as nodes and edges."""
    seen = [*map(_message, document["messages"]), *map(_reaction, document["reactions"])]
    findings = document.get("findings", [])
    nodes = sorted(seen, key=lambda node: (node.time, node.ref))
    place = {node.ref: number for number, node in enumerate(nodes)}
    for ref in _refs(document["edges"], findings):
        if place.setdefault(ref, len(nodes)) == len(nodes):
            nodes.append(_not_seen(ref))
    edges = [
        Edge(place[edge["from"]], place[edge["to"]], edge["kind"], edge["because"], edge["certainty"])
        for edge in document["edges"]
    ]
    for number, finding in enumerate(findings, len(nodes)):
        stopped = place[finding["stopped_at"]["ref"]]
        edges.append(Edge(stopped, number, "missing", str(finding["cause"]), "inferred"))
    nodes += map(_missing, findings)
    return Sketch(_headline(document), tuple(nodes), tuple(edges))


def plain(text: str | None, most: int = _LONGEST) -> str:
    """*text* on one line of at most *most* characters; invisible ones are replaced, no text is "?"."""
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text or "?")
    shown = " ".join(shown.split()) or "?"
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _refs(edges: Iterable[Document], findings: Iterable[Document]) -> Iterable[str]:
    for edge in edges:
        yield edge["from"]
        yield edge["to"]
    for finding in findings:
        yield finding["stopped_at"]["ref"]


def _message(item: Document) -> Node:
    by = f"by {plain(item['service'])}"
    time = item["time_unix_nano"]
    return Node(Kind.MESSAGE, item["ref"], plain(item["event_type"]), by, item["service"], item, time)


def _reaction(item: Document) -> Node:
    group, service = plain(item["group"] or item["service"]), plain(item["service"])
    start, failed = item["start_unix_nano"], item["status"] == "error"
    said = [service] if service != group else []
    said += [f"{item['attempts']} attempts"] if item["attempts"] > 1 else []
    said += ["failed"] if failed else []
    said.append(duration(max(item["end_unix_nano"] - start, 0) / 1e9))
    return Node(Kind.REACTION, item["ref"], group, ", ".join(said), item["service"], item, start, failed)


def _not_seen(ref: str) -> Node:
    return Node(Kind.NOT_SEEN, ref, "not seen", f"span {plain(ref.rpartition(':')[2])}", None, {})


def _missing(finding: Document) -> Node:
    owed = finding["missing"]
    service = plain(owed["service"])
    event = owed["next_event_type"]
    title, detail = (plain(event), f"missing from {service}") if event else (service, "missing")
    return Node(Kind.MISSING, None, f"? {title}", detail, owed["service"], owed)


def _headline(document: Document) -> str:
    flows = document["flows"]
    if len(flows) != 1:
        return f"{len(flows):,} flows"
    (item,) = flows
    state = f", {item['state']}" if "state" in item else ""
    return plain(item["key"] or item["id"]) + state
