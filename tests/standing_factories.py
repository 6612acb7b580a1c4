"""What is expected, made by hand; and an API that tells of it, without a live part."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import uvicorn

from collector.api.app import api_app
from collector.config import Config
from collector.conventions import DEFAULT_NAMING
from collector.counters import Counters
from collector.diagnosis.paces import Pace
from collector.diagnosis.standing import Change, Drop, Standing, Standings
from collector.live.runner import Live
from collector.live.snapshot import EMPTY, Snapshot
from collector.model.answers import Otlp
from collector.model.decisions import Decision
from collector.queries import Reader, Sources
from collector.queries.sources import DeclaredView
from collector.stitching import Keying
from collector.store.contracts import Stores
from collector.upkeep.retention import Retained
from tests.collecting import free_ports
from tests.factories import NOW, SECOND

HOUR = 3_600 * SECOND


def standing(
    service: str = "payment", trigger: str | Sequence[str] = "StockReserved", **more: Any
) -> Standing:
    """*service* always takes *trigger*, as 1,234 messages showed."""
    usual: dict[str, Any] = {
        "kind": "reaction",
        "triggers": (trigger,) if isinstance(trigger, str) else tuple(trigger),
        "service": service,
        "group": service,
        "event_type": None,
        "state": "always",
        "share": 1.0,
        "n": 1_234,
        "needed": 20,
        "pace": Pace(1_234, 80.0, 140.0, 240.0),
        "deadline_ms": 5_000.0,
        "since": NOW - 48 * HOUR,
        "kept": NOW - SECOND,
        "missed": 0,
        "recent": 60,
        "disused": False,
        "history": (),
    }
    return Standing(**{**usual, **more})


def learning(service: str = "mailer", trigger: str = "OrderShipped", **more: Any) -> Standing:
    """It has been seen twelve times."""
    told = {"state": "learning", "n": 12, "deadline_ms": None, "pace": Pace(12, 9.0, 20.0, 30.0)}
    return standing(service, trigger, **{**told, **more})


def drop(kind: str = "take", **more: Any) -> Drop:
    """Audit took nothing of the last 60."""
    usual: dict[str, Any] = {
        "kind": kind,
        "event_type": "StockReserved",
        "service": None if kind == "follow" else "audit",
        "group": None if kind == "follow" else "audit",
        "missing": "AuditWritten" if kind == "publish" else None,
        "share": 0.3,
        "n": 4_000,
        "hits": 0,
        "window": 60,
        "since": NOW - 60 * SECOND,
        "flows": ("A-2", "A-1"),
    }
    return Drop(**{**usual, **more})


class Told:
    """Stands for the live part: it knows what it is told, and applies a decision as the learner would."""

    def __init__(self, standings: Standings) -> None:
        self.tick_s = 1.0
        self.replay_share = 1.0
        self.replayed = threading.Event()
        self.replayed.set()
        self.keying = Keying()
        self.snapshot: Snapshot = replace(EMPTY, now=NOW, standings=standings)
        self.decided: list[Decision] = []
        self.retained = Retained()

    @property
    def expectations(self) -> int:
        """How many steps are expected."""
        return sum(one.state == "always" for one in self.snapshot.standings.standings)

    def decide(self, decision: Decision) -> None:
        """Apply *decision* at once."""
        self.decided.append(decision)
        known = self.snapshot.standings
        changed = tuple(
            _after(one, decision)
            if one.service == decision.service and decision.event_type in one.triggers
            else one
            for one in known.standings
        )
        self.snapshot = replace(self.snapshot, standings=replace(known, standings=changed))


def _after(one: Standing, decision: Decision) -> Standing:
    state: Any = "forgotten" if decision.word == "forget" else "always"
    text = "no longer expected" if decision.word == "forget" else "expected of every message"
    change = Change(decision.at, state, text, decision.author)
    return replace(one, state=state, since=decision.at, history=(*one.history, change))


def reader_of(told: Told, stores: Stores, declared: DeclaredView | None = None) -> Reader:
    """All questions about *told*."""
    nowhere = Otlp(grpc="", http="")
    live = cast("Live", told)
    return Reader(
        Sources(
            stores.spans,
            stores.flows,
            stores.decisions,
            live,
            Counters(),
            DEFAULT_NAMING,
            nowhere,
            declared,
            dismissals=stores.dismissals,
            deletions=stores.deletions,
            retained=lambda: told.retained,
        )
    )


def app_of(
    told: Told, stores: Stores, config: Config | None = None, declared: DeclaredView | None = None
) -> Any:
    """The API that tells of *told*."""
    return api_app(reader_of(told, stores, declared), cast("Live", told), Counters(), config or Config())


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of *app* on a port of its own."""
    (port,) = free_ports(1)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
