"""What all pages share: asking the collector, reporting problems, links and the address."""

from __future__ import annotations

import shlex
import shutil
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import streamlit as st

from dashboard import words
from dashboard.client import Answered, Api, ApiError, SlowError, UnreachableError
from dashboard.doorway import cookie_name
from dashboard.drawing import palette
from dashboard.drawing.component import mount
from dashboard.expectation_shapes import Drop, ServiceNote
from dashboard.guarding import GUARD
from dashboard.logins import LOGINS
from dashboard.shop_control import ShopControl
from dashboard.total_shapes import Summary

T = TypeVar("T")
U = TypeVar("U")


def command(*said: str) -> str:
    """Return the command line that runs `choreoscope` with the arguments *said*, ready to be copied.

    It uses the bare name if PATH finds the executable that is installed with us, else the path.
    """
    # The collector's commands do the same, but we must not import them.
    ours = Path(sysconfig.get_path("scripts")).resolve() / "choreoscope"
    on_path = shutil.which("choreoscope")
    if not ours.exists() or (on_path and Path(on_path).samefile(ours)):
        return shlex.join(["choreoscope", *said])
    here = Path.cwd()
    return shlex.join([str(ours.relative_to(here) if ours.is_relative_to(here) else ours), *said])


def api() -> Api:
    """Return the collector's API, asked with the token that the viewer signed in with."""
    if not GUARD.wants_token():
        return _api(None)
    token = LOGINS.token(st.context.cookies.get(cookie_name()))
    if token is None:
        title: list[words.Part] = [{"text": "Signed out. Load this page again to sign in."}]
        mount("notice", {"title": title}, key="signed-out")
        st.stop()
    return _api(token)


@st.cache_resource(show_spinner=False, on_release=Api.close, max_entries=64)
def _api(token: str | None) -> Api:
    """Return one for all viewers of a token, because they ask the same questions."""
    return Api(token=token)


@st.cache_resource(show_spinner=False, on_release=ShopControl.close)
def shop_control() -> ShopControl:
    """Return the demo shop's fault control, whether a shop runs or not."""
    return ShopControl()


