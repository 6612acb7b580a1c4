"""The choreography of a time window: who reacts to what in its flows, and where did flows stop?

All flows of the window are counted, by the courses that they took, which the store keeps with their rows. How
long reactions waited and worked is known of a part of them, chosen at random.

Flows that an older version stored have no course. If there are many, a sample is drawn instead, whose shares
are those of the window: of the flows in memory and of those in the store in proportion, and in runs that are
spread over the whole window. Runs, because spans that arrived one after the other are read together.
"""

import time
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from collector import conventions
from collector.columns.joins import Ints
from collector.columns.keys import whole
from collector.diagnosis import Names, record
from collector.diagnosis.course_rows import courses
from collector.live.snapshot import Snapshot
from collector.model.answers import Finding, Map, MapStuck
from collector.model.courses import PACED
from collector.model.wording import SECOND
from collector.queries.choreography import Choreography, choreography, counted
from collector.queries.flow_answer import ids_of
from collector.queries.flow_list import in_store_alone
from collector.queries.flow_parts import cut_for
from collector.queries.sources import Sources
from collector.stitching import stitch
from collector.store.contracts import Sample, Search

_PACED = 20_000  # flows whose paces are read
_MOST_TALLIES = 100_000
_UNKNOWN = 0.1  # a sample is drawn if the courses of more than this part of the flows are not known
_MAP_FLOWS = 1_000  # a sample has this many flows,
_RUNS = 20  # in so many runs,
_MAP_TRACES = 10_000  # so many of their traces,
_TRACE_SPANS = 1_000  # so many of the first spans of each: the rest repeat what is drawn already,
_MAP_SPANS = 100_000  # and so many in all
_MOST_VARIANTS = 200


def choreography_map(sources: Sources, window_s: int, found: Iterable[Finding]) -> Map:
    """The map of the last *window_s* seconds; *found* has the current findings."""
    snapshot = sources.live.snapshot
    since = time.time_ns() - window_s * SECOND  # by the clocks of services, of which this one is a guess
    living = np.flatnonzero(np.asarray(snapshot.flows["last"].to_numpy()) > since)
    elsewhere = in_store_alone(snapshot, Search(since=since))
    tallies = sources.flows.tallied(elsewhere, _MOST_TALLIES)
    many = int(tallies["n"].to_numpy().sum())
    if tallies.num_rows >= _MOST_TALLIES:
        many = sum(sources.flows.counts(elsewhere).values())
    paced = sources.flows.paced(elsewhere, max(many // _PACED, 1)) if many else PACED.empty_table()
    here, paces = counted(
        snapshot.courses.take(pa.array(living)), snapshot.state[living], _took(snapshot, living)
    )
    awaited = _awaited(snapshot)
    drawn = choreography(pa.concat_tables([tallies, here]), pa.concat_tables([paced, paces]), awaited)
    flows, in_window = drawn.flows - drawn.unknown, len(living) + many
    if flows < (1 - _UNKNOWN) * in_window:
        drawn = _sampled(sources, snapshot, elsewhere, living, many)
        flows = drawn.flows
    return Map(
        flows=flows,
        flows_in_window=max(in_window, flows),
        events=drawn.events,
        reactions=drawn.reactions,
        emits=drawn.emits,
        variants=drawn.variants[:_MOST_VARIANTS],
        stuck=_stopped(found),
    )


def _sampled(
    sources: Sources, snapshot: Snapshot, elsewhere: Search, living: Ints, many: int
) -> Choreography:
    """The choreography of a sample of the *living* flows, and of the *many* that are *elsewhere*."""
    share = min(_MAP_FLOWS / max(len(living) + many, 1), 1.0)
    stored = sources.flows.sampled(elsewhere, _spread(many, share))
    sample = _spread(len(living), share)
    last = np.asarray(snapshot.flows["last"].to_numpy())
    by_age = living[np.argsort(last[living], kind="stable")]
    run_of = np.arange(len(living)) // sample.run
    chosen = by_age[run_of * sample.chosen % sample.runs < sample.chosen]
    unfinished = snapshot.flows.take(pa.array(chosen))
    state = dict(zip(stored["id"].to_pylist(), stored["state"].to_pylist(), strict=True))
    state.update(zip(unfinished["id"].to_pylist(), snapshot.state[chosen].tolist(), strict=True))
    traces = pa.concat_arrays([whole(stored["traces"]).flatten(), whole(unfinished["traces"]).flatten()])
    some = traces.unique()[:_MAP_TRACES].to_pylist()
    spans = sources.spans.first_of(some, _TRACE_SPANS, _MAP_SPANS, cut_for(sources))
    stitched, names = stitch(conventions.read(spans, sources.naming), sources.live.keying), Names()
    happened = record(stitched, names)
    # The trace of a batch also brings parts of flows that are not in the sample.
    states = [state.get(name, -1) for name in ids_of(stitched)]
    mine = np.array(states, np.int64) >= 0
    took = (happened.last - happened.started)[mine]
    return choreography(
        *counted(courses(happened, names, mine), np.array(states, np.int64)[mine], took), _awaited(snapshot)
    )


def _awaited(snapshot: Snapshot) -> set[str]:
    """The event types that a step is known to wait for."""
    steps = snapshot.expected.steps.values() if snapshot.expected else ()
    return {step.triggers[0] for step in steps if step.progresses}


def _took(snapshot: Snapshot, rows: Ints) -> Ints:
    started, last = (np.asarray(snapshot.flows[name].to_numpy()) for name in ("started", "last"))
    took: Ints = (last - started)[rows]
    return took


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
