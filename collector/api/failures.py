"""How does the API answer, and how does it say in one line what went wrong?"""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from msgspec import UNSET
from starlette.exceptions import HTTPException as StarletteHTTPException

from collector.api.lanes import BusyError
from collector.formats import EXPECTED, FormatError
from collector.model.answers import Error
from collector.queries import (
    ApartError,
    DecisionError,
    DeletionError,
    DismissalError,
    GivenUpError,
    QuestionError,
    TooEarlyError,
    TooManyDecisionsError,
    UnknownStepError,
)
from collector.store.contracts import StoreError, TooMuchError
from collector.web.bodies import BodyError, SlowError, TooLargeError
from collector.web.budget import OverloadError
from collector.web.foreign_pages import ForeignPageError

_UNDECIDED: Mapping[type[DecisionError], int] = {
    UnknownStepError: 404,
    TooManyDecisionsError: 409,
    TooEarlyError: 503,
}


class Json(JSONResponse):
    """An answer as JSON, encoded by compiled code: a page of a thousand findings is a megabyte."""

    def render(self, content: Any) -> bytes:
        """Encode as UTF-8; numbers that JSON cannot express become null."""
        return msgspec.json.encode(content)


STILL_STARTING = (
    "The collector has just started, and goes through what came before: what came since is in no flow yet. "
    "Ask again in some seconds."
)


class UnknownFlowError(Exception):
    """There is no such flow; *nearest* are names that look like it.

    Until what was stored is *replayed*, what came since the start is stored and in no flow yet.
    """

    def __init__(self, key: str, nearest: list[str], *, replayed: bool = True) -> None:
        expected = "expected a flow key, a flow id or a trace id."
        later = "" if replayed else f" {STILL_STARTING}"
        super().__init__(f"no flow '{key[:200]}': {expected}{later}")
        self.nearest = nearest


def add_errors(app: FastAPI) -> None:
    """Let *app* answer in one line, whatever goes wrong."""

    def said(code: int, text: str) -> Json:
        return Json(Error(error=text), code)

    @app.exception_handler(StarletteHTTPException)
    def http(request: Request, error: StarletteHTTPException) -> Json:
        detail = error.detail
        if error.status_code == 404 and detail == "Not Found":
            detail = f"no page {request.url.path[:200]}: /docs lists those there are."
        return said(error.status_code, str(detail))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Json:
        first = error.errors()[0]
        return said(400, f"{first['loc'][-1]} is '{str(first.get('input'))[:80]}': {first['msg'].lower()}.")

    @app.exception_handler(UnknownFlowError)
    def unknown(request: Request, error: UnknownFlowError) -> Json:
        return Json(Error(error=str(error), nearest=error.nearest), 404)

    @app.exception_handler(DecisionError)
    def undecided(request: Request, error: DecisionError) -> Json:
        nearest = error.nearest if isinstance(error, UnknownStepError) else UNSET
        status = next(code for kind, code in _UNDECIDED.items() if isinstance(error, kind))
        return Json(Error(error=str(error), nearest=nearest), status)

    @app.exception_handler(DismissalError)
    @app.exception_handler(DeletionError)
    def minded(request: Request, error: DismissalError | DeletionError) -> Json:
        return Json(Error(error=str(error), nearest=error.nearest or UNSET), error.status)

    @app.exception_handler(ForeignPageError)
    def foreign(request: Request, error: ForeignPageError) -> Json:
        return said(error.status, str(error))

    @app.exception_handler(Exception)
    def fault(request: Request, error: Exception) -> Json:
        return said(500, f"The collector could not answer ({type(error).__name__}): its log has the details.")

    @app.exception_handler(QuestionError)
    @app.exception_handler(BodyError)
    def wrong(request: Request, error: Exception) -> Json:
        code = 413 if isinstance(error, TooLargeError) else 408 if isinstance(error, SlowError) else 400
        return said(code, str(error))

    @app.exception_handler(FormatError)
    def unreadable(request: Request, error: FormatError) -> Json:
        line = "" if error.line is None else f", line {error.line} of {error.lines},"
        return said(400, f"The body{line} is no trace file: {error} Expected {EXPECTED}.")

    @app.exception_handler(StoreError)
    def store(request: Request, error: StoreError) -> Json:
        return said(504 if isinstance(error, TooMuchError) else 503, str(error))

    @app.exception_handler(ApartError)
    def apart(request: Request, error: ApartError) -> Json:
        return said(504, str(error))

    @app.exception_handler(BusyError)
    @app.exception_handler(OverloadError)
    def busy(request: Request, error: Exception) -> Json:
        return Json(Error(error=str(error)), 503, {"Retry-After": "2"})

    @app.exception_handler(GivenUpError)
    def given_up(request: Request, error: GivenUpError) -> Json:
        return said(499, "The asker has left.")  # nobody reads this
