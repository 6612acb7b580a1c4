"""Queries the collector's API."""

import os
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from collector.commands.calling import called
from collector.commands.connecting import bearer, connection, hint
from collector.commands.failure import CommandError

Document: TypeAlias = dict[str, Any]

DEFAULT = "http://127.0.0.1:4319"
_BAD_INPUT = {400, 401, 403, 413, 415}


def address() -> str:
    """The API's address, from CHOREOSCOPE_API."""
    return os.environ.get("CHOREOSCOPE_API", "").rstrip("/") or DEFAULT


def named(key: str) -> str:
    """*key* as a single path segment, even if it is "." or "..", which would lead elsewhere."""
    return quote(key, safe="").replace(".", "%2E")


def ask(path: str, parameters: Document | None = None) -> Document:
    """The answer of `/api/v1` + *path*; raise `CommandError`, which says what to do, if there is none."""
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    answer, document = _answered("GET", path, params=given)
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise CommandError(document.get("error", "not found"), code=1)
    if answer.is_error:
        raise CommandError(str(document.get("error", answer.status_code)))
    return document


def tell(path: str, body: Document) -> Document:
    """The answer to *body*, sent to `/api/v1` + *path*; raise `CommandError` if it is refused."""
    answer, document = _answered("POST", path, json=body)
    if answer.is_error:
        code = 2 if answer.status_code in _BAD_INPUT else 1
        raise CommandError(str(document.get("error", answer.status_code)), code)
    return document


def _answered(method: str, path: str, **given: Any) -> tuple[httpx.Response, Document]:
    try:
        answer = httpx.request(
            method, f"{address()}/api/v1{path}", headers=bearer(), timeout=30, **connection(), **given
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        msg = (
            f"No answer from {address()}: start a collector with '{called('collector')}', or name the one "
            f"that runs in CHOREOSCOPE_API ({error}){hint(error, address())}."
        )
        raise CommandError(msg) from error
    try:
        document = answer.json()
    except ValueError as error:
        msg = f"{address()} answered {answer.status_code} and no JSON: is that a collector's API?"
        raise CommandError(msg) from error
    return answer, dict(document)
