"""OTLP's answers in either encoding: a response, or a `google.rpc.Status`."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.formats.otlp import Encoding
from collector.ingest.intake import Accepted

# google.rpc.Code for each HTTP status that OTLP/HTTP uses
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 500: 13, 503: 14}

# under which reason a request without access is counted
REASONS = {401: "unauthorized", 403: "forbidden"}


def response(accepted: Accepted) -> ExportTraceServiceResponse:
    """The response to accepted spans; empty if all were kept, as OTLP requires."""
    answer = ExportTraceServiceResponse()
    if accepted.rejected or accepted.message:
        answer.partial_success.rejected_spans = accepted.rejected
        answer.partial_success.error_message = accepted.message
    return answer


def logs_response(accepted: Accepted) -> ExportLogsServiceResponse:
    """The response to accepted log records; empty if all were kept."""
    answer = ExportLogsServiceResponse()
    if accepted.rejected or accepted.message:
        answer.partial_success.rejected_log_records = accepted.rejected
        answer.partial_success.error_message = accepted.message
    return answer


def status(http_code: int, message: str, retry_after_s: int | None = None) -> Status:
    """The body of an error; *retry_after_s* asks the sender to retry after that time."""
    answer = Status(code=CODES.get(http_code, 2), message=message)
    if retry_after_s is not None:
        answer.details.add().Pack(retry_info(retry_after_s))
    return answer


def retry_info(seconds: int) -> RetryInfo:
    """How long to wait before a retry."""
    return RetryInfo(retry_delay=Duration(seconds=seconds))


def encode(message: Message, encoding: Encoding) -> bytes:
    """*message* in the encoding of the request."""
    if encoding is Encoding.PROTOBUF:
        return message.SerializeToString()
    return MessageToJson(message, indent=None).encode()
