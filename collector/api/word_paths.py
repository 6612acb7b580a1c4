"""The paths by which people say something: what to expect, what not to mind, what to delete."""

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from collector.api.bodies_of_words import (
    DECISION,
    DELETION,
    DISMISSAL,
    LONGEST_DECISION,
    LONGEST_DELETION,
    LONGEST_DISMISSAL,
    document_in,
)
from collector.api.counted_bodies import body_of
from collector.api.failures import Json
from collector.api.openapi import response
from collector.model.answers import Decision, Deletion, Dismissal
from collector.queries import Reader, never_of, unwanted_of, wish_of
from collector.web.budget import Budget
from collector.web.foreign_pages import require_own
from collector.web.tokens import ANYBODY


def add_words(app: FastAPI, reader: Reader, budget: Budget) -> None:
    """Add the paths to *app*. Each word is stored, with its author and reason, before it is applied.

    Without an author it is that of the token, if the token has a name. The Content-Type must be
    application/json, and no page of another site may have sent it.
    """

    async def said(request: Request, most: int) -> object:
        require_own(request.headers)
        author = getattr(request.state, "caller", ANYBODY).name
        with budget.share() as share:
            return document_in(await body_of(request, most, share), author)

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
