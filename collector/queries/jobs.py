"""What can be asked of a process apart: by name, a function of a job that returns JSON."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from collector.formats import FormatError
from collector.formats.otlp import to_json
from collector.model.hiding import Hiding
from collector.queries.file_answer import FileJob, file_answer
from collector.queries.flow_answer import Job, flow_answer, own_spans, run_of
from collector.web.bodies import BodyError

JOB_S = 120  # a job that takes longer ends the process: nobody waits for that long


class Refused(msgspec.Struct):
    """Why there is no answer."""

    kind: str
    text: str
    line: int | None = None
    lines: int = 1


def exported(job: Job) -> bytes | None:
    """The spans of the flow of *job*, as the resourceSpans of an OTLP request in JSON."""
    run = run_of(job)
    return None if run is None else resource_spans((own_spans(job, run), job.naming.hiding))


def resource_spans(job: tuple[pa.Table, Hiding]) -> bytes:
    """Spans (SPANS) without what is hidden, as JSON: what an OTLP request has in its resourceSpans."""
    return msgspec.json.encode(to_json(*job)["resourceSpans"])[1:-1]


def _flow(job: Job) -> bytes | None:
    answer = flow_answer(job)
    return None if answer is None else msgspec.json.encode(answer)


def _file(job: FileJob) -> bytes:
    return msgspec.json.encode(file_answer(job))


# What can be asked for.
JOBS: Mapping[str, Callable[[Any], bytes | None]] = {
    "flow": _flow,
    "exported": exported,
    "resource_spans": resource_spans,
    "file": _file,
}


def answered(name: str, job: Any) -> bytes:
    """One byte that says how it went, and the rest: "+" and JSON, "0" for none, "-" and a `Refused`."""
    try:
        answer = JOBS[name](job)
    except (MemoryError, pa.ArrowMemoryError):
        return refused("memory", "")
    except pa.ArrowCapacityError as error:
        return refused("memory", str(error))
    except FormatError as error:
        return b"-" + msgspec.json.encode(Refused("format", str(error), error.line, error.lines))
    except BodyError as error:
        return refused(type(error).__name__, str(error))
    return b"0" if answer is None else b"+" + answer


def refused(kind: str, text: str) -> bytes:
    """What `answered` returns if it was *refused* for this reason."""
    return b"-" + msgspec.json.encode(Refused(kind, text))
