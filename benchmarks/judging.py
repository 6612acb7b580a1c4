"""What does a tick cost that only judges? `python -m benchmarks.judging [--spans 250000] [--steps 500]`

Flows of many choreographies are learned, and then that many spans of unfinished flows are held. Prints the
CPU time of ticks to which nothing new comes: while the flows wait, are overdue, and are stuck.
"""

import argparse
import statistics
import time
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.diagnosis import Habits
from collector.formats.otlp import Body, Encoding, decode
from collector.live.tick import Pacing, Tick

SECOND = 10**9
START = 1_800_000_000 * SECOND
LENGTH = 5  # steps of a choreography
STOPPED = 7  # spans of an unfinished flow: the last is a message that is not taken
TAUGHT = 40  # flows of each choreography


class Nothing:
    """A store of flows that keeps none: only what a tick computes is measured."""

    def __getattr__(self, name: str) -> Any:
        """Any method: it does nothing, and finds nothing."""
        return lambda *_, **__: pa.array([], pa.binary(16))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=250_000)
    parser.add_argument("--steps", type=int, default=500)
    given = parser.parse_args()
    kinds = given.steps // LENGTH
    tick = Tick(Nothing(), habits=Habits(), pacing=Pacing(most_spans=2 * given.spans))
    now = START
    for part in range(4):
        tick.advance(table(kinds, TAUGHT // 4, 2 * LENGTH, now, part), now + SECOND)
        now += 2 * SECOND
    for _ in range(15):
        now += SECOND
        tick.advance(None, now)
    steps = len(tick.learner.expected().steps)
    flows = given.spans // STOPPED
    for part in range(10):
        tick.advance(table(kinds, flows // kinds // 10, STOPPED, now, 10 + part), now)
    held = tick.snapshot.effort.spans_held
    print(f"{steps:,} steps are expected, {held:,} spans are held")
    for name, ticks, pause in (("waiting", 3, 0.1), ("late", 3, 0.5), ("stuck", 8, 1.5)):
        spent = []
        for _ in range(ticks):
            now += int(pause * SECOND)
            began = time.process_time()
            tick.advance(None, now)
            spent.append(time.process_time() - began)
        stuck = int((tick.snapshot.state == 3).sum())
        print(f"{name}: {1000 * statistics.median(spent):.0f} ms of CPU a tick; {stuck:,} flows are stuck")


def table(kinds: int, each: int, spans: int, at: int, part: int) -> pa.Table:
    """SPANS of *each* flows of every choreography, with so many *spans* each."""
    request = ExportTraceServiceRequest()
    scopes: dict[str, Any] = {}
    for kind in range(kinds):
        for number in range(each):
            flow(request, scopes, kind, f"{part}-{kind}-{number}", spans, at)
    return decode([Body(request.SerializeToString(), Encoding.PROTOBUF)], at + SECOND // 2).spans


def flow(
    request: ExportTraceServiceRequest, scopes: dict[str, Any], kind: int, name: str, spans: int, at: int
) -> None:
    """Add a flow of *spans* spans: each service publishes an event, and the next one takes it."""
    trace, parent = f"{name:>16}"[-16:].encode(), b""
    for step in range(spans):
        service = f"service-{kind}-{(step + 1) // 2}"
        if service not in scopes:
            found = request.resource_spans.add()
            found.resource.attributes.add(key="service.name").value.string_value = service
            scopes[service] = found.scope_spans.add()
        sends, event = step % 2 == 0, f"event-{kind}-{step // 2}"
        begin = at - SECOND // 2 + step * SECOND // 100
        one = scopes[service].spans.add(
            trace_id=trace,
            span_id=f"{step:08}".encode(),
            parent_span_id=parent,
            name=event,
            kind=Span.SPAN_KIND_PRODUCER if sends else Span.SPAN_KIND_CONSUMER,
            start_time_unix_nano=begin,
            end_time_unix_nano=begin + SECOND // 200,
        )
        parent = one.span_id
        said = {
            "messaging.system": "nats",
            "messaging.operation.type": "send" if sends else "process",
            "messaging.destination.name": event,
        }
        for key, value in said.items():
            one.attributes.add(key=key).value.string_value = value


if __name__ == "__main__":
    main()
