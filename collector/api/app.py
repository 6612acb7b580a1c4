"""The API on its port: its paths, in modules by what they are about, and what every request must pass."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from collector.api.failures import add_errors
from collector.api.flow_paths import add_flow, add_stitch
from collector.api.lanes import Lanes
from collector.api.list_paths import add_lists
from collector.api.metrics import LiveFigures, TroubleFigures
from collector.api.openapi import describe, manual, response
from collector.api.question_paths import add_questions
from collector.api.store_paths import add_store
from collector.api.word_paths import add_words
from collector.config import Config
from collector.counters import Counters
from collector.live.runner import Live
from collector.model.answers import Error
from collector.queries import Reader
from collector.web.access import HostNames, ProtectiveHeaders, RoleNeeded, names_matter
from collector.web.budget import Budget
from collector.web.foreign_pages import OwnPages
from collector.web.tokens import Access, Role
from collector.web.unread import ReadInTime

_OPEN = {"/healthz", "/readyz"}  # probes have no token, and learn nothing
_LINKED = {"/docs", "/openapi.json"}  # a wiki may link to them
_ASKED = {"/api/v1/stitch"}  # posts that change nothing


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
    add_questions(app, reader, lanes)
    add_lists(app, reader, lanes)
    add_flow(app, reader, lanes)
    add_stitch(app, reader, config, lanes, budget)
    add_words(app, reader, budget)
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
