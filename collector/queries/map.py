"""The choreography of a time window: who reacts to what in its flows, and where did flows stop?

Of many flows a sample is drawn whose shares are those of the window: of the flows in memory and of those in
the store in proportion, and in runs that are spread over the whole window. Runs, because spans that arrived
one after the other are read together.
"""

import time
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from collector import conventions
from collector.columns.keys import whole
from collector.diagnosis import Names, record
from collector.model.answers import Finding, Map, MapStuck
from collector.model.flows import State
from collector.model.wording import SECOND
from collector.queries.choreography import choreography
from collector.queries.flow_answer import ids_of
from collector.queries.flow_list import in_store_alone
from collector.queries.flow_parts import cut_for
from collector.queries.sources import Sources
from collector.stitching import stitch
from collector.store.contracts import Sample, Search

_MAP_FLOWS = 1_000  # a map is drawn from this many flows,
_RUNS = 20  # in so many runs,
_MAP_TRACES = 10_000  # from so many of their traces,
_TRACE_SPANS = 1_000  # from so many of the first spans of each: the rest repeat what is drawn already,
_MAP_SPANS = 100_000  # and from so many in all
_MOST_VARIANTS = 200


def choreography_map(sources: Sources, window_s: int, found: Iterable[Finding]) -> Map:
    """The map of the last *window_s* seconds; *found* has the current findings."""
    snapshot = sources.live.snapshot
    since = time.time_ns() - window_s * SECOND  # by the clocks of services, of which this one is a guess
    last = np.asarray(snapshot.flows["last"].to_numpy())
    living = np.flatnonzero(last > since)
    elsewhere = in_store_alone(snapshot, Search(since=since))
    many = sum(sources.flows.counts(elsewhere).values())
    share = min(_MAP_FLOWS / max(len(living) + many, 1), 1.0)
    stored = sources.flows.sampled(elsewhere, _spread(many, share))
    sample = _spread(len(living), share)
    by_age = living[np.argsort(last[living], kind="stable")]
    run_of = np.arange(len(living)) // sample.run
    chosen = by_age[run_of * sample.chosen % sample.runs < sample.chosen]
    unfinished = snapshot.flows.take(pa.array(chosen))
    state = dict(zip(stored["id"].to_pylist(), stored["state"].to_pylist(), strict=True))
    state.update(zip(unfinished["id"].to_pylist(), snapshot.state[chosen].tolist(), strict=True))
    traces = pa.concat_arrays([whole(stored["traces"]).flatten(), whole(unfinished["traces"]).flatten()])
    some = traces.unique()[:_MAP_TRACES].to_pylist()
    spans = sources.spans.first_of(some, _TRACE_SPANS, _MAP_SPANS, cut_for(sources))
    stitched = stitch(conventions.read(spans, sources.naming), sources.live.keying)
    names = Names()
    # The trace of a batch also brings parts of flows that are not in the sample.
    states = [State(state[name]).word if name in state else None for name in ids_of(stitched)]
    steps = snapshot.expected.steps.values() if snapshot.expected else ()
    awaited = {step.triggers[0] for step in steps if step.progresses}
    drawn = choreography(record(stitched, names), names, states, awaited)
    return Map(
        flows=len(state),
        flows_in_window=max(len(living) + many, len(state)),
        events=drawn.events,
        reactions=drawn.reactions,
        emits=drawn.emits,
        variants=drawn.variants[:_MOST_VARIANTS],
        stuck=_stopped(found),
    )


def _spread(flows: int, share: float) -> Sample:
    """That *share* of so many *flows*, at least one of them, in about `_RUNS` runs; few flows one by one."""
    if share >= 1:
        return Sample(1, 1, 1)
    wanted = max(round(flows * share), 1)
    run = max(wanted // _RUNS, 1)
    return Sample(run, max(-(-flows // run), 1), max(round(wanted / run), 1))


def _stopped(found: Iterable[Finding]) -> list[MapStuck]:
    by_step: dict[tuple[str, str, str | None], set[str]] = {}
    for finding in found:
        missing = finding.missing
        what = (finding.stopped_at.event_type, missing.service, missing.next_event_type)
        by_step.setdefault(what, set()).add(finding.flow)
    return [
        MapStuck(event_type=event, missing_service=service, next_event_type=following, flows=len(flows))
        for (event, service, following), flows in by_step.items()
    ]
