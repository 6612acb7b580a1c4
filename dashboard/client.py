"""How do the pages ask the collector? Only this module knows where it is.

One answer serves all viewers: a question asked twice within its `max_age` is sent
once. When the collector stops answering, the last answer is served with its age:
an old picture with its age helps more than none.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec

from dashboard.expectation_shapes import Decision, Expectations
from dashboard.problems import ApiError, NotFoundError, RefusedError, SlowError, UnreachableError
from dashboard.shapes import Dismissal, Flow, Flows, Stuck
from dashboard.total_shapes import Connections, Map, Summary
from dashboard.trust import TrustError, verifying

API_DEFAULT = "http://127.0.0.1:4319"

# Loopback answers in milliseconds, and the pages refresh every second or so: treat a
# collector that takes longer than this as down.
TIMEOUT = httpx.Timeout(5.0, connect=1.0)

# A part of a large flow is read from among all of its spans, and may wait for others who ask the same.
SLOW = httpx.Timeout(30.0, connect=1.0)
# How many spans of a flow are asked for at once: enough for 2,000 messages, which is what can be drawn.
DRAWN = 5_000
# For how long a part is shown as it was, and a flow of so many spans: reading it takes a second.
PART_AGE_S = 10.0
LARGE = 2_000
LARGE_AGE_S = 4.0
KEPT_PARTS = 4

# For the question whether the collector is there at all.
ALIVE = httpx.Timeout(1.0)

# How many answers are cached. One flow can be megabytes.
KEPT_ANSWERS = 128

_EXPECTATIONS = "/api/v1/expectations"

T = TypeVar("T")


@dataclass(frozen=True)
class Answered(Generic[T]):
    """An answer. With a `problem` it is an old one, `age_s` seconds old, to the question *about*.

    `silent_s` is for how long the collector has answered nothing at all: 0.0 while it answers anything.
    """

    value: T
    silent_s: float = 0.0
    problem: ApiError | None = None
    age_s: float = 0.0
    about: str = ""


@dataclass
class _Held:
    """The cache entry of one question."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    problem: ApiError | None = None
    asked: float = float("-inf")
    answered: float = float("-inf")


def address(variable: str, default: str) -> str:
    """Read a base address from the environment; raise `ApiError` if it is not valid."""
    value = os.environ.get(variable, "").strip() or default
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a host or a port that cannot be read
        usable = False
    if not usable:
        raise ApiError(f"{variable} is {value!r}: expected an address such as {default}.")
    return value.rstrip("/")


