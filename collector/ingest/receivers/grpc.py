"""OTLP over gRPC: takes TraceService/Export requests as raw bytes, so that groups are decoded at once."""

from typing import NoReturn

import grpc
from grpc.aio import Server, ServicerContext

from collector.config import Config
from collector.counters import Counters
from collector.formats.otlp import Encoding, OtlpError
from collector.ingest.intake import Intake, OverloadError
from collector.ingest.receivers.other_signals import Signal, refusal
from collector.ingest.receivers.responses import CODES, REASONS, encode, response, retry_info, status
from collector.store.contracts import StoreError
from collector.web.tokens import Access, AccessError, Role

_RETRY_AFTER_S = 2
_SERVICE = "opentelemetry.proto.collector.{0}.v1.{1}Service"


def grpc_server(intake: Intake, config: Config, counters: Counters, access: Access | None = None) -> Server:
    """A server with its handlers, but without a port yet."""
    receiver = _Receiver(intake, counters, access or Access.of(config))
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", config.max_body_bytes),
            ("grpc.so_reuseport", 0),  # if the port is taken, fail instead of sharing it
        ]
    )
    for package, service, method in (
        ("trace", "Trace", receiver.traces),
        ("metrics", "Metrics", receiver.metrics),
        ("logs", "Logs", receiver.logs),
    ):
        handlers = {"Export": grpc.unary_unary_rpc_method_handler(method)}
        name = _SERVICE.format(package, service)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    return server


class _Receiver:
    def __init__(self, intake: Intake, counters: Counters, access: Access) -> None:
        self._intake, self._counters, self._access = intake, counters, access

    async def traces(self, data: bytes, context: ServicerContext[bytes, bytes]) -> bytes:
        await self._authorize(context)
        try:
            accepted = await self._intake.accept(data, Encoding.PROTOBUF)
        except OtlpError as error:
            await _refuse(context, 400, str(error))
        except (OverloadError, StoreError) as error:
            await _refuse(context, 503, str(error), _RETRY_AFTER_S)
        return encode(response(accepted), Encoding.PROTOBUF)

    async def metrics(self, data: bytes, context: ServicerContext[bytes, bytes]) -> bytes:
        return await self._not_kept(Signal.METRICS, data, context)

    async def logs(self, data: bytes, context: ServicerContext[bytes, bytes]) -> bytes:
        return await self._not_kept(Signal.LOGS, data, context)

    async def _not_kept(self, signal: Signal, data: bytes, context: ServicerContext[bytes, bytes]) -> bytes:
        await self._authorize(context)
        self._counters.requests_refused.labels("no_traces").inc()
        try:
            return encode(refusal(signal, data, Encoding.PROTOBUF), Encoding.PROTOBUF)
        except OtlpError as error:
            await _refuse(context, 400, str(error))

    async def _authorize(self, context: ServicerContext[bytes, bytes]) -> None:
        shown = dict(context.invocation_metadata() or ()).get("authorization")
        try:
            self._access.admit(shown if isinstance(shown, str) else None, Role.SEND)
        except AccessError as error:
            self._counters.requests_refused.labels(REASONS[error.status]).inc()
            await _refuse(context, error.status, str(error))


async def _refuse(
    context: ServicerContext[bytes, bytes], http_code: int, message: str, retry_after_s: int | None = None
) -> NoReturn:
    """End the call with an error; put the retry delay in both places where exporters look for it."""
    details = status(http_code, message, retry_after_s)
    metadata: list[tuple[str, bytes]] = [("grpc-status-details-bin", details.SerializeToString())]
    if retry_after_s is not None:
        metadata.append(("google.rpc.retryinfo-bin", retry_info(retry_after_s).SerializeToString()))
    await context.abort(_BY_NUMBER[CODES[http_code]], message, tuple(metadata))
    raise AssertionError("abort() raises")


_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
