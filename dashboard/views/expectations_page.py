"""What is expected of whom after what, how sure is that, and what do people say about it?"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import page, words
from dashboard.client import ApiError
from dashboard.drawing.component import mount
from dashboard.expectation_shapes import Changed, Decision, Expectations, ExpectedStep
from dashboard.words import Part

STATES = ("learning", "always", "sometimes", "declared", "forgotten")
DISUSED = "not seen"
FIRST = 100  # rows shown at first; "more" adds as many again
CHANGES = 50  # of a chosen step, the newest
MEANT: list[list[Part]] = [
    [{"text": "Keep", "mark": "strong"}, {"text": ": it is expected of every message, whatever is learned."}],
    [{"text": "Forget", "mark": "strong"}, {"text": ": nothing is expected here, whatever is learned."}],
]


def read_address() -> None:
    """Take the filters from the address if a link or the Back button has changed it."""
    wanted = tuple(st.query_params.get(name, "") for name in ("service", "event_type", "state", "q"))
    if st.session_state.get("expected_address") == wanted:
        return
    st.session_state.expected_address = wanted
    st.session_state.expected_service, st.session_state.expected_event_type = wanted[:2]
    st.session_state.expected_state = wanted[2] if wanted[2] in {*STATES, DISUSED} else ""
    st.session_state.expected_q = wanted[3]
    st.session_state.expected_limit = FIRST
    st.session_state.expected_asked = st.session_state.expected_said = None


def changed() -> None:
    """Write the filters to the address; called when the reader changes one."""
    state = st.session_state
    state.expected_limit = FIRST
    filters = (state.expected_service, state.expected_event_type, state.expected_state, state.expected_q)
    state.expected_address = filters
    page.write_address(**dict(zip(("service", "event_type", "state", "q"), filters, strict=True)))


def is_chosen() -> bool:
    """Whether the address names one service after one event type, which a person can decide about."""
    return bool(st.session_state.expected_service and st.session_state.expected_event_type)


def asked() -> Any:
    """Ask for what the address names."""
    state = st.session_state
    return page.api().expectations(event_type=state.expected_event_type, service=state.expected_service)


@st.fragment(run_every="2s")
def news() -> None:
    """Show what is expected now, refreshed while the page is open."""
    with page.guarded("expectations"):
        found: Expectations = page.ask(asked, "expected", height=560)
        now = page.api().now()
        if found.problem:
            title: list[Part] = [{"text": "The declared expectations are not those of the file."}]
            mount("notice", {"title": title, "lines": [[{"text": found.problem}]]}, key="problem")
        if found.drops:
            lines = [page.dropped(drop) for drop in found.drops]
            mount("notice", {"tone": "amber", "lines": lines}, key="drops")
        shown = [step for step in found.expectations if matches(step, st.session_state.expected_q)]
        notes = [page.noted(note) for note in found.rests_on.notes]
        lines = [[{"text": found.rests_on.sentence}], *notes, *disused(shown)]
        head = {"title": headline(found), "lines": lines}
        body = {"head": head, "pills": pills(shown), **rows(in_state(shown))}
        done = mount("expectations", {"now": now / 1e6, **body}, key="expectations")
        if not body["rows"]:
            nothing(found)
        elif is_chosen():
            mount("notice", {"now": now / 1e6, **history(found)}, key="history")
        act(done["act"])


def headline(found: Expectations) -> list[Part]:
    """Say what the page is about, in one sentence."""
    state = st.session_state
    if is_chosen():
        return [
            {"text": "What is expected of "},
            {"text": state.expected_service, "mark": "strong"},
            {"text": " after "},
            {"text": state.expected_event_type, "mark": "code"},
        ]
    if not found.replayed:
        return [{"text": "Nothing is known yet."}]
    return [{"text": f"{words.count(found.rests_on.expected, 'step is', 'steps are')} expected."}]


def matches(step: ExpectedStep, text: str) -> bool:
    """Whether *text* is part of a name in *step*; case does not matter."""
    names = [step.service, step.group, *step.triggers, *step.publishes, step.needs or "", step.owner or ""]
    return any(text.strip().casefold() in name.casefold() for name in names)


def in_state(steps: list[ExpectedStep]) -> list[ExpectedStep]:
    """The *steps* in the state that the reader chose."""
    state = st.session_state.expected_state
    return [
        step for step in steps if not state or (step.disused if state == DISUSED else step.state == state)
    ]


def disused(steps: list[ExpectedStep]) -> list[list[Part]]:
    """Ask about what has not been seen for a day: only a person knows whether it is gone."""
    gone = {(step.service, step.event_type): step.kept_unix_nano for step in steps if step.disused}
    lines: list[list[Part]] = []
    for (service, event_type), kept in list(gone.items())[:3]:
        line: list[Part] = [
            {"text": service, "mark": "strong"},
            {"text": " after "},
            {"text": event_type, "mark": "code"},
        ]
        line += [{"text": " was not seen for "}, {"since": kept}] if kept else [{"text": " was never seen"}]
        line.append({"text": ": still expected; "})
        lines.append([*line, {"text": "forget it?", "target": target(service, event_type)}])
    if len(gone) > len(lines):
        more: Part = {"text": "show all", "target": {"page": "expectations", "state": DISUSED}}
        lines.append([{"text": f"And {words.count(len(gone) - len(lines), 'other')}: "}, more])
    return lines


def target(service: str, event_type: str) -> dict[str, str]:
    """Return the link to what is expected of *service* after *event_type*."""
    return {"page": "expectations", "service": service, "event_type": event_type}


COLUMNS = ["service", "after", "publishes / needs", "state", "#share", "#of", "#p50", "#p99", "#deadline"]
COLUMNS += ["#since", "#last", "#missed"]


def pills(steps: list[ExpectedStep]) -> list[dict[str, Any]]:
    """Describe a pill for each state, with its number of matches, and one for each name in the address."""
    state = st.session_state

    def counted(name: str, number: int) -> dict[str, Any]:
        on = name == state.expected_state
        act_ = {"state": "" if on else name}
        return {"key": name, "label": name, "count": words.number(number), "on": on, "act": act_}

    found = [counted(name, sum(step.state == name for step in steps)) for name in STATES]
    found.append(counted(DISUSED, sum(step.disused for step in steps)))
    for key, label in (("service", "service"), ("event_type", "after")):
        if name := state[f"expected_{key}"]:
            found.append({"key": key, "label": label, "count": name, "on": True, "act": {key: ""}})
    return found


def rows(steps: list[ExpectedStep]) -> dict[str, Any]:
    """Describe the rows, and say whether there are more."""
    limit, all_ = st.session_state.expected_limit, len(steps)
    shown = min(limit, all_)
    return {
        "columns": COLUMNS,
        "rows": [row(step) for step in steps[:limit]],
        "showing": f"showing {shown:,} of {words.count(all_, 'step')}" if shown else "",
        "more": f"show {min(FIRST, all_ - shown)} more" if shown < all_ else None,
    }


def row(step: ExpectedStep) -> dict[str, Any]:
    """Describe one step."""
    join = " or " if step.kind == "input" else " and "
    group = "" if step.group == step.service else f" ({step.group})"
    # What a reaction publishes has rows of its own.
    publishes = "" if step.kind == "reaction" else ", ".join(step.publishes)
    then = f"needs {step.needs}" if step.needs else publishes
    missed = f"{step.missed:,} of {step.recent:,}" if step.recent else ""
    texts = [f"{step.service}{group}", join.join(step.triggers), then]
    durations = [step.p50_ms, step.p99_ms, step.deadline_ms]
    return {
        "key": "\n".join([step.kind, *step.triggers, step.service, step.group, then]),
        "target": target(step.service, step.event_type),
        "colour": page.stripes()(step.service),
        "texts": [*([{"text": text}] for text in texts), standing(step)],
        "numbers": [
            [{"text": words.share(step.share) if step.n else ""}],
            [{"text": words.number(step.n)}],
            *([{"text": words.duration(duration)}] for duration in durations),
            [age(step.since_unix_nano, "")],
            [age(step.kept_unix_nano, "never")],
            [{"text": missed}],
        ],
    }


def age(at: int | None, otherwise: str) -> Part:
    """Say how long ago that was; *otherwise* if it is not known, or was never."""
    return {"since": at} if at else {"text": otherwise}


def standing(step: ExpectedStep) -> list[Part]:
    """Say how sure it is."""
    return [{"text": step.said}, *([{"text": ", not seen lately"}] if step.disused else [])]  # type: ignore[list-item]


def history(found: Expectations) -> dict[str, Any]:
    """Describe why the chosen steps have their states, and what changed, newest first."""
    steps = found.expectations
    reasons: list[list[Part]] = [[{"text": step.why}] for step in steps]
    if owner := next((step.owner for step in steps if step.owner), None):
        reasons.append([{"text": f"Owner: {owner}"}])
    if runbook := next((step.runbook for step in steps if step.runbook), None):
        reasons.append([{"text": f"Runbook: {runbook}"}])
    changes = [change for step in steps for change in step.history]
    shown = {(change.time_unix_nano, change.author) for change in changes}
    said = [one for one in found.decisions if (one.time_unix_nano, one.author) not in shown]
    told = [(one.time_unix_nano, change_in_words(one)) for one in changes]
    told += [(one.time_unix_nano, decision_in_words(one)) for one in said]
    told.sort(key=lambda one: one[0], reverse=True)
    unique = list(dict.fromkeys(told))
    lines: list[list[Part]] = [[{"since": at}, {"text": f" ago: {text}"}] for at, text in unique[:CHANGES]]
    if len(unique) > CHANGES:
        lines.append([{"text": f"showing the newest {CHANGES} of {len(unique):,} changes"}])
    return {"title": [{"text": "Why, and what changed"}], "lines": [*reasons, *lines, *MEANT]}


def change_in_words(change: Changed) -> str:
    """Describe a change and who made it."""
    text = ": ".join(part for part in (change.state, change.change, change.reason) if part)
    return f"{text} ({change.author})" if change.author else text


def decision_in_words(decision: Decision) -> str:
    """Describe a decision that no step shows as a change."""
    return f"{decision.word}: {decision.reason} ({decision.author})"


def act(done: Any) -> None:
    """Perform the action of a button in the table."""
    state = st.session_state
    if not isinstance(done, dict):
        return
    if done.get("more"):
        state.expected_limit += FIRST
        st.rerun(scope="fragment")
    for name in ("service", "event_type"):
        if done.get(name) == "":
            state[f"expected_{name}"] = ""
    if done.get("state") in {"", DISUSED, *STATES}:
        state.expected_state = done["state"]
    changed()
    st.rerun()


def nothing(found: Expectations) -> None:
    """Say that nothing matches the filters, or that nothing has been learned."""
    state = st.session_state
    narrowed = [state.expected_service, state.expected_event_type, state.expected_state, state.expected_q]
    if not any(narrowed):
        said = "What normally follows what is learned from flows that ended: none has taught anything yet."
        mount("notice", {"waiting": True, "title": [{"text": said}]}, key="none")
        return
    title: list[Part] = [{"text": "No step matches."}]
    actions = [{"id": "clear", "label": "Clear filters"}]
    if mount("notice", {"title": title, "actions": actions}, key="none")["act"] == "clear":
        page.write_address(service=None, event_type=None, state=None, q=None)
        st.rerun()


def filters() -> None:
    """Show the search box; it keeps its value while the reader is on other pages."""
    st.text_input(
        "Search",
        key="expected_q",
        placeholder="Search a service, an event type or an owner",
        icon=":material/search:",
        label_visibility="collapsed",
        on_change=changed,
        persist_state="session",
    )


def word() -> None:
    """Let a person say that what is chosen is gone, or that it stays; forgetting is asked once more."""
    with page.guarded("word"):
        found: Expectations = page.ask(asked, "word", height=120)
        if not found.expectations and not found.decisions:
            return
        with st.form("expected_word", enter_to_submit=False):
            who, why = st.columns([1, 3])
            author = who.text_input(
                "Your name", key="expected_author", max_chars=100, persist_state="session"
            )
            reason = why.text_input("Reason, for those who read the history", max_chars=1000)
            with st.container(horizontal=True):
                keep = st.form_submit_button("Keep")
                forget = st.form_submit_button("Forget")
        state = st.session_state
        if keep or forget:
            state.expected_asked = state.expected_said = None
            if not author.strip() or not reason.strip():
                state.expected_said = "Nothing was changed: a name and a reason are needed."
            elif forget:
                state.expected_asked = (author, reason)
            else:
                decide("keep", found, author, reason)
        confirm(found)
        if state.expected_said:
            mount("notice", {"tone": "amber", "lines": [[{"text": state.expected_said}]]}, key="said")


def confirm(found: Expectations) -> None:
    """Ask once more before something is forgotten."""
    state = st.session_state
    if not state.expected_asked:
        return
    line: list[Part] = [
        {"text": "Forget all that is expected of "},
        {"text": state.expected_service, "mark": "strong"},
        {"text": " after "},
        {"text": state.expected_event_type, "mark": "code"},
        {"text": "? From then on no flow is stuck there."},
    ]
    mount("notice", {"lines": [line]}, key="sure")
    with st.container(horizontal=True):
        yes = st.button("Yes, forget it", type="primary")
        no = st.button("No")
    if yes:
        author, reason = state.expected_asked
        decide("forget", found, author, reason)
    if yes or no:
        state.expected_asked = None
        st.rerun()


def decide(what: str, found: Expectations, author: str, reason: str) -> None:
    """Say it to the collector; it needs the names in the spelling that the collector has."""
    state = st.session_state
    names = [(step.service, name) for step in found.expectations for name in step.triggers]
    names += [(one.service, one.event_type) for one in found.decisions]
    wanted = (state.expected_service.casefold(), state.expected_event_type.casefold())
    service, event_type = next(
        (one for one in names if (one[0].casefold(), one[1].casefold()) == wanted),
        (state.expected_service, state.expected_event_type),
    )
    try:
        said = page.api().decide(what, event_type=event_type, service=service, author=author, reason=reason)
    except ApiError as problem:
        state.expected_said = f"Nothing was changed: {problem}"
    else:
        state.expected_said = f"{'Kept' if said.word == 'keep' else 'Forgotten'}, as {said.author} said."


read_address()
filters()
news()
if is_chosen():
    word()
