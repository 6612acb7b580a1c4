"""The fast path for OTLP files: what exporters write is decoded in bulk, by the collector's own decoder."""

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats.found import Problem
from collector.formats.otlp import Body, Encoding, Verdict, decode
from collector.formats.spelled_ids import ref_of
from collector.model.notes import Trouble

# Anything that the collector would skip or refuse, wherever it stands. A false match only costs time.
_ODD = re.compile(
    rb'"(?:traceId"\s*:(?!\s*"[0-9a-fA-F]{32}")'
    rb'|spanId"\s*:(?!\s*"[0-9a-fA-F]{16}")'
    rb'|parentSpanId"\s*:(?!\s*(?:"(?:[0-9a-fA-F]{16})?"|null))'
    rb'|[a-z]+_[a-z_]*(?:id|spans|nano|value)"\s*:'
    rb'|(?:batches|trace|result|instrumentationLibrarySpans)"\s*:)'
)


def read(bodies: Sequence[Body], received_unix_nano: int) -> tuple[pa.Table, list[Problem], list[int]]:
    """The spans of all bodies that can be used in full, problems, and the indices of the other bodies.

    Protobuf has no lenient reader to fall back on, so its unusable spans become problems right away.
    """
    plain = [place for place, body in enumerate(bodies) if _is_plain(body)]
    decoded = decode([bodies[place] for place in plain], received_unix_nano)
    problems: list[Problem] = []
    kept = []
    for place, verdict in zip(plain, decoded.verdicts, strict=True):
        if verdict.rejected and bodies[place].encoding is Encoding.PROTOBUF:
            problems += _refused(bodies[place], verdict)
        elif verdict.error or verdict.rejected:
            continue
        kept.append(place)
    others = sorted(set(range(len(bodies))) - set(kept))
    if len(kept) == len(plain):
        return decoded.spans, problems, others
    return decode([bodies[place] for place in kept], received_unix_nano).spans, problems, others


def _is_plain(body: Body) -> bool:
    """Whether *body* looks like what exporters write, judged by a quick scan."""
    if body.encoding is Encoding.PROTOBUF:
        return True
    return b'"resourceSpans"' in body.data and not _ODD.search(body.data)


def _refused(body: Body, verdict: Verdict) -> Iterator[Problem]:
    """A problem for each span whose ids the collector refuses."""
    try:
        request = ExportTraceServiceRequest.FromString(body.data)
    except DecodeError:  # text that is not UTF-8
        yield Problem(Trouble.INVALID_ID, None, verdict.message)
        return
    by_scope = (scope for resource in request.resource_spans for scope in resource.scope_spans)
    for span in (span for scope in by_scope for span in scope.spans):
        ref = ref_of(span.trace_id.hex(), span.span_id.hex())
        for name, octets, size in (("trace", span.trace_id, 16), ("span", span.span_id, 8)):
            if len(octets) != size or not any(octets):
                text = (
                    f"A span has the {name} id {octets.hex()[:40]!r}: expected {2 * size} digits, not all 0."
                )
                yield Problem(Trouble.INVALID_ID, ref, text)
                break
