"""The paths of the collector's own store: how it is doing, and its backups."""

import msgspec
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from collector.api.failures import Json
from collector.api.openapi import response
from collector.model.answers import Backup, Error, Store
from collector.queries.sources import Sources
from collector.queries.store_state import begin_backup, store_state
from collector.store.contracts import BackupError
from collector.web.bodies import BodyError, receive
from collector.web.foreign_pages import require_own

_LONGEST = 4_096
_NAMED = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 100}},
                    "required": ["name"],
                    "additionalProperties": False,
                }
            }
        },
    }
}


def add_store(app: FastAPI, sources: Sources) -> None:
    """Add the paths to *app*."""

    @app.exception_handler(BackupError)
    def refused(request: Request, error: BackupError) -> Json:
        return Json(Error(error=str(error)), 409)

    @app.get("/api/v1/store", response_model=None, responses={200: response(Store)})
    def store() -> Json:
        """How much is stored, whether it is whole, and what became of the last backup."""
        return Json(store_state(sources.checks))

    @app.post(
        "/api/v1/store/backups",
        response_model=None,
        responses={200: response(Backup), 409: response(Error, "Conflict")},
        openapi_extra=_NAMED,
    )
    async def back_up(request: Request) -> Json:
        """Begin a backup with a plain name, beside the others; `/api/v1/store` says what becomes of it.

        The Content-Type must be application/json, and no page of another site may have sent it.
        """
        require_own(request.headers)
        body = await receive(request.stream(), request.headers.get("content-encoding", ""), _LONGEST)
        try:
            document = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BodyError(f"The body is no JSON: {str(error)[:200]}.") from error
        return Json(await run_in_threadpool(begin_backup, sources.checks, document))
