"""The paths of the list of flows, which a search line asks for: a page of it, and all of it as a table."""

import logging
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from msgspec import to_builtins

from collector.api.failures import Json
from collector.api.lanes import BusyError, Lanes
from collector.api.openapi import question
from collector.api.question_paths import Cursor, Limit
from collector.model.answers import Flows
from collector.model.conditions import SORTS
from collector.model.flow_cells import COLUMNS, csv_of
from collector.queries import Asked, QuestionError, Reader, asked, page
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


async def _asked(
    q: Line = "",
    state: StateWords = "",
    waiting_for: WaitingFor = "",
    window_s: Within = None,
    sort: SortWord = "",
) -> Asked:
    now = time.time_ns()
    since = now - window_s * 10**9 if window_s else 0
    return asked(q, now, state=state, waiting_for=waiting_for, since=since, sort=sort)


Wanted = Annotated[Asked, Depends(_asked)]


def add_lists(app: FastAPI, reader: Reader, lanes: Lanes) -> None:
    """Add the paths to *app*."""

    @question(app, "/flows", Flows)
    async def flows(request: Request, wanted: Wanted, limit: Limit = 1000, cursor: Cursor = None) -> Response:
        """The flows, stuck first, then the newest; or by `sort`."""
        place = page(limit, cursor, wanted.search.order)
        return await lanes.lists.ask(request, lambda errand: Json(reader.flows(wanted, place)))

    @app.get("/api/v1/flows.csv", response_model=None, responses={200: _CSV})
    async def flows_csv(
        request: Request, wanted: Wanted, columns: ColumnNames = "", limit: Rows = 10_000
    ) -> Response:
        """The same flows as CSV, with `columns` in this order, read while they are sent."""
        chosen = _columns(columns)

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


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip()) or COLUMNS
    for name in names:
        if name not in COLUMNS:
            msg = f"columns has '{name[:40]}': expected some of {', '.join(COLUMNS)}, with commas between."
            raise QuestionError(msg)
    return names
