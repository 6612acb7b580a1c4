"""OTLP over HTTP: POST /v1/traces and /v1/logs, as protobuf or JSON."""

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
from collector.ingest.intake import Accepted, Intake
from collector.ingest.receivers.other_signals import refused_metrics
from collector.ingest.receivers.responses import REASONS, encode, logs_response, response, status
from collector.store.contracts import StoreError
from collector.web.bodies import BodyError, CodingError, SlowError, TooLargeError, receive
from collector.web.budget import OverloadError, Share
from collector.web.tokens import Access, AccessError, Role

_RETRY_AFTER_S = 2  # less than the ten seconds after which the Python exporter drops a batch


def http_app(intake: Intake, config: Config, counters: Counters, access: Access | None = None) -> Starlette:
    """The application that exporters post to."""
    origins = rf"({'|'.join(re.escape(origin) for origin in config.cors_origins)})(:\d+)?"
    receiver = _Receiver(intake, config, counters, access or Access.of(config), re.compile(origins))
    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=origins,
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
    def __init__(
        self,
        intake: Intake,
        config: Config,
        counters: Counters,
        access: Access,
        origins: re.Pattern[str],
    ) -> None:
        self._intake, self._config, self._counters = intake, config, counters
        self._access, self._origins = access, origins

    async def traces(self, request: Request) -> Response:
        encoding, accepted = await self._accepted(request, logs=False)
        return Response(encode(response(accepted), encoding), media_type=encoding.value)

    async def logs(self, request: Request) -> Response:
        encoding, accepted = await self._accepted(request, logs=True)
        return Response(encode(logs_response(accepted), encoding), media_type=encoding.value)

    async def _accepted(self, request: Request, *, logs: bool) -> tuple[Encoding, Accepted]:
        try:
            with self._intake.budget.share() as share:
                encoding, data = await self._body(request, share)
                return encoding, await self._intake.accept(data, encoding, share, logs=logs)
        except OtlpError as error:
            raise HTTPException(400, str(error)) from error
        except (OverloadError, StoreError) as error:
            raise HTTPException(503, str(error)) from error

    async def metrics(self, request: Request) -> Response:
        try:
            with self._intake.budget.share() as share:
                encoding, data = await self._body(request, share)
        except (OverloadError, StoreError) as error:
            raise HTTPException(503, str(error)) from error
        self._counters.requests_refused.labels("no_traces").inc()
        try:
            return Response(encode(refused_metrics(data, encoding), encoding), media_type=encoding.value)
        except OtlpError as error:
            raise HTTPException(400, str(error)) from error

    async def _body(self, request: Request, share: Share) -> tuple[Encoding, bytes]:
        """The encoding and the inflated body; raise an HTTPException that says what is wrong with them.

        Its bytes are counted in *share* from the first one on. Raise `OverloadError` if there is no room.
        """
        self._admit(request)
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
            self._intake.refuse_early()
            coding = request.headers.get("content-encoding", "")
            async with share.arriving():
                data = await receive(request.stream(), coding, limit, count=share.grow)
            share.settle(len(data))
            return encoding, data
        except TooLargeError as error:
            raise self._refused("too_large", 413, str(error)) from error
        except SlowError as error:
            raise self._refused("slow", 408, str(error)) from error
        except CodingError as error:
            raise self._refused("media_type", 415, str(error)) from error
        except BodyError as error:
            raise self._refused("undecodable", 400, str(error)) from error

    def _admit(self, request: Request) -> None:
        """Raise an HTTPException unless the sender may send.

        Browsers say where a page comes from with everything that it posts: no answer reaches a foreign page,
        but its spans would.
        """
        for origin in request.headers.getlist("origin"):
            if not self._origins.fullmatch(origin):
                said = f"Origin is '{origin[:80]}': expected none, or one of CHOREOSCOPE_CORS_ORIGINS."
                raise self._refused("forbidden", 403, said)
        try:
            self._access.admit(request.headers.get("authorization"), Role.SEND)
        except AccessError as error:
            raise self._refused(REASONS[error.status], error.status, str(error)) from error

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
            404: f"There is nothing at '{request.url.path[:80]}':"
            " traces are sent to /v1/traces, logs to /v1/logs.",
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
