"""A chunk: flows that were stitched together, with all that is needed to judge, join and learn from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask, among, ascending, find, once
from collector.columns.keys import NONE, Keys, pair_keys, text_keys, whole
from collector.conventions.same_broker import brokers
from collector.diagnosis.debts import Debt, Owed
from collector.diagnosis.expected import Expected
from collector.diagnosis.flow_rows import first_arrivals, flow_table, outcomes
from collector.diagnosis.lesson import Lesson
from collector.diagnosis.owed import Demands
from collector.diagnosis.record import Record, record
from collector.model.identity import span_keys, trace_keys
from collector.model.readings import Role
from collector.stitching import BELIEVED, Keying, Stitched, stitch
from collector.store.contracts import Known

_NEVER = 2**63 - 1
_TIMES = ("heard", "begun")  # of the marks: in nanoseconds, 0 for none


@dataclass(eq=False)
class Marks:
    """What has happened to each flow so far; it stays true when the flow grows."""

    overdue: Mask  # it was stuck or failed at some point
    kept: Mask  # the store has a row for it,
    current: Mask  # and that row is up to date
    counted: Mask  # it was counted as done
    stopped: Mask  # the store says that it stopped, and nothing of it has come since
    vouched: Mask  # as `stopped`, and here nothing has shown yet why it did
    heard: Ints  # it has taught, or must not teach, with spans received up to then, nanoseconds; 0: with none
    begun: Ints  # it was cut: its first span was received then, and is no longer kept; 0: it is whole

    @classmethod
    def none(cls, count: int) -> "Marks":
        """Marks for *count* flows, none of them set."""
        kinds = ((one.name, np.int64 if one.name in _TIMES else np.bool_) for one in fields(cls))
        return cls(**{name: np.zeros(count, kind) for name, kind in kinds})

    def of(self, flows: Mask) -> "Marks":
        """The marks of the flows that *flows* marks."""
        return Marks(*(getattr(self, field.name)[flows] for field in fields(self)))

    def take_over(self, flow: Ints, before: "Marks", place: Ints) -> None:
        """Add to *flow* the marks that *before* has at *place*.

        Of a flow that is in memory already, the store is asked again when more of it arrives: the earliest
        `heard` counts, or what arrived first would never teach.
        """
        for name in (one.name for one in fields(self) if one.name not in _TIMES):
            np.logical_or.at(getattr(self, name), flow, getattr(before, name)[place])
        for name in _TIMES:
            mine, theirs = getattr(self, name), getattr(before, name)
            earliest = np.where(mine > 0, mine, _NEVER)
            np.minimum.at(earliest, flow, np.where(theirs > 0, theirs, _NEVER)[place])
            setattr(self, name, np.where(earliest < _NEVER, earliest, 0))


@dataclass(eq=False)
class Chunk:
    """Flows 0 to n of one stitching. A chunk equals only itself.

    Its spans never change, only what is known of its flows: which are alive, their marks, what they owe as
    more is learned, and whether telemetry of them was lost. When new spans touch a flow, it is no longer
    alive here: it is stitched again, with them, in a newer chunk. Only the methods below change anything.
    """

    stitched: Stitched
    record: Record
    flows: pa.Table  # FLOWS
    size: Ints  # spans of each flow
    identifiers: Keys  # traces and flow keys through which a new span may belong to a flow; ascending
    identified: Ints  # the flow of each identifier
    alive: Mask
    marks: Marks
    judged_by: Demands
    owed: Owed
    unsure: Mask  # it has an event type for which it is not known yet what follows
    torn: Mask  # what is in it shows that telemetry of it was lost; `lost` also has what may have been
    deleted: Mask  # people deleted some of its spans
    looked: int = 0  # when it was last looked whether flows that stopped had ended, nanoseconds
    lived: int = 0  # spans of living flows, at the last `Memory.compact`
    _excused: Ints = field(default_factory=lambda: np.empty(0, np.int64))  # entries that are owed no more

    @property
    def lost(self) -> Mask:
        """Of which flows telemetry was lost."""
        return np.asarray(self.flows["incomplete"].to_numpy(), dtype=np.bool_)

    @property
    def cut(self) -> Mask:
        """Of which flows the beginning is no longer kept. They teach nothing."""
        return self.marks.begun > 0

    @property
    def spans(self) -> int:
        """How many spans it holds in memory, including those of flows that are gone."""
        return len(self.stitched.graph.key)

    @property
    def living_spans(self) -> int:
        """How many spans its living flows have."""
        return int(self.size[self.alive].sum())

    @cached_property
    def asked(self) -> tuple[Keys, Ints]:
        """(key, flow), ascending: the ids of messages that its consumers and its messages ask for."""
        return self._message_ids(asking=True)

    @cached_property
    def offered(self) -> tuple[Keys, Ints]:
        """(key, flow), ascending: the ids of its messages. Computed only when needed."""
        return self._message_ids(asking=False)

    def _message_ids(self, *, asking: bool) -> tuple[Keys, Ints]:
        graph, flows = self.stitched.graph, self.stitched.flows
        keys, place = asked_of(graph.spans, graph.claims) if asking else offered_of(graph.spans)
        which, flow = flows.of(place)
        return _once(keys[which], flow)

    def rows_of(self, chosen: Mask) -> pa.Table:
        """READINGS of the spans of the flows that *chosen* marks."""
        flows = self.stitched.flows
        return self.stitched.graph.read.take(pa.array(once(flows.row[chosen[flows.flow]])))

    def flows_of(self, spans: Mask) -> Mask:
        """Which living flows have any of these *spans*."""
        flows = self.stitched.flows
        mask = np.zeros(flows.count, np.bool_)
        mask[flows.flow[spans[flows.row]]] = True
        return mask & self.alive

    def first_keys(self, chosen: Mask) -> Keys:
        """The key of the first span of each flow that *chosen* marks."""
        return self.stitched.graph.key[self.stitched.flows.first[chosen]]

    def ids(self, chosen: Mask) -> list[str]:
        """The ids of the flows that *chosen* marks."""
        names: list[str] = self.flows["id"].filter(pa.array(chosen)).to_pylist()
        return names

    def lesson(self, flows: Mask, now: int, *, stuck: Owed | None = None) -> Lesson:
        """What *flows* may teach at *now*; if they are *stuck*, because of these entries."""
        # What was deleted may have happened: as of what was lost, only what is seen counts.
        return Lesson(
            self.record,
            flows & ~self.cut,
            self.lost | self.deleted,
            self.marks.heard,
            self.flows["id"],
            now,
            stuck,
        )

    def inherit(self, former: Sequence[tuple[Keys, Marks]]) -> None:
        """Pass on the marks of former flows to the flows that now contain their first spans."""
        if not former:
            return
        key = self.stitched.graph.key
        order = ascending(key)
        key, order = key[order], np.append(order, -1)
        for first, marks in former:
            row = order[find(key, first)]
            place, flow = self.stitched.flows.of(np.maximum(row, 0))
            here = row[place] >= 0
            self.marks.take_over(flow[here], marks, place[here])
        self._show_begun()

    def note_begun(self, known: Mapping[str, Known], *, unchanged: bool) -> None:
        """Record which flows began before all of their spans that are left, by what the store has *known*.

        With *unchanged*, nothing new came with them, so their rows in the store say more than we could.
        """
        first = first_arrivals(self.stitched)
        earliest = min((one.begun for one in known.values() if one.begun), default=_NEVER)
        if earliest >= first.min(initial=_NEVER):
            return  # nothing is missing, as nearly always
        ids = self.ids(np.ones(len(first), np.bool_))
        here = set(ids)
        # Without a key, a flow is named after the trace of its first span, which may be gone.
        renamed: dict[bytes, int] = {}
        for name, one in known.items():
            if name not in here and one.begun:
                renamed.update({t: min(one.begun, renamed.get(t, _NEVER)) for t in one.traces})
        for flow, (name, traces) in enumerate(zip(ids, self.flows["traces"].to_pylist(), strict=True)):
            begun = known[name].begun if name in known else 0
            begun = begun or min((renamed[t] for t in traces if t in renamed), default=0)
            if 0 < begun < first[flow]:
                self.marks.begun[flow] = begun
                self.marks.current[flow] |= unchanged and name in known
        self._show_begun()

    def known(self, flows: Mask) -> dict[str, Known]:
        """What the store knows of *flows*; when they began, only of those that were cut."""
        traces = self.flows["traces"].filter(pa.array(flows)).to_pylist()
        told = zip(self.ids(flows), self.marks.begun[flows].tolist(), traces, strict=True)
        return {name: Known(begun, frozenset(some)) for name, begun, some in told}

    def _show_begun(self) -> None:
        if self.cut.any():
            begun = np.where(self.cut, self.marks.begun, np.asarray(self.flows["begun"].to_numpy()))
            place = self.flows.schema.get_field_index("begun")
            self.flows = self.flows.set_column(place, "begun", pa.array(begun))

    def drop(self, flows: Mask) -> None:
        """Let *flows* go: they are in the store, or in a newer chunk."""
        self.alive &= ~flows

    def note_overdue(self, flows: Mask) -> None:
        """Record that *flows* are stuck or failed."""
        self.marks.overdue |= flows

    def note_taught(self, flows: Mask) -> None:
        """Record that *flows* have taught with all their spans, or must never teach with them."""
        received = np.asarray(self.flows["received"].to_numpy())
        self.marks.heard[flows] = np.maximum(self.marks.heard, received)[flows]

    def note_stored(self, flows: Mask) -> None:
        """Record that the store has *flows* as they are now."""
        self.marks.kept |= flows
        self.marks.current |= flows

    def note_changed(self, stored: Sequence[str]) -> None:
        """Record that the store has the flows with the ids *stored* only, and none of them up to date."""
        ids = np.array(self.ids(self.alive) if stored else [], object)
        self.marks.kept &= np.isin(ids, stored) if stored else False
        self.marks.current[:] = False
        self.marks.vouched[:] = self.marks.stopped[:] = False

    def note_stopped(self, known: Mapping[str, Known]) -> None:
        """Record which flows the store says have stopped, and have not got a span since: *known* are such."""
        received = np.asarray(self.flows["received"].to_numpy())
        last = [known[name].received if name in known else 0 for name in self.ids(self.alive)]
        self.marks.stopped[self.alive] = np.array(last, np.int64) >= received[self.alive]
        self.marks.vouched |= self.marks.stopped

    def excuse(self, entries: Mask, lost: Mask) -> None:
        """Drop the *entries* of what is owed; those of them that are *lost* may have happened unseen."""
        if lost.any():
            flows = np.zeros(len(self.alive), np.bool_)
            flows[self.owed.flow[lost]] = True
            self.note_lost(flows)
        self._excused = np.append(self._excused, _names_of(self.owed.where(entries)))
        self.owed = self.owed.where(~entries)

    def judge_by(self, demands: Demands) -> None:
        """Use *demands* from now on. What is owed is computed again only if they demand something else."""
        if demands is self.judged_by:
            return
        changed = not demands.same_as(self.judged_by)
        if changed:
            owed, _ = demands.owed(self.record)
            self.owed = owed.where(~np.isin(_names_of(owed), self._excused))
        if changed or self.unsure.any():
            self.unsure = unsure(self.record, demands.expected)
            place = self.flows.schema.get_field_index("outcome")
            outcome = outcomes(self.record, demands.expected)
            self.flows = self.flows.set_column(place, "outcome", outcome)
        self.judged_by = demands

    def note_lost(self, flows: Mask) -> None:
        """Record that telemetry of *flows* was lost."""
        self._set_lost(flows | self.lost)

    def note_deleted(self, flows: Mask) -> None:
        """Record that people deleted spans of *flows*: none of them was lost on its way."""
        self.deleted = self.deleted | flows
        self.torn = self.torn & ~flows
        self._set_lost(self.lost & ~flows)

    def _set_lost(self, lost: Mask) -> None:
        place = self.flows.schema.get_field_index("incomplete")
        self.flows = self.flows.set_column(place, "incomplete", pa.array(lost))


def make(rows: pa.Table, demands: Demands, keying: Keying = BELIEVED) -> tuple[Chunk, pa.Table]:
    """The chunk of *rows* (READINGS), and the rows that are connected to no message so far."""
    stitched = stitch(rows, keying)
    flows, spans = stitched.flows, stitched.graph.spans
    happened = record(stitched, demands.names)
    owed, gaps = demands.owed(happened)
    identifiers, place = identifiers_of(spans, stitched.graph.trace)
    which, flow = flows.of(place)
    met, meeting = _once(identifiers[which], flow)
    if flows.refused:  # otherwise the next span with such a key would pull all its flows together
        joins = ~among(met, once(text_keys(pa.array(flows.refused, pa.string()))))
        met, meeting = met[joins], meeting[joins]
    chunk = Chunk(
        stitched=stitched,
        record=happened,
        flows=flow_table(stitched, happened, demands.expected),
        size=np.bincount(flows.flow, minlength=flows.count),
        identifiers=met,
        identified=meeting,
        alive=np.ones(flows.count, np.bool_),
        marks=Marks.none(flows.count),
        judged_by=demands,
        owed=owed,
        unsure=unsure(happened, demands.expected),
        torn=np.asarray(flows.incomplete) | gaps,
        deleted=np.zeros(flows.count, np.bool_),
    )
    if gaps.any():
        chunk.note_lost(gaps)
    outside = np.ones(len(stitched.graph.key), np.bool_)
    outside[flows.row] = False
    return chunk, spans.filter(pa.array(outside))


def _names_of(owed: Owed) -> Ints:
    """One number for each entry, the same when what is owed is computed again."""
    return (owed.row * len(Debt) + owed.kind) * (1 << 40) + owed.step % (1 << 40)


def unsure(happened: Record, expected: Expected) -> Mask:
    """Which flows have an event type for which it is not known yet what follows."""
    mask = np.zeros(happened.flows, np.bool_)
    mask[happened.messages.flow[~expected.known(happened.messages.type)]] = True
    return mask


def identifiers_of(rows: pa.Table, trace: Keys | None = None) -> tuple[Keys, Ints]:
    """(identifier, row): a span may meet others through its trace, its flow key and the traces it links to.

    *trace* has the key of each row's trace, if it was computed already.
    """
    places = np.arange(rows.num_rows)
    links = whole(rows["link_trace_ids"])
    owner = np.repeat(places, np.diff(links.offsets.to_numpy()))
    found = np.concatenate(
        [
            trace_keys(rows["trace_id"]) if trace is None else trace,
            text_keys(rows["flow_key"]),
            trace_keys(links.flatten()),
        ]
    )
    place = np.concatenate([places, places, owner])
    return found[found != NONE], place[found != NONE]


def asked_of(rows: pa.Table, claims: Ints | None = None) -> tuple[Keys, Ints]:
    """(key, row): the ids of messages that *rows* ask for.

    A consumer without a trace context asks by system and message id. A message asks for the id that it names
    as its cause: in stitched rows only the *claims* of their graph, in others every message that might.
    """
    role = np.asarray(rows["role"].to_numpy())
    linked = pc.list_value_length(rows["link_trace_ids"]).to_numpy() > 0
    root = pc.equal(rows["parent_span_id"], pa.scalar(bytes(8), pa.binary(8))).to_numpy()
    at_home = ~np.asarray(rows["remote"].to_numpy(zero_copy_only=False))
    mine = ((role == Role.PROCESS) | (role == Role.RECEIVE)) & (root | at_home) & ~linked
    consumer = np.flatnonzero(mine & _valid(rows, "message_id") & _valid(rows, "system"))
    asking = rows.select(["system", "message_id"]).take(pa.array(consumer))
    key = pair_keys(text_keys(brokers(asking["system"])), text_keys(asking["message_id"]))
    if claims is None:
        claims = np.flatnonzero(_publishes(role) & _valid(rows, "causation"))
    causes = text_keys(rows["causation"].take(pa.array(claims)))
    return np.concatenate([key, causes]), np.concatenate([consumer, claims])


def offered_of(rows: pa.Table) -> tuple[Keys, Ints]:
    """(key, row): the ids of the messages in *rows*, in the form in which `asked_of` asks for them."""
    place = np.flatnonzero(_publishes(np.asarray(rows["role"].to_numpy())))
    some = rows.select(["system", "message_id", "event_id"]).take(pa.array(place))
    system, message, event = map(text_keys, (brokers(some["system"]), *some.columns[1:]))
    whose = np.where((system == NONE) | (message == NONE), NONE, pair_keys(system, message))
    keys = np.concatenate([whose, message, event])
    return keys[keys != NONE], np.tile(place, 3)[keys != NONE]


def _publishes(role: Ints) -> Mask:
    # What a record tells of may turn out to be a message.
    return np.asarray((role == Role.CREATE) | (role == Role.SEND) | (role == Role.RECORDED))


def _valid(rows: pa.Table, column: str) -> Mask:
    return np.asarray(rows[column].is_valid().to_numpy())


def _once(identifiers: Keys, flow: Ints) -> tuple[Keys, Ints]:
    """Deduplicate the pairs: most spans of a flow have the same ones, and every tick scans them all."""
    order = np.lexsort((flow, identifiers))
    identifiers, flow = identifiers[order], flow[order]
    new = np.append(True, (identifiers[1:] != identifiers[:-1]) | (flow[1:] != flow[:-1]))[: len(order)]
    return identifiers[new], flow[new]


def span_keys_of(rows: pa.Table) -> Keys:
    """The key of each span."""
    return span_keys(trace_keys(rows["trace_id"]), rows["span_id"])
