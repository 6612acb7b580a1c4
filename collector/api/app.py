"""The API on its port: paths, parameters and status codes. `queries` decides what the answers are."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor

from collector.api.bodies_of_words import (
    DECISION,
    DELETION,
    DISMISSAL,
    LONGEST_DECISION,
    LONGEST_DELETION,
    LONGEST_DISMISSAL,
    document_in,
)
from collector.api.failures import Json, UnknownFlowError, add_errors
from collector.api.lanes import BusyError, Lane, Lanes
from collector.api.metrics import LiveFigures, TroubleFigures
from collector.api.openapi import describe, manual, response
from collector.api.store_paths import add_store
from collector.config import Config
from collector.counters import Counters
from collector.live.runner import Live
from collector.model.answers import (
    Answer,
    Decision,
    Deletion,
    Deletions,
    Dismissal,
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
from collector.queries import (
    PART,
    ApartError,
    Errand,
    GivenUpError,
    Only,
    QuestionError,
    Reader,
    never_of,
    page,
    part,
    unwanted_of,
    wish_of,
)
from collector.store.contracts import Search, StoreError
from collector.web.access import HostNames, ProtectiveHeaders, RoleNeeded, names_matter
from collector.web.bodies import receive
from collector.web.budget import Budget, Share
from collector.web.foreign_pages import OwnPages, require_own
from collector.web.tokens import ANYBODY, Access, Role
from collector.web.unread import BrokenOffError, ReadInTime

T = TypeVar("T")

log = logging.getLogger(__name__)


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
_DISMISSED = "dismissed"  # no state of a flow, but asked for like one

_SEARCHED = "Part of a key, an event type or a service, or the beginning of a trace id."

Limit = Annotated[int, Query(ge=1, le=10_000, description="How many entries at the most.")]
Each = Annotated[int | None, Query(ge=1, le=10_000, description="The oldest so many of each cohort.")]
Cursor = Annotated[str | None, Query(description="The next_cursor of the answer before.")]
PartLimit = Annotated[int, Query(ge=1, le=10_000, description="How many spans at the most.")]
PartCursor = Annotated[str | None, Query(description="A cursor of another part.", max_length=400)]
Order = Annotated[Literal["newest", "oldest"], Query(description="Which part comes first.")]
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
    lanes, budget = Lanes(), Budget(config.queue_bytes)
    _add_questions(app, reader, config, lanes, budget)
    _add_words(app, reader, budget)
    _add_health(app, lanes, live, counters, taking, reader)
    add_store(app, reader.sources)
    add_errors(app)
    app.add_middleware(ReadInTime)
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


def _add_questions(app: FastAPI, reader: Reader, config: Config, lanes: Lanes, budget: Budget) -> None:
    def path(address: str, answer: type[Answer]) -> Callable[[Any], Any]:
        return app.get(f"/api/v1{address}", response_model=None, responses={200: response(answer)})

    @path("/summary", Summary)
    async def summary(request: Request) -> Response:
        """The figures of the first page."""
        return await lanes.quick.ask(request, lambda errand: Json(reader.summary()))

    @path("/stuck", Stuck)
    async def stuck(
        request: Request, late: bool = False, each: Each = None, limit: Limit = 1000, cursor: Cursor = None
    ) -> Response:
        """What stopped, and why; with `late=true` also what is late and not yet past its deadline."""
        wanted = page(limit, cursor)
        return await lanes.stuck.ask(request, lambda errand: Json(reader.stuck(wanted, late=late, each=each)))

    @path("/flows", Flows)
    async def flows(
        request: Request,
        q: Annotated[str, Query(max_length=200, description=_SEARCHED)] = "",
        state: Annotated[
            str, Query(description="running, late, stuck, failed, done, dismissed; several with commas.")
        ] = "",
        waiting_for: Annotated[
            str, Query(max_length=200, description="The service that owes them something, in full.")
        ] = "",
        window_s: Annotated[
            int | None, Query(ge=1, le=10**9, description="Active within so many seconds.")
        ] = None,
        limit: Limit = 1000,
        cursor: Cursor = None,
    ) -> Response:
        """The flows, stuck first, then the newest."""
        since = time.time_ns() - window_s * 10**9 if window_s else 0
        states, dismissed = _states(state)
        search = Search(q.strip(), states, dismissed, since, waiting_for=waiting_for)
        wanted = page(limit, cursor)
        return await lanes.lists.ask(request, lambda errand: Json(reader.flows(search, wanted)))

    @path("/flows/{key:key}", Flow)
    async def flow(
        request: Request,
        key: str,
        limit: PartLimit = PART,
        cursor: PartCursor = None,
        order: Order = "newest",
    ) -> Response:
        """One flow by its key, id or trace id: its graph and its findings.

        Of a flow with more than `limit` spans it is a part: the newest, or the oldest with `order=oldest`;
        `next_cursor` leads on.
        """
        wanted = part(limit, cursor, order)
        found = await lanes.large.ask(
            request, lambda errand: _found(reader.flow_json(key, wanted, errand), key, reader)
        )
        return Response(found, media_type="application/json")

    @path("/spans/{key:key}", Spans)
    async def spans(request: Request, key: str) -> Response:
        """The spans of one flow, as the OTLP request in JSON that `stitch` reads.

        All of them, in the order of their start: they are read while they are sent.
        """
        errand = Errand()
        pieces = await lanes.large.ask(
            request, lambda errand: _found(reader.spans_json(key, errand), key, reader), errand
        )
        return StreamingResponse(_sent(lanes.large, request, pieces, errand), media_type="application/json")

    @path("/why/{key:key}", Why)
    async def why(request: Request, key: str) -> Response:
        """The findings of one flow."""
        return await lanes.lists.ask(request, lambda errand: Json(_found(reader.why(key), key, reader)))

    @path("/map", Map)
    async def choreography(request: Request, window_s: Window = 900) -> Response:
        """Who reacts to what, how often, how fast."""
        return await lanes.large.ask(request, lambda errand: Json(reader.map(window_s)))

    @path("/deletions", Deletions)
    def deletions() -> Json:
        """What people had deleted, and how far that is."""
        return Json(reader.deletions())

    @path("/expectations", Expectations)
    async def expectations(request: Request, event_type: Name = "", service: Name = "") -> Response:
        """What is expected of whom after what, how sure that is, and what people said about it."""
        only = Only(event_type, service)
        return await lanes.lists.ask(request, lambda errand: Json(reader.expectations(only)))

    @app.post("/api/v1/stitch", response_model=None, responses={200: response(Stitched)})
    async def stitch(
        request: Request, limit: PartLimit = PART, cursor: PartCursor = None, order: Order = "newest"
    ) -> Response:
        """Stitch a trace file: OTLP, Tempo, Jaeger or Zipkin, gzipped or not. Nothing is stored.

        Its content decides what it is, whatever the Content-Type says. Of a file with more than `limit`
        spans the answer shows a part, as of a flow: send it again with the `next_cursor` for the next.
        """
        wanted = part(limit, cursor, order)
        with budget.share() as share:
            body = await _body_of(request, config.max_body_bytes, share)
            found = await lanes.large.ask(
                request, lambda errand: reader.stitch_json(body, wanted, errand, config.max_body_bytes)
            )
        return Response(found, media_type="application/json")


async def _body_of(request: Request, most: int, share: Share) -> bytes:
    """The inflated body, which may have *most* bytes; they are counted in *share* from the first one on."""
    coding = request.headers.get("content-encoding", "")
    async with share.arriving():
        body = await receive(request.stream(), coding, most, count=share.grow)
    share.settle(len(body))
    return body


async def _sent(
    lane: Lane, request: Request, pieces: Iterator[bytes], errand: Errand
) -> AsyncIterator[bytes]:
    """*pieces*, each made once the one before is taken."""
    try:
        while (piece := await lane.ask(request, lambda errand: next(pieces, None), errand)) is not None:
            yield piece
    except (ApartError, BusyError, GivenUpError, StoreError) as error:
        log.warning("Spans of a flow are sent incompletely: %s", error or "their reader has left")
        raise BrokenOffError from error


def _add_words(app: FastAPI, reader: Reader, budget: Budget) -> None:
    """What people say: each word is stored, with its author and reason, before it is applied.

    Without an author it is that of the token, if the token has a name. The Content-Type must be
    application/json, and no page of another site may have sent it.
    """

    async def said(request: Request, most: int) -> object:
        require_own(request.headers)
        author = getattr(request.state, "caller", ANYBODY).name
        with budget.share() as share:
            return document_in(await _body_of(request, most, share), author)

    @app.post(
        "/api/v1/expectations",
        response_model=None,
        responses={200: response(Decision)},
        openapi_extra=DECISION,
    )
    async def decide(request: Request) -> Json:
        """Forget, or keep, all that is expected of a service after an event type."""
        wish = wish_of(await said(request, LONGEST_DECISION))
        return Json(await run_in_threadpool(reader.decide, wish))

    @app.post(
        "/api/v1/dismissals",
        response_model=None,
        responses={200: response(Dismissal)},
        openapi_extra=DISMISSAL,
    )
    async def dismiss(request: Request) -> Json:
        """Never mind flows that stopped, as they stand now: those that are named, or those of an incident."""
        wish = never_of(await said(request, LONGEST_DISMISSAL))
        return Json(await run_in_threadpool(reader.dismiss, wish))

    @app.post(
        "/api/v1/deletions",
        response_model=None,
        responses={200: response(Deletion)},
        openapi_extra=DELETION,
    )
    async def delete(request: Request) -> Json:
        """Delete the spans for which all conditions hold; unless `dry_run` is false, say what would go."""
        wish = unwanted_of(await said(request, LONGEST_DELETION))
        return Json(await run_in_threadpool(reader.delete, wish))


def _add_health(
    app: FastAPI,
    lanes: Lanes,
    live: Live,
    counters: Counters,
    taking: Callable[[], bool],
    reader: Reader,
) -> None:
    troubles = reader.sources.troubles
    counters.registry.register(LiveFigures(live, reader.live_flows))
    counters.registry.register(TroubleFigures(troubles))

    # Both need no thread: they answer even if all are taken.
    @app.get("/healthz", response_model=None)
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", response_model=None)
    async def readyz() -> Response:
        """Spans are taken and stored; `replayed`: unfinished flows of before are watched again."""
        trouble = troubles.unready()
        if trouble is not None or not taking():
            said = trouble.text if trouble else "Spans are not taken any more."
            return JSONResponse({"status": "failed", "error": said}, 503)
        return JSONResponse({"status": "ready", "replayed": live.replayed.is_set()})

    @app.get("/metrics", response_model=None)
    async def metrics(request: Request) -> Response:
        """Counters for Prometheus."""
        text = await lanes.quick.ask(request, lambda errand: generate_latest(counters.registry))
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False, response_model=None)
    async def docs(request: Request) -> HTMLResponse:
        return await lanes.quick.ask(request, lambda errand: HTMLResponse(manual(app.openapi())))


def _found(answer: T | None, key: str, reader: Reader) -> T:
    if answer is None:
        raise UnknownFlowError(key, reader.nearest(key))
    return answer


def _states(text: str) -> tuple[tuple[int, ...], bool]:
    """The states that *text* names, and whether it names what is dismissed."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in {*_STATES, _DISMISSED}:
            msg = f"state is '{word[:40]}': expected {', '.join((*_STATES, _DISMISSED))}."
            raise QuestionError(msg)
    return tuple(int(_STATES[word]) for word in words if word != _DISMISSED), _DISMISSED in words
