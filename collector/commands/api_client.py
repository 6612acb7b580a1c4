"""Queries the collector's API."""

import os
import sys
from typing import Any, TextIO, TypeAlias
from urllib.parse import quote

import httpx

from collector.commands.api_address import address, hint_at_door, other_door
from collector.commands.calling import called
from collector.commands.connecting import bearer, connection, hint
from collector.commands.failure import CommandError, NoAnswerError
from collector.commands.terminal import short

Document: TypeAlias = dict[str, Any]

_PATIENCE_S = 30
_BAD_INPUT = {400, 401, 403, 413, 415}


def named(key: str) -> str:
    """*key* as a single path segment, even if it is "." or "..", which would lead elsewhere."""
    return quote(key, safe="").replace(".", "%2E")


def ask(path: str, parameters: Document | None = None) -> Document:
    """The answer of `/api/v1` + *path*; raise `CommandError`, which says what to do, if there is none."""
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    answer, document = _answered("GET", path, _PATIENCE_S, params=given)
    if answer.status_code == httpx.codes.NOT_FOUND:
        if other := other_door(answer, document):
            raise CommandError(other)
        near = ", ".join(map(short, document.get("nearest") or []))
        like = f" Names like it: {near}." if near else ""
        raise CommandError(f"{document.get('error', 'not found')}{like}", code=1)
    if answer.is_error:
        raise CommandError(str(document.get("error", answer.status_code)))
    return document


def copy(path: str, where: TextIO) -> None:
    """Write the answer of `/api/v1` + *path*, on one line, as it comes: it may be larger than the memory.

    Raise `CommandError` as `ask` does, and if the answer breaks off.
    """
    try:
        with httpx.stream("GET", _url(path), headers=bearer(), timeout=60, **connection()) as answer:
            if answer.is_error:
                answer.read()
                code = 1 if answer.status_code == httpx.codes.NOT_FOUND else 2
                raise CommandError(str(_document(answer).get("error", answer.status_code)), code)
            where.writelines(answer.iter_text())
        where.write("\n")
        where.flush()
    except BrokenPipeError:  # as in `| head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except httpx.RemoteProtocolError as error:
        msg = f"{address()} broke off its answer: the log of the collector says why ({error})."
        raise CommandError(msg) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _nobody(error) from error


def tell(path: str, body: Document, timeout_s: float = _PATIENCE_S) -> Document:
    """The answer to *body*, sent to `/api/v1` + *path*; raise `CommandError` if it is refused."""
    answer, document = _answered("POST", path, timeout_s, json=body)
    if answer.is_error:
        code = 2 if answer.status_code in _BAD_INPUT else 1
        raise CommandError(str(document.get("error", answer.status_code)), code)
    return document


def _answered(method: str, path: str, timeout_s: float, **given: Any) -> tuple[httpx.Response, Document]:
    try:
        answer = httpx.request(
            method, _url(path), headers=bearer(), timeout=timeout_s, **connection(), **given
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _nobody(error) from error
    return answer, _document(answer)


def _url(path: str) -> str:
    return f"{address()}/api/v1{path}"


def _nobody(error: Exception) -> NoAnswerError:
    if isinstance(error, httpx.ReadTimeout):
        return NoAnswerError(
            f"{address()} took the question and has not answered it in time: the collector is busy, or was "
            "stopped. Ask again, or look at its log."
        )
    return NoAnswerError(
        f"No answer from {address()}: start a collector with '{called('collector')}', or name the one "
        f"that runs in CHOREOSCOPE_API ({error}){hint(error, address()) or hint_at_door(error)}."
    )


def _document(answer: httpx.Response) -> Document:
    try:
        return dict(answer.json())
    except ValueError as error:
        msg = f"{address()} answered {answer.status_code} and no JSON: is that a collector's API?"
        raise CommandError(msg) from error
