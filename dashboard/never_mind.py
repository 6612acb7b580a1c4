"""How does a person say "never mind these", on any page?

A button asks for a name and a reason first; nothing is dismissed by one click.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import page, words
from dashboard.client import ApiError
from dashboard.drawing.component import mount
from dashboard.shapes import Dismissed
from dashboard.words import Part

MEANT = "They stay listed as dismissed. One that goes on and stops again is shown again."
_STATE = "dismissing"


def ask(title: list[Part], *, undo: bool = False, **what: Any) -> None:
    """Ask from now on whether to dismiss *what* (`flows` or `incident`), which *title* describes."""
    st.session_state[_STATE] = {"title": title, "undo": undo, "what": what}
    st.session_state.pop("dismissing_said", None)


def form() -> None:
    """Show the question if one was asked, and what became of it."""
    asked = st.session_state.get(_STATE)
    # Always there, so that what follows keeps its place on the page.
    with st.container(key="never_mind"):
        if asked:
            with page.guarded("dismissing"):
                _form(asked)
        if said := st.session_state.get("dismissing_said"):
            mount("notice", {"tone": "amber", "lines": [[{"text": said}]]}, key="dismissing-said")


def _form(asked: dict[str, Any]) -> None:
    lines: list[list[Part]] = [] if asked["undo"] else [[{"text": MEANT}]]
    mount("notice", {"title": asked["title"], "lines": lines}, key="dismissing")
    with st.form("dismissing_form", enter_to_submit=False):
        who, why = st.columns([1, 3])
        author = who.text_input("Your name", key="expected_author", max_chars=100, persist_state="session")
        reason = why.text_input("Reason, for those who read it beside the flow", max_chars=1000)
        with st.container(horizontal=True):
            yes = st.form_submit_button("Show again" if asked["undo"] else "Dismiss", type="primary")
            no = st.form_submit_button("Cancel")
    if yes and not (author.strip() and reason.strip()):
        st.session_state["dismissing_said"] = "Nothing was changed: a name and a reason are needed."
    elif yes:
        st.session_state["dismissing_said"] = _say(asked, author, reason)
    if no or (yes and author.strip() and reason.strip()):
        st.session_state.pop(_STATE, None)
        if no:
            st.session_state.pop("dismissing_said", None)
        st.rerun()


def _say(asked: dict[str, Any], author: str, reason: str) -> str:
    try:
        done = page.api().dismiss(author=author, reason=reason, undo=asked["undo"], **asked["what"])
    except ApiError as problem:
        return f"Nothing was changed: {problem}"
    flows = words.count(done.flows, "flow")
    return f"{flows} {'shown again' if done.undo else 'dismissed'}, as {done.author} said."


def forget_question(place: str) -> None:
    """Drop a question that was asked at another *place*: its page or flow is not shown any more."""
    if st.session_state.get("dismissing_place") != place:
        st.session_state["dismissing_place"] = place
        st.session_state.pop(_STATE, None)
        st.session_state.pop("dismissing_said", None)


def by_whom(said: Dismissed) -> list[Part]:
    """Say who dismissed a flow, when and why."""
    return [
        {"text": f"Dismissed by {said.author} "},
        {"since": said.time_unix_nano},
        {"text": f" ago: {said.reason}"},
    ]


def counted(number: int) -> list[Part]:
    """Say how many flows are dismissed, with a link to them."""
    target = {"page": "flows", "state": "dismissed"}
    return [{"text": f"{number:,} dismissed", "target": target}]
