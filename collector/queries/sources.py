"""The sources from which questions are answered."""

import threading
from dataclasses import dataclass
from typing import Protocol

from collector.conventions import Naming
from collector.counters import Counters
from collector.live.snapshot import Snapshot
from collector.model.answers import Otlp
from collector.stitching import Keying
from collector.store.contracts import FlowStore, SpanStore


class LiveView(Protocol):
    """What readers may know about the live part."""

    tick_s: float
    replayed: threading.Event

    @property
    def snapshot(self) -> Snapshot:
        """What was known at the last tick."""

    @property
    def keying(self) -> Keying:
        """Which flow keys are believed at present."""

    @property
    def expectations(self) -> int:
        """How many steps are expected at present."""


@dataclass(frozen=True)
class Sources:
    """The stores, over connections of the readers' own, and the live part of one collector."""

    spans: SpanStore
    flows: FlowStore
    live: LiveView
    counters: Counters
    naming: Naming
    addresses: Otlp  # where exporters send their spans
