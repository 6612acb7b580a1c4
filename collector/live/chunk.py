"""Some flows that were stitched at one tick, with all that is needed to judge, join and teach them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from collector.diagnosis.expectations import Learner
from collector.diagnosis.owed import Expected, Owed
from collector.diagnosis.record import Ints, Mask, Record, record
from collector.flowtable import flow_table, outcomes
from collector.keys import NONE, Keys, span_keys, text_keys, trace_keys, whole
from collector.stitching import Stitched, stitch


@dataclass
class Chunk:
    """Flows 0 to n of one stitching.

    Nothing in it changes but the marks. A flow that is touched by new spans dies here and is
    stitched again, with them, in a newer chunk.
    """

    stitched: Stitched
    record: Record
    flows: pa.Table  # FLOWS
    owed: Owed
    identifiers: Keys  # the traces and flow keys by which a new span may belong to a flow
    identified: Ints  # the flow of each
    alive: Mask
    taught: Mask
    overdue: Mask  # it was stuck or failed at some time
    unsure: Mask  # it holds an event type of which it is not known yet what follows

    @property
    def rows(self) -> pa.Table:
        """READINGS of all spans of the living flows."""
        flows = self.stitched.flows
        return self.stitched.graph.spans.take(pa.array(np.unique(flows.row[self.alive[flows.flow]])))

    def rows_of(self, chosen: Mask) -> pa.Table:
        """READINGS of the spans of the flows that *chosen* marks."""
        flows = self.stitched.flows
        return self.stitched.graph.spans.take(pa.array(np.unique(flows.row[chosen[flows.flow]])))

    def first_keys(self, chosen: Mask) -> Keys:
        """The key of the first span of each flow that *chosen* marks."""
        return self.stitched.graph.key[self.stitched.flows.first[chosen]]

    def judge_again(self, expected: Expected) -> None:
        """Judge by other expectations than those it was made with."""
        self.owed, _ = expected.owed(self.record)
        self.unsure = unsure(self.record, expected)

    def tell_outcomes(self, learner: Learner) -> None:
        """Name what ended each flow, by what is known by now."""
        place = self.flows.schema.get_field_index("outcome")
        self.flows = self.flows.set_column(place, "outcome", outcomes(self.record, learner))


def make(rows: pa.Table, learner: Learner, expected: Expected) -> tuple[Chunk, pa.Table]:
    """The chunk of *rows* (READINGS), and those rows that have to do with no message yet."""
    stitched = stitch(rows)
    happened = record(stitched, learner.names)
    owed, gaps = expected.owed(happened)
    flows = flow_table(stitched, happened, learner)
    if gaps.any():
        gaps |= np.asarray(flows["incomplete"].to_numpy())
        flows = flows.set_column(flows.schema.get_field_index("incomplete"), "incomplete", pa.array(gaps))
    identifiers, place = identifiers_of(stitched.graph.spans)
    order = np.argsort(stitched.flows.row, kind="stable")
    row, flow = stitched.flows.row[order], stitched.flows.flow[order]
    left, right = np.searchsorted(row, place, "left"), np.searchsorted(row, place, "right")
    each = np.repeat(np.arange(len(place)), right - left)
    within = np.arange(len(each)) - np.repeat(np.cumsum(right - left) - (right - left), right - left)
    met, meeting = _once(identifiers[each], flow[left[each] + within])
    count = stitched.flows.count
    chunk = Chunk(
        stitched=stitched,
        record=happened,
        flows=flows,
        owed=owed,
        identifiers=met,
        identified=meeting,
        alive=np.ones(count, np.bool_),
        taught=np.zeros(count, np.bool_),
        overdue=np.zeros(count, np.bool_),
        unsure=unsure(happened, expected),
    )
    outside = np.ones(len(stitched.graph.key), np.bool_)
    outside[row] = False
    return chunk, stitched.graph.spans.filter(pa.array(outside))


def unsure(happened: Record, expected: Expected) -> Mask:
    """Which flows hold an event type of which it is not known yet what follows."""
    mask = np.zeros(happened.flows, np.bool_)
    mask[happened.messages.flow[~expected.known(happened.messages.type)]] = True
    return mask


def identifiers_of(rows: pa.Table) -> tuple[Keys, Ints]:
    """(identifier, row): by its trace, its flow key and the traces it links to, a span may meet others."""
    places = np.arange(rows.num_rows)
    links = whole(rows["link_trace_ids"])
    owner = np.repeat(places, np.diff(links.offsets.to_numpy()))
    found = np.concatenate(
        [trace_keys(rows["trace_id"]), text_keys(rows["flow_key"]), trace_keys(links.flatten())]
    )
    place = np.concatenate([places, places, owner])
    return found[found != NONE], place[found != NONE]


def _once(identifiers: Keys, flow: Ints) -> tuple[Keys, Ints]:
    """Each pair once: most spans of a flow say the same, and every tick looks at all of them."""
    order = np.lexsort((flow, identifiers))
    identifiers, flow = identifiers[order], flow[order]
    new = np.append(True, (identifiers[1:] != identifiers[:-1]) | (flow[1:] != flow[:-1]))[: len(order)]
    return identifiers[new], flow[new]


def span_keys_of(rows: pa.Table) -> Keys:
    """The key of each span."""
    return span_keys(trace_keys(rows["trace_id"]), rows["span_id"])
