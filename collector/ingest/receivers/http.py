"""OTLP over HTTP: POST /v1/traces, as protobuf or JSON."""

import re

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector.config import Config
from collector.counters import Counters
from collector.formats.otlp import Encoding, OtlpError
from collector.ingest.intake import Intake, OverloadError
from collector.ingest.receivers.other_signals import Signal, refusal
from collector.ingest.receivers.responses import encode, response, status
from collector.store.contracts import StoreError
from collector.web.access import allowed
from collector.web.bodies import BodyError, CodingError, CutOffError, TooLargeError, receive

_RETRY_AFTER_S = 2  # less than the ten seconds after which the Python exporter drops a batch


def http_app(intake: Intake, config: Config, counters: Counters) -> Starlette:
    """The application that exporters post to."""
    receiver = _Receiver(intake, config, counters)
    origins = "|".join(re.escape(origin) for origin in config.cors_origins)
    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=rf"({origins})(:\d+)?",
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "content-encoding"],
        max_age=3600,
    )
    return Starlette(
        routes=[
            Route("/v1/traces", receiver.traces, methods=["POST"]),
            Route("/v1/metrics", receiver.metrics, methods=["POST"]),
            Route("/v1/logs", receiver.logs, methods=["POST"]),
        ],
        middleware=[cors],
        exception_handlers={HTTPException: receiver.refuse},
    )


class _Receiver:
    def __init__(self, intake: Intake, config: Config, counters: Counters) -> None:
        self._intake, self._config, self._counters = intake, config, counters

    async def traces(self, request: Request) -> Response:
        encoding, data = await self._body(request)
        try:
            accepted = await self._intake.accept(data, encoding)
        except OtlpError as error:
            raise HTTPException(400, str(error)) from error
        except (OverloadError, StoreError) as error:
            raise HTTPException(503, str(error)) from error
        return Response(encode(response(accepted), encoding), media_type=encoding.value)

    async def metrics(self, request: Request) -> Response:
        return await self._not_kept(request, Signal.METRICS)

    async def logs(self, request: Request) -> Response:
        return await self._not_kept(request, Signal.LOGS)

    async def _not_kept(self, request: Request, signal: Signal) -> Response:
        encoding, data = await self._body(request)
        self._counters.requests_refused.labels("no_traces").inc()
        try:
            return Response(encode(refusal(signal, data, encoding), encoding), media_type=encoding.value)
        except OtlpError as error:
            raise HTTPException(400, str(error)) from error

    async def _body(self, request: Request) -> tuple[Encoding, bytes]:
        """The encoding and the inflated body; raise an HTTPException that says what is wrong with them."""
        if not allowed(request.headers.get("authorization"), self._config.token):
            raise self._refused(
                "unauthorized", 401, "Authorization: Bearer with the collector's token is expected."
            )
        encoding = _encoding(request)
        if encoding is None:
            found = request.headers.get("content-type", "")[:80]
            kinds = " or ".join(kind.value for kind in Encoding)
            raise self._refused("media_type", 415, f"Content-Type is '{found}': expected {kinds}.")
        limit = self._config.max_body_bytes
        try:
            length = request.headers.get("content-length", "")
            if length.isascii() and length.isdigit() and int(length[:20]) > limit:
                raise TooLargeError(f"The body has more than {limit:,} bytes: send less at once.")
            return encoding, await receive(
                request.stream(), request.headers.get("content-encoding", ""), limit
            )
        except TooLargeError as error:
            raise self._refused("too_large", 413, str(error)) from error
        except CodingError as error:
            raise self._refused("media_type", 415, str(error)) from error
        except CutOffError as error:
            raise self._refused("cut_off", 400, str(error)) from error
        except BodyError as error:
            raise self._refused("undecodable", 400, str(error)) from error

    def _refused(self, reason: str, code: int, message: str) -> HTTPException:
        self._counters.requests_refused.labels(reason).inc()
        return HTTPException(code, message)

    async def refuse(self, request: Request, error: Exception) -> Response:
        """An error in OTLP's form: a Status, in the encoding of the request if that is known."""
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        retry_after_s = _RETRY_AFTER_S if error.status_code == 503 else None
        if retry_after_s is not None:
            headers["retry-after"] = str(retry_after_s)
        if error.status_code == 401:
            headers["www-authenticate"] = "Bearer"
        encoding = _encoding(request) or Encoding.JSON
        said = {
            404: f"There is nothing at '{request.url.path[:80]}': traces are sent to /v1/traces.",
            405: f"{request.method} is not understood here: expected POST.",
        }
        message = said.get(error.status_code, error.detail)
        body = encode(status(error.status_code, message, retry_after_s), encoding)
        return Response(body, error.status_code, headers, media_type=encoding.value)


def _encoding(request: Request) -> Encoding | None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/protobuf":  # some senders use this instead of application/x-protobuf
        return Encoding.PROTOBUF
    return next((encoding for encoding in Encoding if encoding.value == media_type), None)
