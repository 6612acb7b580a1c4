"""The paths of questions about all flows: which there are, what stopped, who reacts to what."""

import time
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from collector.api.failures import Json
from collector.api.lanes import Lanes
from collector.api.openapi import question
from collector.model.answers import Deletions, Expectations, Flows, Map, Stuck, Summary
from collector.model.flows import State
from collector.queries import Only, QuestionError, Reader, page
from collector.store.contracts import Search

_STATES: dict[str, State] = {state.word: state for state in State}
_DISMISSED = "dismissed"  # no state of a flow, but asked for like one

_SEARCHED = "Part of a key, an event type or a service, or the beginning of a trace id."

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


def _states(text: str) -> tuple[tuple[int, ...], bool]:
    """The states that *text* names, and whether it names what is dismissed."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in {*_STATES, _DISMISSED}:
            msg = f"state is '{word[:40]}': expected {', '.join((*_STATES, _DISMISSED))}."
            raise QuestionError(msg)
    return tuple(int(_STATES[word]) for word in words if word != _DISMISSED), _DISMISSED in words
