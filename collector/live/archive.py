"""The flows that left the memory: which they are, and how they come back."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.conventions import Naming
from collector.diagnosis import State
from collector.joins import Ints, Mask, among, once
from collector.keys import Keys, text_keys, trace_keys, whole
from collector.live import readings
from collector.live.chunk import Chunk, asked_of, identifiers_of
from collector.live.judged import Judged
from collector.live.memory import Brought
from collector.live.seen import Seen
from collector.live.snapshot import Done


class FlowKeeper(Protocol):
    """Where flows are kept durably. All raise `StoreError`."""

    def put(
        self, flows: pa.Table, state: Ints, taught: Mask, stuck_from: Ints | None = None, *, only_new: bool
    ) -> None:
        """Keep *flows* (FLOWS); a flow of the same id is replaced, or with *only_new* stays.

        One that runs is stuck from a time on.
        """

    def forget(self, ids: Sequence[str]) -> None:
        """Remove the flows of these ids: they are part of others now."""

    def offer(self, ids: Keys, trace_ids: pa.Array) -> None:
        """Keep which trace leads to the flow of the message with each of these ids."""

    def offering(self, ids: Keys) -> pa.Array:
        """The traces that lead to the flows of the messages with these ids."""

    def refuse(self, keys: Sequence[str]) -> None:
        """Remember that these are no flow keys."""

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[list[str], pa.Table]:
        """The ids of the kept flows with these keys or traces, and SPANS of all traces of both."""


class Archive:
    """What of *keeper* the live part has to know. Its methods raise `StoreError` where that does."""

    def __init__(self, keeper: FlowKeeper) -> None:
        self.rehearse = False  # while the past is lived again, flows that are kept already stay as they are
        self._keeper = keeper
        self._seen, self._aside = Seen(), Seen()
        self._offered = Seen()  # ids of messages in flows that were put away
        self._asked = False  # somebody asked for a message by its id: until then nobody keeps them
        self._offers: list[tuple[Keys, pa.Array]] = []  # these three the keeper does not know yet
        self._vanished: list[str] = []
        self._refused: list[str] = []
        self._done: deque[tuple[Ints, npt.NDArray[np.float64]]] = deque()

    def remember(self, identifiers: Keys) -> None:
        """Know that flows with these identifiers were put away."""
        self._seen.add(identifiers)

    def remember_names(self, flow_keys: pa.Array, trace_ids: pa.Array) -> None:
        """Know that flows with these keys and traces were put away."""
        self.remember(np.concatenate([text_keys(flow_keys), trace_keys(trace_ids)]))

    def let_go(self, chunk: Chunk, flows: Mask) -> None:
        """Let *flows*, which are kept, leave the memory."""
        chunk.alive &= ~flows
        self.remember(chunk.identifiers[flows[chunk.identified]])

    def put_aside(self, chunk: Chunk, flows: Mask) -> None:
        """Look at no more spans of *flows*."""
        self._aside.add(chunk.identifiers[flows[chunk.identified]])

    def without_aside(self, rows: pa.Table) -> pa.Table:
        """*rows* (READINGS), but for those of flows that were put aside."""
        if not self._aside:
            return rows
        identifiers, owner = identifiers_of(rows)
        known = np.ones(rows.num_rows, np.bool_)
        known[owner[self._aside.among(identifiers)]] = False
        return rows.filter(pa.array(known))

    def bring_back(self, rows: pa.Table, believed: Keys, naming: Naming) -> Brought | None:
        """The flows put away that *rows* (READINGS) belong to, by those identifiers that are *believed*."""
        seen = believed[self._seen.among(believed)]
        offering = self._offering(rows)
        if not len(seen) and not len(offering):
            return None
        identifiers, place = identifiers_of(rows)
        late = rows.take(pa.array(once(place[among(identifiers, seen)])))
        traces = pa.concat_arrays([whole(late["trace_id"]), offering])
        ids, spans = self._keeper.fetch(traces.unique(), late["flow_key"].drop_null().unique())
        return Brought(readings.read(spans, naming), ids) if spans.num_rows else None

    def vanish(self, ids: Sequence[str]) -> None:
        """Remove the flows of these *ids*, at the next `settle`: they are part of others now."""
        self._vanished += ids

    def refuse(self, keys: Iterable[str]) -> None:
        """Remember, at the next `settle`, that *keys* are no flow keys."""
        self._refused += keys

    def settle(self) -> None:
        """Tell the keeper what vanished and what is refused."""
        if self._refused:
            self._keeper.refuse(self._refused)
        self._refused = []
        if self._vanished and not self.rehearse:
            self._keeper.forget(self._vanished)
        self._vanished = []

    def offer(self) -> None:
        """Tell the keeper of the messages of flows that went: at once, for each insert costs much."""
        if self._offers:
            ids, traces = zip(*self._offers, strict=True)
            self._keeper.offer(np.concatenate(ids), pa.concat_arrays(traces))
            self._offers = []

    def put(self, one: Judged, flows: Mask, *, away: bool, stuck_from: Ints | None = None) -> None:
        """Keep *flows*; those that go *away* leave the memory with it."""
        chunk = one.chunk
        if not flows.any():
            return
        table = chunk.flows.filter(pa.array(flows))
        taught = ~chunk.marks.overdue[flows] & (one.state[flows] == State.DONE) & away
        stuck_from = None if stuck_from is None else stuck_from[flows]
        self._keeper.put(table, one.state[flows], taught, stuck_from, only_new=self.rehearse)
        if away:
            self._offer(chunk, flows)
        chunk.marks.kept |= flows
        chunk.marks.current |= flows
        if not away:
            return
        self.let_go(chunk, flows)
        new = (one.state[flows] == State.DONE) & ~chunk.marks.counted[flows]
        last, started = np.asarray(table["last"].to_numpy()), np.asarray(table["started"].to_numpy())
        if new.any():
            self._done.append((last[new], (last[new] - started[new]) / 1e9))

    def done(self, since: int) -> Done:
        """What was put away as done, and ended after *since*."""
        while self._done and int(self._done[0][0].max(initial=0)) < since:
            self._done.popleft()
        return Done(tuple(self._done))

    def _offering(self, rows: pa.Table) -> pa.Array:
        """The traces of flows put away that have a message which *rows* ask for by its id."""
        asked = once(asked_of(rows)[0])
        self._asked |= bool(len(asked))
        asked = asked[self._offered.among(asked)]
        return self._keeper.offering(asked) if len(asked) else pa.array([], pa.binary(16))

    def _offer(self, chunk: Chunk, flows: Mask) -> None:
        """Let the messages of *flows*, which go away, be found by who asks for their ids, if anybody does."""
        if not self._asked:
            return
        ids, flow = chunk.offered
        ids, flow = ids[flows[flow]], flow[flows[flow]]
        if len(ids):
            graph = chunk.stitched.graph
            first = graph.spans["trace_id"].take(pa.array(chunk.stitched.flows.first[flow]))
            self._offers.append((ids, whole(first)))
            self._offered.add(ids)
