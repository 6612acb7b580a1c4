"""A person says "never mind these": is that a word that can be kept, and on which flows?"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints
from collector.model.answers import Dismissal as Answered
from collector.model.dismissals import Dismissal
from collector.model.flows import State
from collector.queries.dismissed import Dismissed, dismissed_of
from collector.queries.flow import place_of
from collector.queries.incidents import Incident, members
from collector.queries.paging import QuestionError
from collector.queries.said_fields import cut, flag_of, object_of, text_of, texts_of, time_of
from collector.queries.sources import Sources
from collector.store.contracts import Search

MOST_STORED = 1_000_000  # words on flows in all
MOST_NAMED = 1_000  # flows in one word
MOST_AT_ONCE = 100_000  # flows of one incident
LONGEST_KEY = 1_000
LONGEST = {"author": 100, "reason": 1_000}
LONGEST_NAME = 200
MOST_TRIGGERS = 50
_INCIDENT = ("service", "triggers", "next_event_type", "cause", "before_unix_nano")
_SHOWN = 20  # ids in an answer
_STOPPED = (State.STUCK, State.FAILED)


class DismissalError(Exception):
    """A dismissal that is not taken; the text says why. *nearest* are names like those asked for."""

    def __init__(self, text: str, status: int = 409, nearest: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.nearest = list(nearest)


@dataclass(frozen=True)
class Never:
    """What a person wants nobody to mind any more, or, to *undo*, to be shown again."""

    flows: tuple[str, ...]  # keys, ids or trace ids; empty: the flows of the incident
    incident: Incident
    undo: bool
    author: str
    reason: str


def never_of(document: object) -> Never:
    """What a JSON *document* asks for; raise `QuestionError`, which names the field that is wrong."""
    fields = object_of(document, ("author", "reason"), ("flows", "incident", "undo"))
    if ("flows" in fields) == ("incident" in fields):
        raise QuestionError("The body names flows and an incident, or neither: expected one of the two.")
    flows = texts_of(fields, "flows", MOST_NAMED, LONGEST_KEY) if "flows" in fields else ()
    incident = _incident_of(fields["incident"]) if "incident" in fields else Incident()
    undo = flag_of(fields, "undo", otherwise=False)
    return Never(flows, incident, undo, *(text_of(fields, name, most) for name, most in LONGEST.items()))


def _incident_of(document: Any) -> Incident:
    fields = object_of(document, (), _INCIDENT, what="incident")
    if not fields:
        raise QuestionError("incident is empty: expected at least one of its fields.")

    def text(name: str) -> str:
        return text_of(fields, name, LONGEST_NAME) if name in fields else ""

    triggers = texts_of(fields, "triggers", MOST_TRIGGERS, LONGEST_NAME) if "triggers" in fields else ()
    before = time_of(fields, "before_unix_nano")
    return Incident(text("service"), triggers, text("next_event_type"), text("cause"), before)


class Dismissing:
    """What is dismissed, and the one who changes it: each word is stored before it is applied."""

    def __init__(self, sources: Sources, nearest: Callable[[str], list[str]]) -> None:
        self._sources, self._nearest = sources, nearest
        self._lock = threading.Lock()
        self._dismissed: Dismissed | None = None  # not asked for yet

    @property
    def dismissed(self) -> Dismissed:
        """What is dismissed now; raise `StoreError` if the store cannot say after a start."""
        if self._dismissed is None:
            with self._lock:
                if self._dismissed is None:
                    self._dismissed = self._read()
        return self._dismissed

    def dismiss(self, wish: Never) -> Answered:
        """Store and apply *wish*; return what was done. Raise `DismissalError` if it is not taken."""
        live, store = self._sources.live, self._sources.dismissals
        if not live.replayed.is_set():
            raise DismissalError(
                "The collector has just started, and does not know yet what is stuck: ask again in some"
                " seconds.",
                503,
            )
        before = self.dismissed
        with self._lock:
            before = self._dismissed or before
            flows, received = self._named(wish, before) if wish.flows else self._incident(wish, before)
            there = store.count()
            if there + len(flows) > MOST_STORED:
                raise DismissalError(
                    f"{there:,} words on flows are stored, and at most {MOST_STORED:,} are: {len(flows):,}"
                    " cannot be added. A declared or forgotten expectation keeps flows from being stuck."
                )
            # The newest one counts, even if the clock was set back.
            at = max(time.time_ns(), max(before.said, default=0) + 1)
            incident = "" if wish.flows else wish.incident.named
            said = Dismissal(at, "undo" if wish.undo else "dismiss", incident, wish.author, wish.reason)
            store.write(said, flows, np.full(len(flows), -1) if wish.undo else received)
            self._dismissed = self._read()
        return Answered(
            time_unix_nano=at,
            undo=wish.undo,
            flows=len(flows),
            examples=list(flows[:_SHOWN]),
            incident=incident or None,
            author=wish.author,
            reason=wish.reason,
        )

    def _read(self) -> Dismissed:
        store = self._sources.dismissals
        return dismissed_of(store.standing(), store.said())

    def _named(self, wish: Never, before: Dismissed) -> tuple[Sequence[str], Ints]:
        """The ids of the flows that *wish* names, each once, and when the last span of each was received."""
        found: dict[str, int] = {}
        for name in wish.flows:
            flow, received, state = self._flow(name)
            if wish.undo:
                if before.of(flow, received, state) is None:
                    raise DismissalError(f"flow '{cut(name)}' is not dismissed: there is nothing to undo.")
            elif state < State.STUCK:
                raise DismissalError(
                    f"flow '{cut(name)}' is {state.word}: expected one that is stuck or failed."
                )
            found[flow] = received
        return list(found), np.array(list(found.values()), np.int64)

    def _flow(self, name: str) -> tuple[str, int, State]:
        """(id, arrival of its last span, state) of the flow with the key, id or trace id *name*."""
        snapshot = self._sources.live.snapshot
        place = place_of(snapshot, name)
        if place is not None:
            row = snapshot.flows.slice(place, 1)
            return row["id"][0].as_py(), row["received"][0].as_py(), State(int(snapshot.state[place]))
        stored = self._sources.flows.named(name).to_pylist()
        if not stored:
            nearest = self._nearest(name)
            known = f" Near it are: {', '.join(map(cut, nearest))}." if nearest else ""
            raise DismissalError(
                f"no flow '{cut(name)}': expected a flow key, a flow id or a trace id.{known}", 404, nearest
            )
        return stored[0]["id"], stored[0]["received"], State(stored[0]["state"])

    def _incident(self, wish: Never, before: Dismissed) -> tuple[Sequence[str], Ints]:
        """The flows of the incident that *wish* describes, and when the last span of each was received."""
        snapshot, incident = self._sources.live.snapshot, wish.incident
        hidden = before.hidden(snapshot)
        among = hidden if wish.undo else (snapshot.state >= State.STUCK) & ~hidden
        rows = members(snapshot, incident, among)[:MOST_AT_ONCE]
        some = snapshot.flows.select(["id", "received"]).take(pa.array(rows))
        if not incident.owes and len(rows) < MOST_AT_ONCE:
            some = pa.concat_tables([some, self._stored(wish, MOST_AT_ONCE - len(rows))])
        if not some.num_rows:
            what = "dismissed flow" if wish.undo else "stuck or failed flow"
            raise DismissalError(f"no {what} is part of the incident: {incident.named}.", 404)
        return some["id"].to_pylist(), np.asarray(some["received"].to_numpy())

    def _stored(self, wish: Never, most: int) -> pa.Table:
        """(id, received) of flows of an incident that only the store has: it knows what is old."""
        snapshot = self._sources.live.snapshot
        states = () if wish.undo else _STOPPED
        search = Search(
            states=states, dismissed=wish.undo, before=wish.incident.before, without=snapshot.kept_ids
        )
        return self._sources.flows.found(search, most).select(["id", "received"])
