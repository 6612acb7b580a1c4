"""OTLP over gRPC: takes spans and log records as raw bytes, so that groups are decoded at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn, TypeAlias

import grpc
from grpc.aio import Server, ServicerContext

from collector.config import Config
from collector.counters import Counters
from collector.formats.otlp import Encoding, OtlpError
from collector.ingest.intake import Accepted, Intake
from collector.ingest.receivers.other_signals import refused_metrics
from collector.ingest.receivers.responses import (
    CODES,
    REASONS,
    encode,
    logs_response,
    response,
    retry_info,
    status,
)
from collector.ingest.receivers.turns import Turns
from collector.store.contracts import StoreError
from collector.web.bodies import SlowError
from collector.web.budget import OverloadError, Share
from collector.web.tokens import Access, AccessError, Role

Context: TypeAlias = ServicerContext[bytes, bytes]

_RETRY_AFTER_S = 2
_STREAMS = 100  # at the same time on one connection
_IDLE_S = 300
_HANDSHAKE_S = 10
_LEAST_TURNS = 8
_SERVICE = "opentelemetry.proto.collector.{0}.v1.{1}Service"


def grpc_server(
    intake: Intake,
    config: Config,
    counters: Counters,
    access: Access | None = None,
    connections: int = 1_024,
) -> Server:
    """A server with its handlers for so many *connections*, but without a port yet."""
    receiver = _Receiver(intake, config, counters, access or Access.of(config))
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", config.max_body_bytes),
            ("grpc.so_reuseport", 0),  # if the port is taken, fail instead of sharing it
            ("grpc.max_allowed_incoming_connections", connections),
            ("grpc.max_concurrent_streams", _STREAMS),
            ("grpc.max_connection_idle_ms", _IDLE_S * 1000),
            ("grpc.server_handshake_timeout_ms", _HANDSHAKE_S * 1000),
        ],
        maximum_concurrent_rpcs=4 * connections,
    )
    for package, service, method in (
        ("trace", "Trace", receiver.traces),
        ("metrics", "Metrics", receiver.metrics),
        ("logs", "Logs", receiver.logs),
    ):
        handlers = {"Export": grpc.stream_unary_rpc_method_handler(method)}
        name = _SERVICE.format(package, service)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    return server


class _Receiver:
    """The handlers. Each call has one message, which is asked for here, not by gRPC.

    gRPC holds a few kilobytes of a message that nobody has asked for yet, but all that has come of one that
    somebody waits for. So only few are waited for at the same time.
    """

    def __init__(self, intake: Intake, config: Config, counters: Counters, access: Access) -> None:
        self._intake, self._counters, self._access = intake, counters, access
        self._turns = Turns(max(config.queue_bytes // config.max_body_bytes, _LEAST_TURNS))

    async def traces(self, messages: AsyncIterator[bytes], context: Context) -> bytes:
        return encode(response(await self._accepted(messages, context, logs=False)), Encoding.PROTOBUF)

    async def logs(self, messages: AsyncIterator[bytes], context: Context) -> bytes:
        return encode(logs_response(await self._accepted(messages, context, logs=True)), Encoding.PROTOBUF)

    async def _accepted(self, messages: AsyncIterator[bytes], context: Context, *, logs: bool) -> Accepted:
        await self._authorize(context)
        try:
            with self._intake.budget.share() as share:
                data = await self._message(messages, share)
                return await self._intake.accept(data, Encoding.PROTOBUF, share, logs=logs)
        except SlowError as error:
            self._counters.requests_refused.labels("slow").inc()
            await _refuse(context, 503, str(error), _RETRY_AFTER_S)
        except OtlpError as error:
            await _refuse(context, 400, str(error))
        except (OverloadError, StoreError) as error:
            await _refuse(context, 503, str(error), _RETRY_AFTER_S)

    async def metrics(self, messages: AsyncIterator[bytes], context: Context) -> bytes:
        await self._authorize(context)
        try:
            with self._intake.budget.share() as share:
                data = await self._message(messages, share)
                self._counters.requests_refused.labels("no_traces").inc()
                return encode(refused_metrics(data, Encoding.PROTOBUF), Encoding.PROTOBUF)
        except OtlpError as error:
            await _refuse(context, 400, str(error))
        except (OverloadError, StoreError, SlowError) as error:
            await _refuse(context, 503, str(error), _RETRY_AFTER_S)

    async def _message(self, messages: AsyncIterator[bytes], share: Share) -> bytes:
        """The only message of a call; its bytes are counted in *share*."""
        self._intake.refuse_early()
        async with self._turns.turn():
            data = await anext(aiter(messages), None)
        if data is None:
            raise OtlpError("The call has no message: expected one request.")
        share.grow(len(data))
        return data

    async def _authorize(self, context: Context) -> None:
        shown = dict(context.invocation_metadata() or ()).get("authorization")
        try:
            self._access.admit(shown if isinstance(shown, str) else None, Role.SEND)
        except AccessError as error:
            self._counters.requests_refused.labels(REASONS[error.status]).inc()
            await _refuse(context, error.status, str(error))


async def _refuse(
    context: Context, http_code: int, message: str, retry_after_s: int | None = None
) -> NoReturn:
    """End the call with an error; put the retry delay in both places where exporters look for it."""
    details = status(http_code, message, retry_after_s)
    metadata: list[tuple[str, bytes]] = [("grpc-status-details-bin", details.SerializeToString())]
    if retry_after_s is not None:
        metadata.append(("google.rpc.retryinfo-bin", retry_info(retry_after_s).SerializeToString()))
    try:
        await context.abort(_BY_NUMBER[CODES[http_code]], message, tuple(metadata))
    except grpc.aio.InternalError:  # whoever called has gone: gRPC would log a traceback for each such call
        raise asyncio.CancelledError from None
    raise AssertionError("abort() raises")


_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
