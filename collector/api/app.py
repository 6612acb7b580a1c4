"""The API on its port: paths, parameters and status codes. `queries` decides what the answers are."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor

from collector.api.decision_body import DESCRIBED, LONGEST_BODY, wish_in
from collector.api.failures import Json, UnknownFlowError, add_errors
from collector.api.metrics import LiveFigures, TroubleFigures
from collector.api.openapi import describe, manual, response
from collector.api.store_paths import add_store
from collector.config import Config
from collector.counters import Counters
from collector.live.runner import Live
from collector.model.answers import (
    Answer,
    Decision,
    Error,
    Expectations,
    Flow,
    Flows,
    Map,
    Spans,
    Stitched,
    Stuck,
    Summary,
    Why,
)
from collector.model.flows import State
from collector.queries import Only, QuestionError, Reader, page
from collector.store.contracts import Search
from collector.upkeep.health import Troubles
from collector.web.access import HostNames, ProtectiveHeaders, RoleNeeded, names_matter
from collector.web.bodies import inflate_file, receive
from collector.web.foreign_pages import OwnPages, require_own
from collector.web.tokens import ANYBODY, Access, Role


class _Key(Convertor[str]):
    """The rest of a path: a flow key may contain anything, even line breaks."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("key", _Key())

_OPEN = {"/healthz", "/readyz"}  # probes have no token, and learn nothing
_LINKED = {"/docs", "/openapi.json"}  # a wiki may link to them
_ASKED = {"/api/v1/stitch"}  # posts that change nothing
_STATES: dict[str, State] = {state.word: state for state in State}

_SEARCHED = "Part of a key, an event type or a service, or the beginning of a trace id."

Limit = Annotated[int, Query(ge=1, le=10_000, description="How many entries at the most.")]
Each = Annotated[int | None, Query(ge=1, le=10_000, description="The oldest so many of each cohort.")]
Cursor = Annotated[str | None, Query(description="The next_cursor of the answer before.")]
Name = Annotated[str, Query(max_length=1_000, description="In full; case does not matter.")]
Window = Annotated[int, Query(ge=1, le=31 * 86_400, description="Seconds back from now.")]


def api_app(
    reader: Reader,
    live: Live,
    counters: Counters,
    config: Config,
    taking: Callable[[], bool] = lambda: True,
    access: Access | None = None,
) -> FastAPI:
    """The application that readers ask; *taking* tells whether spans are still being taken."""
    errors: dict[int | str, dict[str, Any]] = {
        400: response(Error, "Bad Request"),
        404: response(Error, "Not Found"),
        503: response(Error, "Service Unavailable"),
    }
    app = FastAPI(
        title="Choreoscope",
        summary="What happened to each order in a system without a conductor, and why an order stopped.",
        version="1",
        docs_url=None,
        redoc_url=None,
        responses=errors,
    )
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's own way
    _add_questions(app, reader, config)
    _add_health(app, live, counters, taking, reader.sources.troubles)
    add_store(app, reader.sources)
    add_errors(app)
    # The last one is asked first.
    app.add_middleware(RoleNeeded, access=access or Access.of(config), open_paths=_OPEN, needed=_needed)
    app.add_middleware(OwnPages, linked=_LINKED)
    if names_matter(config):
        app.add_middleware(HostNames, names=config.hosts)
    app.add_middleware(ProtectiveHeaders)
    return app


def _needed(method: str, path: str) -> Role:
    """The role that a request needs: whatever is not known to change nothing is a decision."""
    reads = method in ("GET", "HEAD", "OPTIONS") or path in _ASKED
    return Role.READ if reads else Role.DECIDE


