"""The sources from which questions are answered."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from collector.brokers.together import NO_BROKERS, Brokers
from collector.conventions import Naming
from collector.counters import Counters
from collector.diagnosis.declared import Declared
from collector.live.cuts import Cut
from collector.live.snapshot import Snapshot
from collector.model.answers import Otlp
from collector.model.decisions import Decision
from collector.model.deletions import Doomed
from collector.stitching import Keying
from collector.store.contracts import DecisionStore, FlowStore, Known, SpanStore
from collector.store.removal import DeletionStore, DismissalStore
from collector.upkeep.checking import StoreChecks
from collector.upkeep.health import Troubles
from collector.upkeep.retention import Retained


class LiveView(Protocol):
    """What readers may know about the live part."""

    tick_s: float
    replayed: threading.Event

    @property
    def snapshot(self) -> Snapshot:
        """What was known at the last tick."""

    @property
    def replay_share(self) -> float:
        """How much of what was stored before was replayed, from 0 to 1."""

    @property
    def keying(self) -> Keying:
        """Which flow keys are believed at present."""

    @property
    def expectations(self) -> int:
        """How many steps are expected at present."""

    def decide(self, decision: Decision) -> None:
        """Apply a person's *decision*, which is already stored."""

    def cut(self, cut: Cut) -> Future[None]:
        """Excuse from the next tick on what *cut* may have taken."""

    def remove(self, doomed: Doomed) -> Future[None]:
        """Forget the spans of *doomed*, which the store has no more."""

    def restore(self, known: Mapping[str, Known], spans: pa.Table, *, unfinished: bool) -> Future[None]:
        """Take in again the stored flows that are *known*, as their *spans* (SPANS) are now."""


class DeclaredView(Protocol):
    """What readers may know about the file of declared expectations."""

    @property
    def problem(self) -> str | None:
        """Why the file as it is now is not in force; None if it is."""

    def current(self) -> Declared:
        """What is in force."""


@dataclass(frozen=True)
class Sources:
    """The stores, over connections of the readers' own, and the live part of one collector."""

    spans: SpanStore
    flows: FlowStore
    decisions: DecisionStore
    live: LiveView
    counters: Counters
    naming: Naming
    addresses: Otlp  # where exporters send their spans
    declared: DeclaredView | None = None  # None: there is no such file
    troubles: Troubles = field(default_factory=Troubles)
    clock: Callable[[], int] = time.time_ns  # by which spans are received
    retained: Callable[[], Retained] = Retained  # what is kept now
    checks: StoreChecks | None = None  # None: a server keeps what is stored
    dismissals: DismissalStore = field(kw_only=True)
    deletions: DeletionStore = field(kw_only=True)
    brokers: Brokers = field(default=NO_BROKERS, kw_only=True)  # what they know; none: spans are all there is
