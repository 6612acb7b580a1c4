"""Who sends spans, who is connected to whom, and what is wrong with that?"""

import math

import numpy as np
import pyarrow as pa

from collector.columns.keys import whole
from collector.diagnosis.record import type_of
from collector.formats.otlp import opened
from collector.live.snapshot import Snapshot
from collector.model.answers import Connections, SendingService
from collector.model.courses import course_of
from collector.model.wording import SECOND
from collector.queries.choreography import counted
from collector.queries.connection_problems import ENOUGH, problems
from collector.queries.flow_list import in_store_alone
from collector.queries.meetings import Meetings, met
from collector.queries.sources import Sources
from collector.store.contracts import Search

_NEWEST = 500_000  # copies of spans that are looked at to know who sends
_TALLIES, _PAIRS, _SERVICES = 100_000, 2_000, 1_000
_SETTLING_S = 30  # what was active since then may have reactions whose spans are on their way


def connections(sources: Sources, window_s: int) -> Connections:
    """What flows tell that were active in the last *window_s* seconds, and the services whose spans came."""
    now = sources.clock()
    since, until = now - window_s * SECOND, now - _SETTLING_S * SECOND
    seen, services = _seen(sources, since, until), _services(sources, since)
    return Connections(
        window_s=window_s,
        since_unix_nano=since,
        flows=seen.flows,
        enough=seen.flows >= ENOUGH,
        services=services,
        connections=seen.connections(_PAIRS),
        problems=problems(seen, services, now, window_s, _handled_before(sources.live.snapshot)),
    )


def _seen(sources: Sources, since: int, until: int) -> Meetings:
    snapshot = sources.live.snapshot
    search = in_store_alone(snapshot, Search(since=since, before=until))
    last, started = (np.asarray(snapshot.flows[name].to_numpy()) for name in ("last", "started"))
    living = np.flatnonzero((last > since) & (last < until))
    here, _ = counted(
        snapshot.courses.take(pa.array(living)), snapshot.state[living], (last - started)[living]
    )
    tallies = pa.concat_tables([sources.flows.tallied(search, _TALLIES), here])
    texts, n = tallies["course"].to_pylist(), tallies["n"].to_pylist()
    return met((course_of(text), flows) for text, flows in zip(texts, n, strict=True))


def _services(sources: Sources, since: int) -> list[SendingService]:
    found = sources.spans.senders(since, _NEWEST).slice(0, _SERVICES)
    resources = [opened.resource({"resource": octets}) for octets in whole(found["resource"]).to_pylist()]
    return [
        SendingService(
            service=service,
            language=_text(resource.get("telemetry.sdk.language")),
            sdk=_text(resource.get("telemetry.sdk.version")),
            first_unix_nano=first,
            last_unix_nano=last,
            longest_pause_s=pause,
            export_delay_p50_s=_seconds(median),
            export_delay_p99_s=_seconds(delay),
        )
        for service, first, last, pause, median, delay, resource in zip(
            *(found[name].to_pylist() for name in found.column_names if name != "resource"),
            resources,
            strict=True,
        )
    ]


def _handled_before(snapshot: Snapshot) -> frozenset[str]:
    """The event types that somebody is expected to handle: that nobody does is no lack of instrumentation."""
    if (expected := snapshot.expected) is None:
        return frozenset()
    names = expected.names.event_types.names
    return frozenset(names[type_of(step)] for step in expected.first_seen)


def _seconds(value: float) -> float:
    return round(value, 3) if math.isfinite(value) else 0.0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