def _add_questions(app: FastAPI, reader: Reader, config: Config) -> None:
    def path(address: str, answer: type[Answer]) -> Callable[[Any], Any]:
        return app.get(f"/api/v1{address}", response_model=None, responses={200: response(answer)})

    @path("/summary", Summary)
    def summary() -> Json:
        """The figures of the first page."""
        return Json(reader.summary())

    @path("/stuck", Stuck)
    def stuck(late: bool = False, each: Each = None, limit: Limit = 1000, cursor: Cursor = None) -> Json:
        """What stopped, and why; with `late=true` also what is late and not yet past its deadline."""
        return Json(reader.stuck(page(limit, cursor), late=late, each=each))

    @path("/flows", Flows)
    def flows(
        q: Annotated[str, Query(max_length=200, description=_SEARCHED)] = "",
        state: Annotated[
            str, Query(description="running, late, stuck, failed, done; several with commas.")
        ] = "",
        waiting_for: Annotated[
            str, Query(max_length=200, description="The service that owes them something, in full.")
        ] = "",
        window_s: Annotated[
            int | None, Query(ge=1, le=10**9, description="Active within so many seconds.")
        ] = None,
        limit: Limit = 1000,
        cursor: Cursor = None,
    ) -> Json:
        """The flows, stuck first, then the newest."""
        since = time.time_ns() - window_s * 10**9 if window_s else 0
        search = Search(q.strip(), _states(state), since, waiting_for=waiting_for)
        return Json(reader.flows(search, page(limit, cursor)))

    @path("/flows/{key:key}", Flow)
    def flow(key: str) -> Json:
        """One flow by its key, id or trace id: its graph and its findings."""
        return Json(_found(reader.flow(key), key, reader))

    @path("/spans/{key:key}", Spans)
    def spans(key: str) -> Json:
        """The spans of one flow, as the OTLP request in JSON that `stitch` reads."""
        return Json(_found(reader.spans(key), key, reader))

    @path("/why/{key:key}", Why)
    def why(key: str) -> Json:
        """The findings of one flow."""
        return Json(_found(reader.why(key), key, reader))

    @path("/map", Map)
    def choreography(window_s: Window = 900) -> Json:
        """Who reacts to what, how often, how fast."""
        return Json(reader.map(window_s))

    @path("/expectations", Expectations)
    def expectations(event_type: Name = "", service: Name = "") -> Json:
        """What is expected of whom after what, how sure that is, and what people said about it."""
        return Json(reader.expectations(Only(event_type, service)))

    @app.post(
        "/api/v1/expectations",
        response_model=None,
        responses={200: response(Decision)},
        openapi_extra=DESCRIBED,
    )
    async def decide(request: Request) -> Json:
        """Forget, or keep, all that is expected of a service after an event type.

        It is stored, with its author and reason, before it is applied. Without an author it is that of the
        token, if the token has a name. The Content-Type must be application/json.
        """
        require_own(request.headers)
        coding = request.headers.get("content-encoding", "")
        author = getattr(request.state, "caller", ANYBODY).name
        wish = wish_in(await receive(request.stream(), coding, LONGEST_BODY), author)
        return Json(await run_in_threadpool(reader.decide, wish))

    @app.post("/api/v1/stitch", response_model=None, responses={200: response(Stitched)})
    async def stitch(request: Request) -> Json:
        """Stitch a trace file: OTLP, Tempo, Jaeger or Zipkin, gzipped or not. Nothing is stored.

        Its content decides what it is, whatever the Content-Type says.
        """
        coding = request.headers.get("content-encoding", "")
        body = await receive(request.stream(), coding, config.max_body_bytes)
        return Json(await run_in_threadpool(_stitched, reader, body, config.max_body_bytes))


def _stitched(reader: Reader, file: bytes, limit: int) -> Stitched:
    if file[:2] == b"\x1f\x8b":  # a gzipped file, sent without Content-Encoding
        file = inflate_file(file, limit)
    return reader.stitch(file)


def _add_health(
    app: FastAPI, live: Live, counters: Counters, taking: Callable[[], bool], troubles: Troubles
) -> None:
    counters.registry.register(LiveFigures(live))
    counters.registry.register(TroubleFigures(troubles))

    @app.get("/healthz", response_model=None)
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", response_model=None)
    def readyz() -> Response:
        """Spans are taken and stored; `replayed`: unfinished flows of before are watched again."""
        trouble = troubles.unready()
        if trouble is not None or not taking():
            said = trouble.text if trouble else "Spans are not taken any more."
            return JSONResponse({"status": "failed", "error": said}, 503)
        return JSONResponse({"status": "ready", "replayed": live.replayed.is_set()})

    @app.get("/metrics", response_model=None)
    def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(generate_latest(counters.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False, response_model=None)
    def docs() -> HTMLResponse:
        return HTMLResponse(manual(app.openapi()))


def _found(answer: Answer | None, key: str, reader: Reader) -> Answer:
    if answer is None:
        raise UnknownFlowError(key, reader.nearest(key))
    return answer


def _states(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in _STATES:
            msg = f"state is '{word[:40]}': expected {', '.join(_STATES)}."
            raise QuestionError(msg)
    return tuple(int(_STATES[word]) for word in words)