class Api:
    """The collector's answers, typed. Methods raise `ApiError` without an answer, not even a cached one."""

    def __init__(self, base: str | None = None, token: str | None = None) -> None:
        """Ask with *token*; without one, with that of the environment. "" is none."""
        self.base = base or address("CHOREOSCOPE_API", API_DEFAULT)
        if token is None:
            token = os.environ.get("CHOREOSCOPE_TOKEN", "").strip()
        headers = {b"Authorization": b"Bearer " + token.encode()} if token else {}
        try:
            verify = verifying()
        except TrustError as error:
            raise ApiError(str(error)) from error
        # Proxy settings in the environment would divert requests to loopback.
        self._http = httpx.Client(
            base_url=self.base, timeout=TIMEOUT, headers=headers, trust_env=False, verify=verify
        )
        self._held: OrderedDict[tuple[object, ...], _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._ahead = 0
        # When the first question was asked that nobody has answered; None while the collector answers.
        self._silent_from: float | None = None
        self._parts: list[tuple[object, ...]] = []  # questions for parts of large flows, oldest first

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def summary(self) -> Answered[Summary]:
        """Ask for the five figures and the state of ingest."""
        return self._ask("/api/v1/summary", Summary, about="the figures", max_age=0.5, then=self._set_clock)

    def try_access(self) -> None:
        """Raise `RefusedError` if the collector does not answer our questions."""
        self._fetch("/api/v1/summary", Summary, {})

    def now(self) -> int:
        """Return the collector's time (ns), estimated from its last summary; ages are relative to it."""
        return time.time_ns() + self._ahead

    def _set_clock(self, summary: Summary) -> None:
        self._ahead = summary.now_unix_nano - time.time_ns()

    def stuck(self, *, each: int = 6) -> Answered[Stuck]:
        """Ask for all cohorts of open findings, each with at most its *each* oldest findings."""
        params = {"each": each, "limit": 1000}
        return self._ask("/api/v1/stuck", Stuck, params, about="what is stuck", max_age=0.5)

    def flows(
        self,
        *,
        q: str = "",
        state: str = "",
        waiting_for: str = "",
        window_s: int | None = None,
        sort: str = "",
        limit: int = 100,
    ) -> Answered[Flows]:
        """Ask for flows by a search line and what stands beside it; empty values do not narrow the search."""
        params = {"q": q, "state": state, "waiting_for": waiting_for, "window_s": window_s}
        params |= {"sort": sort, "limit": limit}
        return self._ask("/api/v1/flows", Flows, params, about="the flows", max_age=0.5)

    def flows_csv(self, **wanted: object) -> bytes:
        """Ask for the same flows as CSV; raise `ApiError` if there is no answer."""
        try:
            response = self._http.get("/api/v1/flows.csv", params=_said(wanted), timeout=SLOW)
        except httpx.HTTPError as error:
            raise UnreachableError(f"No answer from the collector at {self.base}.") from error
        return response.content if response.is_success else decoded(response, bytes)

    def flow(self, key: str, *, part: str = "") -> Answered[Flow]:
        """Ask for one flow; raise `NotFoundError` when the collector does not know *key*.

        Of a large flow this is a part: the last one, the first one (*part* is "first"), or the one whose
        cursor *part* is.
        """
        # A key of "." or ".." would change the path.
        step = quote(key, safe="").replace(".", "%2E")
        where = {"order": "oldest"} if part == "first" else {"cursor": part}
        params = {"limit": DRAWN, **where}
        path = f"/api/v1/flows/{step}"
        answer = self._ask(path, Flow, params, about="this flow", max_age=_age_of_flow, timeout=SLOW)
        self._bound_parts((path, *sorted(_said(params).items())), answer.value)
        return answer

    def span(self, ref: str) -> Answered[dict[str, Any]]:
        """Ask for the span *ref* as OTLP's JSON; raise `NotFoundError` if it is not stored."""
        return self._ask(f"/api/v1/span/{quote(ref, safe=':')}", dict, about="this span", max_age=30.0)

    def _bound_parts(self, question: tuple[object, ...], flow: Flow) -> None:
        """Keep only the newest parts of large flows: each takes tens of megabytes."""
        with self._lock:
            if flow.shown < flow.spans and question not in self._parts:
                self._parts.append(question)
            while len(self._parts) > KEPT_PARTS:
                self._held.pop(self._parts.pop(0), None)

    def map(self, *, window_s: int = 900) -> Answered[Map]:
        """Ask for the choreography of the last *window_s* seconds."""
        params = {"window_s": window_s}
        return self._ask("/api/v1/map", Map, params, about="the choreography", max_age=2.0)

    def connections(self) -> Answered[Connections]:
        """Ask what services send, and what seems wrong with that, in the flows of the last hour."""
        return self._ask(
            "/api/v1/connections", Connections, {}, about="what services send", max_age=20.0, timeout=SLOW
        )

    def expectations(self, *, event_type: str = "", service: str = "") -> Answered[Expectations]:
        """Ask for what is expected; names, in full, narrow it to one event type or one service."""
        params = {"event_type": event_type, "service": service}
        return self._ask(_EXPECTATIONS, Expectations, params, about="what is expected", max_age=1.0)

    def decide(self, word: str, *, event_type: str, service: str, author: str, reason: str) -> Decision:
        """Say *word* ("forget" or "keep"); raise `ApiError` with the collector's sentence if it refuses."""
        said = {"event_type": event_type, "service": service, "author": author, "reason": reason}
        return self._say(_EXPECTATIONS, {"word": word, **said}, Decision)

    def dismiss(
        self,
        *,
        author: str,
        reason: str,
        flows: Sequence[str] = (),
        incident: Mapping[str, object] | None = None,
        undo: bool = False,
    ) -> Dismissal:
        """Say that nobody minds these *flows*, or those of an *incident*; with *undo*, that they are minded.

        Raise `ApiError` with the collector's sentence if it refuses.
        """
        what = {"incident": incident} if incident else {"flows": list(flows)}
        said = {**what, "undo": undo, "author": author, "reason": reason}
        return self._say("/api/v1/dismissals", said, Dismissal)

    def _say(self, path: str, said: Mapping[str, object], kind: type[T]) -> T:
        """Send a person's word; what was asked before it is not true any more."""
        try:
            response = self._http.post(path, json=said)
        except httpx.HTTPError as error:
            raise UnreachableError(f"No answer from the collector at {self.base}.") from error
        answer = decoded(response, kind)
        with self._lock:
            self._held.clear()
        return answer

    def _ask(
        self,
        path: str,
        kind: type[T],
        params: Mapping[str, object] | None = None,
        *,
        about: str,
        max_age: float | Callable[[T | None], float],
        then: Callable[[T], None] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> Answered[T]:
        wanted = _said(params or {})
        held = self._remembered((path, *sorted(wanted.items())))
        with held.lock:
            age = max_age(held.value) if callable(max_age) else max_age
            # What nobody answered is asked again as soon as anything is answered.
            again = isinstance(held.problem, UnreachableError) and self._silent_from is None
            if again or time.monotonic() - held.asked >= age:
                self._renew(held, path, kind, wanted, timeout, about)
                if then and held.problem is None:
                    then(held.value)
            if held.problem is None:
                return Answered(cast("T", held.value))
            if held.value is None or isinstance(held.problem, (NotFoundError, RefusedError)):
                raise held.problem
            now, began = time.monotonic(), self._silent_from
            silent = now - began if began is not None else 0.0
            return Answered(held.value, silent, held.problem, now - held.answered, about)

    def _renew(
        self,
        held: _Held,
        path: str,
        kind: type[T],
        params: Mapping[str, str],
        timeout: httpx.Timeout,
        about: str,
    ) -> None:
        try:
            held.value, held.problem = self._fetch(path, kind, params, timeout, about), None
            held.answered = time.monotonic()
        except ApiError as problem:
            held.problem = problem
        held.asked = time.monotonic()

    def _fetch(
        self,
        path: str,
        kind: type[T],
        params: Mapping[str, str],
        timeout: httpx.Timeout = TIMEOUT,
        about: str = "",
    ) -> T:
        began = time.monotonic()
        # While it is silent, a page would wait for each of its questions in turn, and say nothing meanwhile.
        if self._silent_from is not None and not self._is_alive():
            raise UnreachableError(f"No answer from the collector at {self.base}.")
        try:
            response = self._http.get(path, params=params, timeout=timeout)
        except httpx.HTTPError as error:
            if self._is_alive():
                said = f"No answer about {about} within {timeout.read:g} s. Asking again."
                raise SlowError(said) from error
            if self._silent_from is None:
                self._silent_from = began
            raise UnreachableError(f"No answer from the collector at {self.base}.") from error
        self._silent_from = None
        return decoded(response, kind)

    def _is_alive(self) -> bool:
        """Ask what costs the collector nothing, to tell one slow answer from a collector that is gone."""
        try:
            self._http.get("/healthz", timeout=ALIVE)
        except httpx.HTTPError:
            return False
        self._silent_from = None
        return True

    def _remembered(self, question: tuple[object, ...]) -> _Held:
        with self._lock:
            held = self._held.setdefault(question, _Held())
            self._held.move_to_end(question)
            while len(self._held) > KEPT_ANSWERS:
                self._held.popitem(last=False)
            return held


def query(params: Mapping[str, str]) -> str:
    """*params* as they are written in an address."""
    return urlencode(params)


def _said(params: Mapping[str, object]) -> dict[str, str]:
    """What is said of *params* in an address: what has no value is not."""
    return {name: str(value) for name, value in params.items() if value not in {None, ""}}


def _age_of_flow(last: Flow | None) -> float:
    if last is None or last.spans <= LARGE:
        return 0.5
    return PART_AGE_S if last.shown < last.spans else LARGE_AGE_S


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """What *response* says, as a *kind*; raise the `ApiError` that it is."""
    if response.is_success:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise ApiError(f"The answer of {response.url} is not what was expected: {error}.") from error
    nearest: tuple[str, ...] = ()
    try:
        said = msgspec.json.decode(response.content)
        sentence, nearest = str(said["error"]), tuple(map(str, said.get("nearest") or ()))
    except (msgspec.DecodeError, KeyError, TypeError):
        sentence = f"{response.url} answered {response.status_code}: is that the port of the collector's API?"
    if response.status_code == httpx.codes.NOT_FOUND:
        raise NotFoundError(sentence, nearest)
    raise (RefusedError if response.status_code in {401, 403} else ApiError)(sentence)


__all__ = [
    "Answered",
    "Api",
    "ApiError",
    "NotFoundError",
    "RefusedError",
    "SlowError",
    "UnreachableError",
    "address",
    "decoded",
    "query",
]
