"""Which flows were evicted, and how are they restored?"""

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.columns.joins import Ints, Mask, among, once
from collector.columns.keys import Keys, text_keys, whole
from collector.columns.keysets import KeySet
from collector.conventions import Naming
from collector.diagnosis.course_rows import courses
from collector.live import trimmed
from collector.live.chunk import Chunk, asked_of, identifiers_of
from collector.live.judged import Judged
from collector.live.memory import Restored
from collector.live.snapshot import Done
from collector.model.flows import State
from collector.model.identity import trace_keys
from collector.store.contracts import FlowStore


class Archive:
    """Evicts flows to *store*, and restores them. Its methods raise `StoreError` if the store does.

    It remembers the identifiers of the flows that were evicted last, so that it asks the store only for flows
    that may be there. Once it has forgotten the identifiers of a flow, late spans of it become a flow of
    their own.
    """

    def __init__(self, store: FlowStore) -> None:
        self.replaying = False  # while it lasts, stored flows are not overwritten
        self._store = store
        self._evicted, self._aside = KeySet(), KeySet()
        self._indexed = KeySet()  # ids of messages in evicted flows
        self._asked = False  # a span asked for a message by its id; until then none are indexed
        # Not written to the store yet.
        self._to_index: list[tuple[Keys, pa.Array]] = []
        self._absorbed: set[str] = set()
        self._refused: list[str] = []
        self._done: deque[tuple[int, Ints, npt.NDArray[np.float64]]] = deque()  # first, the newest arrival

    def remember(self, identifiers: Keys) -> None:
        """Remember that flows with these identifiers were evicted."""
        self._evicted.add(identifiers)

    def remember_names(self, flow_keys: pa.Array, trace_ids: pa.Array) -> None:
        """Remember that flows with these keys and traces were evicted."""
        self.remember(np.concatenate([text_keys(flow_keys), trace_keys(trace_ids)]))

    def newest_version(self) -> int | None:
        """The version of the row that was written last; None if the store cannot say."""
        return self._store.newest_version()

    def keep(self, one: Judged, flows: Mask) -> None:
        """Write *flows* to the store; they stay in memory."""
        if flows.any():
            self._write(one, flows, evict=False)

    def evict(self, one: Judged, flows: Mask, stuck_from: Ints | None = None) -> None:
        """Write *flows* to the store, and drop them from memory."""
        if not flows.any():
            return
        table = self._write(one, flows, evict=True, stuck_from=stuck_from)
        self._index(one.chunk, flows)
        self.release(one.chunk, flows)
        new = (one.state[flows] == State.DONE) & ~one.chunk.marks.counted[flows]
        last, started = np.asarray(table["last"].to_numpy()), np.asarray(table["started"].to_numpy())
        if new.any():
            arrived = int(np.asarray(table["received"].to_numpy())[new].max())
            self._done.append((arrived, last[new], (last[new] - started[new]) / 1e9))

    def release(self, chunk: Chunk, flows: Mask) -> None:
        """Drop *flows*, which the store has, from memory."""
        self._keep_stored(chunk, flows)
        self.remember(chunk.identifiers[flows[chunk.identified]])
        chunk.drop(flows)

    def set_aside(self, chunk: Chunk, flows: Mask) -> None:
        """Ignore all further spans of *flows*."""
        self._aside.add(chunk.identifiers[flows[chunk.identified]])

    def remember_aside(self, ids: pa.Array, trace_ids: pa.Array) -> None:
        """Ignore all further spans of flows with these ids and traces, which were set aside earlier."""
        self._aside.add(np.concatenate([text_keys(ids), trace_keys(trace_ids)]))

    def without_aside(self, rows: pa.Table) -> pa.Table:
        """*rows* (READINGS) without those of flows that were set aside."""
        if not self._aside:
            return rows
        identifiers, owner = identifiers_of(rows)
        known = np.ones(rows.num_rows, np.bool_)
        known[owner[self._aside.among(identifiers)]] = False
        return rows.filter(pa.array(known))

    def restore(self, rows: pa.Table, believed: Keys, naming: Naming, now: int) -> Restored | None:
        """The evicted flows that *rows* (READINGS) belong to by *believed* identifiers; None if none."""
        seen = believed[self._evicted.among(believed)]
        indexed = self._traces_of_asked(rows)
        if not len(seen) and not len(indexed):
            return None
        identifiers, place = identifiers_of(rows)
        late = rows.take(pa.array(once(place[among(identifiers, seen)])))
        traces = pa.concat_arrays([whole(late["trace_id"]), indexed])
        known, spans = self._store.fetch(traces.unique(), late["flow_key"].drop_null().unique())
        if not spans.num_rows:
            return None
        heard = int(np.asarray(rows["received"].to_numpy()).min()) - 1
        return Restored(trimmed.read(spans, naming, now), known, heard=heard)

    def absorb(self, ids: Sequence[str]) -> None:
        """At the next `flush`, remove the flows with these *ids*: they are part of others now.

        During a replay they are kept until its end: a later part of the replay may make one of them a flow
        of its own again, and does not store it a second time.
        """
        self._absorbed.update(ids)

    def refuse(self, keys: Iterable[str]) -> None:
        """At the next `flush`, store that *keys* are not flow keys."""
        self._refused += keys

    def flush(self) -> None:
        """Write to the store what was absorbed and what was refused."""
        if self._refused:
            self._store.refuse(self._refused)
            self._refused = []
        if self._absorbed and not self.replaying:
            self._store.forget(sorted(self._absorbed))
            self._absorbed.clear()

    def flush_index(self) -> None:
        """Write the message ids of evicted flows to the store, all at once: each insert is expensive."""
        if self._to_index:
            ids, traces = zip(*self._to_index, strict=True)
            self._store.offer(np.concatenate(ids), pa.concat_arrays(traces))
            self._to_index = []

    def done(self, since: int) -> Done:
        """The flows that were evicted as done, without those of which nothing was received after *since*."""
        while self._done and self._done[0][0] < since:
            self._done.popleft()
        return Done(tuple((last, seconds) for _, last, seconds in self._done))

    def _write(self, one: Judged, flows: Mask, *, evict: bool, stuck_from: Ints | None = None) -> pa.Table:
        """Write *flows* to the store; return their rows (FLOWS)."""
        chunk = one.chunk
        table = chunk.flows.filter(pa.array(flows))
        taught = ~chunk.marks.overdue[flows] & (one.state[flows] == State.DONE) & evict
        stuck_from = None if stuck_from is None else stuck_from[flows]
        keyed = np.asarray(chunk.flows["key"].is_valid().to_numpy(), np.bool_)
        took = courses(chunk.record, chunk.judged_by.names, flows, keyed)
        self._store.put(table, one.state[flows], taught, stuck_from, only_new=self.replaying, courses=took)
        self._keep_stored(chunk, flows)
        chunk.note_stored(flows)
        return table

    def _keep_stored(self, chunk: Chunk, flows: Mask) -> None:
        """Do not remove *flows* after all: each is a flow of its own again, and the store has it."""
        if self._absorbed:
            self._absorbed.difference_update(chunk.ids(flows))

    def _traces_of_asked(self, rows: pa.Table) -> pa.Array:
        """The traces of evicted flows with a message that *rows* ask for by its id."""
        asked = once(asked_of(rows)[0])
        self._asked |= bool(len(asked))
        asked = asked[self._indexed.among(asked)]
        return self._store.offering(asked) if len(asked) else pa.array([], pa.binary(16))

    def _index(self, chunk: Chunk, flows: Mask) -> None:
        """Make the messages of *flows* findable by their ids, if any span has ever asked for one."""
        if not self._asked:
            return
        ids, flow = chunk.offered
        ids, flow = ids[flows[flow]], flow[flows[flow]]
        if len(ids):
            graph = chunk.stitched.graph
            first = graph.spans["trace_id"].take(pa.array(chunk.stitched.flows.first[flow]))
            self._to_index.append((ids, whole(first)))
            self._indexed.add(ids)
