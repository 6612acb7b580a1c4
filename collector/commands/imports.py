"""`choreoscope import`: sends the spans of trace files to a running collector, as an exporter would."""

import time
from pathlib import Path

import click
import httpx
import pyarrow as pa
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.commands.api_client import Document
from collector.commands.calling import called
from collector.commands.connecting import bearer, connection, hint
from collector.commands.failure import CommandError
from collector.commands.files import files, found_in
from collector.commands.reading import formats, show
from collector.formats.otlp.to_protobuf import body
from collector.model.wording import counted

_MOST = 2000  # spans per request: a few megabytes
_TRIES, _PATIENCE_S = 5, 10.0
_BUSY = {429, 502, 503, 504}  # OTLP: the sender should retry


@click.command("import")
@files
@click.option(
    "--to",
    envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
    default="http://127.0.0.1:4318",
    show_default=True,
    help="Where the collector takes OTLP over HTTP; exporters and this know OTEL_EXPORTER_OTLP_ENDPOINT.",
)
@formats
def import_(files: tuple[Path, ...], to: str, style: str) -> None:
    """Send the spans of trace files to a running collector.

    FILES are what `choreoscope stitch` reads. A collector that has a token wants it in CHOREOSCOPE_TOKEN.
    """
    read = unusable = 0
    with _Sender(to) as sender:
        for _, found in found_in(files):
            read += found.spans.num_rows
            unusable += len(found.problems)
            for first in range(0, found.spans.num_rows, _MOST):
                sender.send(found.spans.slice(first, _MOST))
    document = {"spans": read, "sent": sender.sent, "refused": sender.refused, "unusable": unusable}
    show(document, style, _told)
    if sender.refused:
        msg = f"{to} refused {counted(sender.refused, 'span')}. {sender.reason}".strip()
        raise CommandError(msg, code=1)


def _told(document: Document) -> str:
    sums = f"{document['sent']:,} sent, {document['refused']:,} refused"
    return f"{counted(document['spans'], 'span')} read, {sums}"


class _Sender:
    """Sends spans to a collector, and counts how many it kept and refused."""

    def __init__(self, to: str) -> None:
        headers = {"content-type": "application/x-protobuf", **bearer()}
        self._to = to.rstrip("/")
        self._http = httpx.Client(headers=headers, timeout=60, **connection())
        self.sent = 0  # sent and kept
        self.refused = 0
        self.reason = ""  # why the first one was refused

    def __enter__(self) -> "_Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, spans: pa.Table) -> None:
        """Return once the collector has answered; raise `CommandError` if it accepts nothing."""
        answer = self._answer(body(spans))
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE and spans.num_rows > 1:
            half = spans.num_rows // 2
            for part in (spans.slice(0, half), spans.slice(half)):
                self.send(part)
        elif answer.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE}:
            self._count(0, spans.num_rows, _reason(answer))
        elif answer.is_error:
            msg = f"{self._to} answered {answer.status_code}, after {self.sent:,} spans: {_reason(answer)}"
            raise CommandError(msg)
        else:
            said = _opened(answer, self._to).partial_success
            self._count(spans.num_rows - said.rejected_spans, said.rejected_spans, said.error_message)

    def _count(self, sent: int, refused: int, reason: str) -> None:
        self.sent += sent
        self.refused += refused
        self.reason = self.reason or " ".join(reason.split())

    def _answer(self, data: bytes) -> httpx.Response:
        """The collector's answer; while it is busy, retry after a pause."""
        answer = self._post(data)
        for attempt in range(_TRIES):
            if answer.status_code not in _BUSY:
                break
            time.sleep(min(_seconds(answer.headers.get("retry-after")) or 0.5 * 2**attempt, _PATIENCE_S))
            answer = self._post(data)
        return answer

    def _post(self, data: bytes) -> httpx.Response:
        try:
            return self._http.post(f"{self._to}/v1/traces", content=data)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            msg = (
                f"No answer from {self._to}: start a collector with '{called('collector')}', or name the "
                f"one that runs with --to ({error}){hint(error, self._to)}."
            )
            raise CommandError(msg) from error


def _seconds(header: str | None) -> int:
    return int(header) if header and header.isdigit() else 0


def _opened(answer: httpx.Response, to: str) -> ExportTraceServiceResponse:
    try:
        return ExportTraceServiceResponse.FromString(answer.content)
    except DecodeError as error:
        msg = (
            f"{to} answered {answer.status_code} and no OTLP: is that a collector's port for OTLP over HTTP?"
        )
        raise CommandError(msg) from error


def _reason(answer: httpx.Response) -> str:
    """The collector's explanation of what is wrong."""
    try:
        reason = str(Status.FromString(answer.content).message)
    except DecodeError:
        reason = answer.text[:200]
    return " ".join(reason.split())
