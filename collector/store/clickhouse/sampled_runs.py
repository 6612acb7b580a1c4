"""Which flows are a sample's, by their last activity? Runs of neighbours in time: see `contracts.Sample`."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.flow_questions import stored_columns
from collector.store.clickhouse.tallies import Rows
from collector.store.contracts import Sample

_MOST = 100_000


class Runs:
    """The runs of *sample* among flows with these times of last activity, *every* one of them."""

    def __init__(self, every: npt.NDArray[np.int64], sample: Sample) -> None:
        self._times = np.sort(every)
        numbers = np.arange(-(-len(every) // sample.run))
        chosen = numbers[numbers * sample.chosen % sample.runs < sample.chosen]
        # Those that follow one another are one.
        starts = np.append(True, np.diff(chosen) > 1)[: len(chosen)]
        self._first = chosen[starts] * sample.run
        ends = (chosen[np.append(starts[1:], True)[: len(chosen)]] + 1) * sample.run
        self._end = np.minimum(ends, len(every))

    def condition(self) -> tuple[str, dict[str, object]]:
        """That `last` is within one of them, and its values. Flows of the same instant as one come along."""
        bounds = zip(self._times[self._first].tolist(), self._times[self._end - 1].tolist(), strict=True)
        parts, values = [], dict[str, object]()
        for number, (first, last) in enumerate(bounds):
            parts.append(f"last BETWEEN {{first_{number}:Int64}} AND {{last_{number}:Int64}}")
            values |= {f"first_{number}": first, f"last_{number}": last}
        return f"({' OR '.join(parts) or '0'})", values

    def within(self, flows: pa.Table) -> pa.Table:
        """Those of *flows* that are in them: *flows* are all for which the condition holds."""
        flows = flows.take(pc.sort_indices(flows, [("last", "ascending"), ("id", "ascending")]))
        last = flows["last"].to_numpy()
        # The place of each among all: after the older ones, and those of its instant that come before it.
        place = np.searchsorted(self._times, last) + np.arange(len(last)) - np.searchsorted(last, last)
        run = np.searchsorted(self._first, place, side="right") - 1
        taken: Ints = np.flatnonzero((run >= 0) & (place < np.append(self._end, 0)[run]))
        return flows.take(pa.array(taken))


def sampled(database: Database, rows: Rows, sample: Sample) -> pa.Table:
    """(id, state, traces, last) of a *sample* of *rows*, as in `tallies`."""
    sources, values = rows
    every = [database.query(f"SELECT last FROM {one.rows}", values, ["last"]) for one in sources]
    runs = Runs(np.concatenate([one["last"].to_numpy() for one in every]), sample)
    within, ranges = runs.condition()
    names = ["id", "state", "traces", "last"]
    questions = [
        f"SELECT id, {one.state} AS state, traces, last FROM {one.rows} AND {within} LIMIT {_MOST}"
        for one in sources
    ]
    read = [database.query(one, {**values, **ranges}, names) for one in questions]
    return stored_columns(runs.within(pa.concat_tables(read)), names)