class Stripes:
    """Assigns each service a colour when it first appears, and keeps it."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str) -> str:
        """Return the colour of *service*."""
        with self._lock:
            place = self._places.setdefault(service, len(self._places))
        return palette.SERVICES[place % len(palette.SERVICES)]


@st.cache_resource(show_spinner=False)
def stripes() -> Stripes:
    """Return the shared colour register: a service looks the same on every page."""
    return Stripes()


def entered(name: str) -> None:
    """Note that the page *name* runs: what was shown on another one is gone."""
    if st.session_state.get("page_entered") != name:
        st.session_state.page_entered = name
        st.session_state.page_shows = set()


def ask(question: Callable[[], Answered[T]], place: str, *, about: str = "", height: int) -> T:
    """Return the answer to *question*, to be shown at this *place* of the page.

    While it is slow, a skeleton of *height* pixels stands there, but only if nothing *about* the same was
    shown there before: what the reader has in front of them stays until there is something newer.

    If the answer is an old one, the page says so and shows it. If there is none, the page
    says why and the fragment stops here.
    """
    answer = _asked(question, place, about, height)
    _admit(place, answer)
    return answer.value


def ask_both(
    first: Callable[[], Answered[T]],
    second: Callable[[], Answered[U]],
    place: str,
    *,
    about: str = "",
    height: int,
) -> tuple[T, U]:
    """Return two answers, as `ask` does; a problem that affects both is reported once."""
    one, other = _asked(lambda: (first(), second()), place, about, height)
    _admit(place, one, other)
    return one.value, other.value


def _asked(question: Callable[[], T], place: str, about: str, height: int) -> T:
    shows: set[tuple[str, str]] = st.session_state.setdefault("page_shows", set())
    # Always there, so that what follows keeps its place.
    with st.container(key=f"asking-{place}"):
        try:
            if (place, about) in shows:
                return question()
            with st.skeleton(height):
                return question()
        except UnreachableError as problem:
            nobody(problem, place)
        except SlowError as problem:
            title: list[words.Part] = [{"text": "The collector takes long to answer."}]
            lines = [[{"text": str(problem)}]]
            mount("notice", {"title": title, "waiting": True, "lines": lines}, key=f"slow-{place}")
            st.stop()
        finally:
            shows.add((place, about))


def _admit(place: str, *answers: Answered[Any]) -> None:
    """Say which of *answers* are old, and why. The strip lies over the page and moves nothing."""
    said = old(*answers)
    with st.container(key=f"silence-{place}"):
        if said:
            lines = [[{"text": sentence}] for sentence in said]
            mount("notice", {"tone": "amber", "lines": lines}, key=f"silent-{place}")


def old(*answers: Answered[Any]) -> list[str]:
    """Say which of *answers* are old, and why. There is one silence, whenever each question was asked."""
    silent = max(answer.silent_s for answer in answers)
    return list(dict.fromkeys(_old(answer, silent) for answer in answers if answer.problem))


def _old(answer: Answered[Any], silent_s: float) -> str:
    age = words.duration(answer.age_s * 1000)
    if isinstance(answer.problem, UnreachableError) and answer.silent_s:
        return f"No answer from the collector for {words.duration(silent_s * 1000)}, retrying."
    if isinstance(answer.problem, ApiError) and not isinstance(answer.problem, (UnreachableError, SlowError)):
        return f"{answer.problem} What is shown of {answer.about} is {age} old."
    return f"The answer about {answer.about} is slow: what is shown is {age} old."


def nobody(problem: ApiError, place: str) -> NoReturn:
    """Say that no collector answers and how to start one, and stop the run."""
    mount(
        "notice",
        {
            "title": [{"text": "No collector answers."}],
            "waiting": True,
            "lines": [
                [{"text": str(problem)}],
                [{"text": "This page goes on by itself as soon as one does. Start one in another terminal:"}],
            ],
            "commands": [
                {"label": "the collector", "text": command("collector")},
                {"label": "or everything", "text": command("demo")},
            ],
        },
        key=f"nobody-{place}",
    )
    st.stop()


@contextmanager
def guarded(key: str) -> Iterator[None]:
    """Confine a failure to its part of the page: show one sentence, a retry button, the details to copy."""
    try:
        yield
    except Exception as error:
        sentence = str(error) if isinstance(error, ApiError) else "This part of the page failed."
        detail = None if isinstance(error, ApiError) else traceback.format_exc()
        done = mount(
            "notice",
            {
                "title": [{"text": sentence}],
                "actions": [{"id": "retry", "label": "Retry"}],
                "detail": detail,
            },
            key=f"failed-{key}",
        )
        if done["act"] == "retry":
            st.rerun()


def replaying(summary: Summary) -> str:
    """Say how far the collector is with what was stored before it started; "" if it has read all of it."""
    if summary.replayed:
        return ""
    done = words.share(summary.replay_share)
    return f"The collector has just started, and goes through what it had stored: {done}."


def to_flow(key: str, **more: str) -> dict[str, str]:
    """Return the link target for the page of one flow."""
    return {"page": "flow", "flow": key, **more}


def like(names: Sequence[str]) -> list[list[words.Part]]:
    """Return the line that says which names are like one that no flow has, with links; no line for none."""
    parts: list[words.Part] = [{"text": "Names like it: "}]
    for name in names:
        parts += [{"text": name, "target": to_flow(name)}, {"text": ", "}]
    return [[*parts[:-1], {"text": "."}]] if names else []


def to_flows(*terms: str, sort: str = "") -> dict[str, str]:
    """Return the link target for the flows that a search line of these *terms* asks for."""
    line = {"page": "flows", "q": " ".join(terms)}
    return {**line, "sort": sort} if sort else line


def dropped(drop: Drop) -> list[words.Part]:
    """Say that a share has fallen, with links to what is expected there, and to a flow that is concerned."""
    where = {"service": drop.service, "event_type": drop.event_type}
    target = {"page": "expectations", **{name: value for name, value in where.items() if value}}
    parts = words.marked(drop.sentence, codes=[drop.event_type, drop.missing], strongs=[drop.service])
    parts += [{"text": " "}, {"text": "What is expected", "target": target}]
    if drop.flows:
        parts += [{"text": ", "}, {"text": "the newest flow", "target": to_flow(drop.flows[0])}]
    return parts


def noted(note: ServiceNote) -> list[words.Part]:
    """Say what is known of a service, with a link to the newest flow that is concerned, if there is one."""
    parts = words.marked(note.text, codes=[], strongs=[note.service])
    if note.flows:
        parts += [{"text": " "}, {"text": "The newest of them", "target": to_flow(note.flows[0])}]
    return parts


def write_address(**wanted: str | None) -> None:
    """Write *wanted* to the address, and touch only what differs.

    Each change is one step in the browser's history: call this only when the reader did something.
    """
    for name, value in wanted.items():
        if not value:
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get(name) != value:
            st.query_params[name] = value
