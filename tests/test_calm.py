"""Do healthy flows stay calm in the simulator's scenes? And is what it simulates what services send?"""

from random import Random

import pyarrow as pa
import pytest

from benchmarks.silence.claims import CLAIMS
from benchmarks.silence.exporting import export, exporters
from benchmarks.silence.faults import Fault, Weather
from benchmarks.silence.happening import World
from benchmarks.silence.planned import Planned
from benchmarks.silence.staging import Scene
from benchmarks.silence.tabled import KINDS, attributes, flags, nanoseconds, resource, subject, table
from collector.formats.otlp import Body, Encoding, decode
from tests.factories import protobuf, request, span
from tests.silent_runs import check, parameters


@pytest.mark.parametrize("scene", parameters(faulty=False))
def test_nothing_is_said_of_healthy_flows(scene: Scene) -> None:
    """Whoever is woken for nothing a few times does not get up any more."""
    check(scene)


def test_a_simulated_span_is_what_decoding_gives() -> None:
    """The simulator writes columns itself, because encoding and decoding would take longer than judging."""
    failing = Fault("fails", "coverage", {}, share=0.5, pauses=(0.5,), terminates=True)
    world = World(Random(1), lambda _: CLAIMS, Weather([failing]), announced=True)
    for at in range(20):
        world.file(float(at))
    world.run()
    spans = [one for claim in world.claims for one in claim.spans]
    how = exporters(Random(2), {one.service for one in spans}, skew=0.0)
    export(Random(3), world.claims, how, Weather())
    simulated = table(Random(4), spans, how, (), twice=0.0)
    by_arrival = sorted(spans, key=lambda one: one.arrives)
    decoded = [
        decode([Body(sent(one), Encoding.PROTOBUF)], nanoseconds(one.arrives)).spans for one in by_arrival
    ]

    assert simulated.num_rows == len(spans) > 200
    assert simulated.equals(pa.concat_tables(decoded).combine_chunks())


def sent(one: Planned) -> bytes:
    """What a service exports."""
    written = span(
        f"{one.operation} {subject(one.event)}",
        id=one.id,
        trace=one.trace,
        parent=one.parent if any(one.parent) else b"",
        kind=KINDS[one.operation],
        start=nanoseconds(one.start),
        end=nanoseconds(one.end),
        links=[one.link] if one.link else [],
        error=one.error,
        attributes=attributes(one),
    )
    written.flags = flags(one)
    said = request(written, service=None, resource=resource(one.service))
    said.resource_spans[0].scope_spans[0].scope.name = "simulator"
    return protobuf(said)
