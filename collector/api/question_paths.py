"""The paths of questions about all flows: what stopped, who reacts to what, what is expected."""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from collector.api.failures import Json
from collector.api.lanes import Lanes
from collector.api.openapi import question
from collector.model.answers import Connections, Consumers, Deletions, Expectations, Map, Stuck, Summary
from collector.queries import Only, Reader, page

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

    @question(app, "/map", Map)
    async def choreography(request: Request, window_s: Window = 900) -> Response:
        """Who reacts to what, how often, how fast."""
        return await lanes.large.ask(request, lambda errand: Json(reader.map(window_s)))

    @question(app, "/connections", Connections)
    async def connections(request: Request, window_s: Window = 3600) -> Response:
        """Who sends spans, what they send and handle, and what seems wrong with that."""
        return await lanes.large.ask(request, lambda errand: Json(reader.connections(window_s)))

    @question(app, "/consumers", Consumers)
    async def consumers(request: Request, limit: Limit = 1000) -> Response:
        """What brokers know of consumers, and which flows wait for them."""
        return await lanes.lists.ask(request, lambda errand: Json(reader.consumers(limit)))

    @question(app, "/deletions", Deletions)
    def deletions() -> Json:
        """What people had deleted, and how far that is."""
        return Json(reader.deletions())

    @question(app, "/expectations", Expectations)
    async def expectations(request: Request, event_type: Name = "", service: Name = "") -> Response:
        """What is expected of whom after what, how sure that is, and what people said about it."""
        only = Only(event_type, service)
        return await lanes.lists.ask(request, lambda errand: Json(reader.expectations(only)))
