"""The paths of questions about all flows: which there are, what stopped, who reacts to what."""

import logging
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from msgspec import to_builtins

from collector.api.failures import Json
from collector.api.lanes import BusyError, Lanes
from collector.api.openapi import question
from collector.model.answers import Deletions, Expectations, Flows, Map, Stuck, Summary
from collector.model.conditions import SORTS
from collector.model.flow_cells import COLUMNS, csv_of
from collector.queries import Asked, Only, QuestionError, Reader, asked, page
from collector.store.contracts import StoreError
from collector.web.unread import BrokenOffError

log = logging.getLogger(__name__)

_SEARCHED = (
    "A search line: text (part of a key, an event type or a service, or the beginning of a trace id), and"
    " terms such as service:payment, state:stuck,failed, took:>10s, started:>-15m; docs/search.md has all."
)
_PAGE = 1_000  # flows that are read at once
_CSV = {"description": "Successful Response", "content": {"text/csv": {"schema": {"type": "string"}}}}
_SORTED = f"{', '.join(SORTS)}; with - before it the other way round. Without: by state, stuck first."

ColumnNames = Annotated[str, Query(max_length=400, description=f"Some of {', '.join(COLUMNS)}.")]
Rows = Annotated[int, Query(ge=1, le=100_000, description="How many flows at the most.")]
Line = Annotated[str, Query(max_length=1_000, description=_SEARCHED)]
StateWords = Annotated[
    str, Query(description="running, late, stuck, failed, done, dismissed; several with commas.")
]
WaitingFor = Annotated[
    str, Query(max_length=200, description="The service that owes them something, in full.")
]
Within = Annotated[int | None, Query(ge=1, le=10**9, description="Active within so many seconds.")]
SortWord = Annotated[str, Query(max_length=20, description=_SORTED)]
Limit = Annotated[int, Query(ge=1, le=10_000, description="How many entries at the most.")]
Each = Annotated[int | None, Query(ge=1, le=10_000, description="The oldest so many of each cohort.")]
Cursor = Annotated[str | None, Query(description="The next_cursor of the answer before.")]
Name = Annotated[str, Query(max_length=1_000, description="In full; case does not matter.")]
Window = Annotated[int, Query(ge=1, le=31 * 86_400, description="Seconds back from now.")]


def add_questions(app: FastAPI, reader: Reader, lanes: Lanes) -> None:
    """Add the paths to *app*."""

    @question(app, "/summary", Summary)
    async def summary(request: Request) -> Response:
        """The figures of the first page."""
        return await lanes.quick.ask(request, lambda errand: Json(reader.summary()))

    @question(app, "/stuck", Stuck)
    async def stuck(
        request: Request, late: bool = False, each: Each = None, limit: Limit = 1000, cursor: Cursor = None
    ) -> Response:
        """What stopped, and why; with `late=true` also what is late and not yet past its deadline."""
        wanted = page(limit, cursor)
        return await lanes.stuck.ask(request, lambda errand: Json(reader.stuck(wanted, late=late, each=each)))

    @question(app, "/flows", Flows)
    async def flows(
        request: Request,
        q: Line = "",
        state: StateWords = "",
        waiting_for: WaitingFor = "",
        window_s: Within = None,
        sort: SortWord = "",
        limit: Limit = 1000,
        cursor: Cursor = None,
    ) -> Response:
        """The flows, stuck first, then the newest; or by `sort`."""
        wanted = _asked(q, state, waiting_for, window_s, sort)
        place = page(limit, cursor, wanted.search.order)
        return await lanes.lists.ask(request, lambda errand: Json(reader.flows(wanted, place)))

    @app.get("/api/v1/flows.csv", response_model=None, responses={200: _CSV})
    async def flows_csv(
        request: Request,
        q: Line = "",
        state: StateWords = "",
        waiting_for: WaitingFor = "",
        window_s: Within = None,
        sort: SortWord = "",
        columns: ColumnNames = "",
        limit: Rows = 10_000,
    ) -> Response:
        """The same flows as CSV, with `columns` in this order, read while they are sent."""
        wanted, chosen = _asked(q, state, waiting_for, window_s, sort), _columns(columns)

        def part(cursor: str | None, most: int) -> tuple[str, str | None, int]:
            items, following = reader.listed(wanted, page(most, cursor, wanted.search.order))
            cells = csv_of(map(to_builtins, items), chosen, head=cursor is None)
            return cells, following, len(items)

        async def part_of(cursor: str | None, most: int) -> tuple[str, str | None, int]:
            return await lanes.lists.ask(request, lambda errand: part(cursor, most))

        first = await part_of(None, min(limit, _PAGE))

        async def pages() -> AsyncIterator[str]:
            (text, cursor, count), left = first, limit
            yield text
            while cursor and (left := left - count) > 0:
                try:
                    text, cursor, count = await part_of(cursor, min(left, _PAGE))
                except (BusyError, StoreError) as error:
                    log.warning("A table of flows is sent incompletely: %s", error)
                    raise BrokenOffError from error
                yield text

        named = {"Content-Disposition": "attachment; filename=flows.csv"}
        return StreamingResponse(pages(), media_type="text/csv; charset=utf-8", headers=named)

    @question(app, "/map", Map)
    async def choreography(request: Request, window_s: Window = 900) -> Response:
        """Who reacts to what, how often, how fast."""
        return await lanes.large.ask(request, lambda errand: Json(reader.map(window_s)))

    @question(app, "/deletions", Deletions)
    def deletions() -> Json:
        """What people had deleted, and how far that is."""
        return Json(reader.deletions())

    @question(app, "/expectations", Expectations)
    async def expectations(request: Request, event_type: Name = "", service: Name = "") -> Response:
        """What is expected of whom after what, how sure that is, and what people said about it."""
        only = Only(event_type, service)
        return await lanes.lists.ask(request, lambda errand: Json(reader.expectations(only)))


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip()) or COLUMNS
    for name in names:
        if name not in COLUMNS:
            msg = f"columns has '{name[:40]}': expected some of {', '.join(COLUMNS)}, with commas between."
            raise QuestionError(msg)
    return names


def _asked(q: str, state: str, waiting_for: str, window_s: int | None, sort: str) -> Asked:
    now = time.time_ns()
    since = now - window_s * 10**9 if window_s else 0
    return asked(q, now, state=state, waiting_for=waiting_for, since=since, sort=sort)
