"""The answers that we promise: the one place where their shapes are written.

The API encodes these values, and its OpenAPI page is made from them. The commands show them. A test checks
docs/answers.md against them, and `make answers` writes the dashboard's copy. Fields stand in the order of the
JSON. Times are integers, nanoseconds since the epoch, in `*_unix_nano`; durations are milliseconds in `*_ms`
or seconds in `*_s`. A `ref` is `<trace id>:<span id>`.
"""

from collector.model.answers.base import Answer, Error, StateWord
from collector.model.answers.graphs import (
    Clocks,
    Edge,
    Flow,
    Message,
    Note,
    Pace,
    Reaction,
    ShownFlow,
    Spans,
    Stitched,
    StitchedFlow,
)
from collector.model.answers.lists import (
    Cohort,
    Evidence,
    EvidenceKind,
    Expectation,
    Finding,
    FlowItem,
    Flows,
    Missing,
    StoppedAt,
    Stuck,
    Why,
)
from collector.model.answers.totals import (
    Learning,
    Map,
    MapEmit,
    MapEvent,
    MapReaction,
    MapStuck,
    Otlp,
    Percentiles,
    SpanCounts,
    Summary,
    Variant,
)

__all__ = [
    "Answer",
    "Clocks",
    "Cohort",
    "Edge",
    "Error",
    "Evidence",
    "EvidenceKind",
    "Expectation",
    "Finding",
    "Flow",
    "FlowItem",
    "Flows",
    "Learning",
    "Map",
    "MapEmit",
    "MapEvent",
    "MapReaction",
    "MapStuck",
    "Message",
    "Missing",
    "Note",
    "Otlp",
    "Pace",
    "Percentiles",
    "Reaction",
    "ShownFlow",
    "SpanCounts",
    "Spans",
    "StateWord",
    "Stitched",
    "StitchedFlow",
    "StoppedAt",
    "Stuck",
    "Summary",
    "Variant",
    "Why",
]
