"""The first page: is anything stuck, where, since when, and which service should have acted?"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import never_mind, page, words
from dashboard.client import ApiError
from dashboard.drawing.component import mount
from dashboard.drawing.palette import STATE_TOKENS
from dashboard.shapes import Cohort, Finding, Stuck
from dashboard.total_shapes import Connections, Summary

ROWS = 6  # flows shown in each group: the rest is one click away
PROBLEMS = 3  # things that may be wrong with what services send: the command has all
OPEN = 3  # groups that are open at first: the others are a row each

LEARNING = (
    "Still learning what normally follows: nothing can be called stuck before about 20 flows of a kind "
    "have come to rest."
)
UNEXPLAINED = "Which service each of them waits for is not known any more."

KINDS = [
    {"id": "stopped", "label": "stopped"},
    {"id": "slow", "label": "slow (3 s)"},
    {"id": "failing", "label": "failing"},
    {"id": "silent", "label": "silent"},
    {"id": "crashing", "label": "crashing"},
]


@st.fragment(run_every="1s")
def news() -> None:
    """Show what is stuck now, refreshed every second."""
    with page.guarded("stuck"):
        api = page.api()
        summary, found = page.ask_both(api.summary, lambda: api.stuck(each=ROWS), "stuck", height=560)
        now = api.now()
        known = found.rests_on.expected or found.rests_on.learning or sum(summary.states.values())
        if summary.replayed and not summary.spans.received and not known:
            mount("head", {"title": [{"text": "Nothing received yet."}], "now": now / 1e6}, key="head")
            nothing_received(summary)
            return
        head = {
            "title": headline(summary, found),
            "lines": [*troubled(summary), *grounds(found)],
            **checked(summary, now),
        }
        body = {"head": head, "tiles": tiles(summary), "groups": groups(found) or [learned(summary, found)]}
        # One component instead of three: each one sends the script again, every second.
        done = mount("stuck", {"now": now / 1e6, **body}, key="stuck")
        if isinstance(done["act"], str):
            minded(done["act"], found)


def minded(key: str, found: Stuck) -> None:
    """Ask whether the group with this *key* is to be dismissed."""
    cohort = next((one for one in found.cohorts if key_of(one) == key), None)
    if cohort is None:  # it has ended meanwhile
        return
    title: list[words.Part] = [
        {"text": f"Never mind {words.count(cohort.flows, 'flow')} that "},
        {"text": "waits for " if cohort.flows == 1 else "wait for "},
        {"text": cohort.missing_service, "mark": "strong"},
        {"text": " after "},
        {"text": " and ".join(cohort.triggers), "mark": "code"},
        {"text": "?"},
    ]
    incident = {
        "service": cohort.missing_service,
        "triggers": cohort.triggers,
        "next_event_type": cohort.next_event_type,
        "cause": cohort.cause,
    }
    never_mind.ask(title, incident={name: value for name, value in incident.items() if value})
    st.rerun()


def key_of(cohort: Cohort) -> str:
    """The key of a group: made of what it is about, because each answer numbers the groups anew."""
    return "\n".join([*cohort.triggers, cohort.missing_service or "nobody known", cohort.cause])


def headline(summary: Summary, found: Stuck) -> list[words.Part]:
    """Say in one sentence whether something is wrong."""
    stuck = summary.states.get("stuck", 0)
    failed = summary.states.get("failed", 0)
    counted = []
    if stuck:
        counted.append(f"{words.count(stuck, 'flow is', 'flows are')} stuck")
    if failed:
        counted.append(words.count(failed, "has failed", "have failed") if stuck else _failed(failed))
    said = " and ".join(counted)
    if not summary.replayed:  # they may have gone on
        known = f"{said}, as far as it was known before." if said else "Nothing is known yet."
        return [{"text": known}]
    oldest = min((finding.since_unix_nano for finding in found.stuck), default=None)
    if not said:
        return [{"text": calm(summary, found)}]
    if oldest is None:
        return [{"text": f"{said}."}]
    return [{"text": f"{said}, the oldest for "}, {"since": oldest}, {"text": "."}]


def calm(summary: Summary, found: Stuck) -> str:
    """Say that no flow is stuck; never that all is well while a share has fallen, or nothing is expected."""
    if found.drops:
        return "No flow is stuck, but less happens than normally."
    if any(note.kind == "ended_flows_owed" for note in found.rests_on.notes):
        return "No flow is stuck, but flows that ended are still owed something."
    known = found.rests_on.expected or summary.learning.expectations
    crowded = any(note.kind == "crowded" for note in found.rests_on.notes)
    if known and (summary.troubles or crowded):  # it may have missed something
        return "Nothing is known to be stuck."
    if known and found.unlisted:
        return "Nothing newer is stuck."
    return "Nothing is stuck." if known else "Nothing can be called stuck yet."


def troubled(summary: Summary) -> list[list[words.Part]]:
    """Say what is wrong with the collector itself, and since when."""
    return [
        [{"text": f"{trouble.text} It has been so for "}, {"since": trouble.since_unix_nano}, {"text": "."}]
        for trouble in summary.troubles
    ]


def grounds(found: Stuck) -> list[list[words.Part]]:
    """Say which shares have fallen, and what the calm about all else rests on."""
    if not found.replayed:
        return []
    rests: list[words.Part] = [
        {"text": f"{found.rests_on.sentence} "},
        {"text": "Show them", "target": {"page": "expectations"}},
    ]
    notes = [page.noted(note) for note in found.rests_on.notes]
    if found.dismissed:
        notes.insert(0, never_mind.counted(found.dismissed))
    drops = (page.dropped(drop) for drop in found.drops)
    return [*drops, *unexplained(found), *unlisted(found), *notes, rests]


def unexplained(found: Stuck) -> list[list[words.Part]]:
    """Say how many flows stopped of which no finding tells why, with a link to them."""
    if found.unexplained is None:
        return []
    target = {"page": "flows", "state": "stuck"}
    return [[{"text": f"{found.unexplained.sentence} "}, {"text": "Show them", "target": target}]]


def unlisted(found: Stuck) -> list[list[words.Part]]:
    """Say how many flows stopped so long ago that they are not listed here, with a link to them."""
    if found.unlisted is None:
        return []
    target = {"page": "flows", "state": "stuck"}
    return [[{"text": f"{found.unlisted.sentence} "}, {"text": "Show them", "target": target}]]


def _failed(count: int) -> str:
    return words.count(count, "flow has failed", "flows have failed")


def checked(summary: Summary, now: int) -> dict[str, Any]:
    """Say when the flows were last judged, in amber after three missed ticks."""
    if summary.tick_unix_nano is None:
        return {}
    stale = now - summary.tick_unix_nano > 3 * summary.tick_s * words.SECOND
    return {"checked": summary.tick_unix_nano, "stale": stale}


def learned(summary: Summary, found: Stuck) -> dict[str, Any]:
    """Explain why nothing is stuck: what has been learned, or that nothing is known yet."""
    if not summary.replayed:
        return {"key": "calm", "calm": f"{page.replaying(summary)} Then it knows what is stuck."}
    if found.unexplained is not None:  # of what stopped, nothing else may be claimed
        return {"key": "calm", "calm": UNEXPLAINED}
    known = summary.learning
    if not known.expectations:
        return {"key": "calm", "calm": LEARNING}
    flows = words.count(known.flows, "flow")
    owed = any(note.kind == "ended_flows_owed" for note in found.rests_on.notes)
    well = not (summary.states.get("late") or found.drops or found.dismissed or found.unlisted or owed)
    met = ", all met" if well else ""
    if found.rests_on.expected:  # the headline has said how many
        return {"key": "calm", "calm": f"Learned from {flows}{met}."}
    said = f"{words.count(known.expectations, 'expectation')}, learned from {flows}{met}."
    return {"key": "calm", "calm": said}


def tiles(summary: Summary) -> list[dict[str, Any]]:
    """Describe the five figures, each with a link to the flows it counts."""
    states = summary.states

    def counted(state: str, label: str, hint: str) -> dict[str, Any]:
        number = states.get(state, 0)
        return {
            "label": label,
            "value": words.number(number),
            "hint": hint,
            "state": state if number and state in STATE_TOKENS else "",
            "target": {"page": "flows", "state": state},
        }

    failed = states.get("failed", 0)
    p95 = words.duration(summary.p95_s * 1000) if summary.p95_s is not None else "\u2014"
    return [
        counted("stuck", "Stuck", f"and {failed} failed" if failed else "past the deadline"),
        counted("late", "Late", "slower than 99 of 100"),
        {**counted("running", "Running", "on their way"), "state": ""},
        {
            "label": "Done per minute",
            "value": words.number(summary.done_per_minute),
            "hint": "in the last minute",
            "target": page.to_flows("state:done", "last:>-1m"),
        },
        {
            "label": "p95 end to end",
            "value": p95,
            "hint": "flows done in the last 15 m",
            "target": slowest(summary.p95_s),
        },
    ]


def slowest(p95_s: float | None) -> dict[str, str]:
    """Return the link to the flows done in the last 15 minutes that took no less, the slowest first."""
    least = [f"took:>={int(p95_s * 1000)}ms"] if p95_s else []
    return page.to_flows("state:done", "last:>-15m", *least, sort="-took")


def groups(found: Stuck) -> list[dict[str, Any]]:
    """Describe the groups, the one with the most harm first, each with its oldest flows."""
    members: dict[str | None, dict[str, Finding]] = {}
    for finding in found.stuck:  # oldest first; a flow may owe the same thing twice
        members.setdefault(finding.cohort, {}).setdefault(finding.flow, finding)
    described = [group(cohort, [*members.get(cohort.id, {}).values()]) for cohort in found.cohorts]
    described.sort(key=lambda one: (one["state"] == "late", -one["harmed"], one["oldest"]))
    return [{**one, "open": place < OPEN} for place, one in enumerate(described)]


def group(cohort: Cohort, findings: list[Finding]) -> dict[str, Any]:
    """Describe one group: which service owes what, why, in how many flows, for how long."""
    first = findings[0] if findings else None
    service = cohort.missing_service or "nobody known"
    owed = cohort.next_event_type
    state = first.state if first else "stuck"
    sentence = cohort.sentence or (first.sentence if first else "")
    return {
        "key": key_of(cohort),
        "state": state,
        "service": service,
        "event": owed or "its reaction",
        "colour": page.stripes()(service),
        "cause": words.cause(cohort.cause),
        "why": words.marked(sentence, codes=[*cohort.triggers, owed], strongs=[service]),
        "flows": words.number(cohort.flows),
        "harmed": cohort.flows,
        "oldest": cohort.oldest_unix_nano or cohort.first_unix_nano,
        "first": cohort.first_unix_nano,
        "target": page.to_flow(first.key or first.flow) if first else waiting(state, service),
        "rows": [row(finding) for finding in findings[:ROWS]],
        "more": more(cohort.flows - min(len(findings), ROWS), state, service),
    }


def waiting(state: str, service: str) -> dict[str, str]:
    """Return the link to all flows of *state* that wait for *service*."""
    return {"page": "flows", "state": state, "waiting": service}


def more(hidden: int, state: str, service: str) -> dict[str, Any] | None:
    """Return the link to the flows of a group that are not shown."""
    if hidden <= 0:
        return None
    return {
        "text": f"{words.count(hidden, 'more flow')}: show all that wait for {words.short(service)}",
        "target": waiting(state, service),
    }


def row(finding: Finding) -> dict[str, Any]:
    """Describe one flow of a group."""
    key = finding.key or finding.flow
    return {
        "key": finding.flow,
        "name": key,
        "state": finding.state,
        "stopped": finding.stopped_at.event_type or "unknown",
        "by": finding.stopped_at.service or "",
        "since": finding.since_unix_nano,
        "at": finding.since_unix_nano,
        "target": page.to_flow(key),
    }


def nothing_received(summary: Summary) -> None:
    """Say where to send spans, and which command makes some."""
    mount(
        "notice",
        {
            "waiting": True,
            "title": [{"text": "Waiting for the first span."}],
            "lines": [
                [{"text": "Point the OpenTelemetry exporter of your services at one of these addresses."}]
            ],
            "commands": [
                {"label": "OTLP/gRPC", "text": summary.otlp.grpc},
                {"label": "OTLP/HTTP", "text": summary.otlp.http},
                {"label": "or try the shop", "text": page.command("demo")},
            ],
        },
        key="empty",
    )


@st.fragment(run_every="30s")
def connected() -> None:
    """Say what may be wrong with what services send, while something is: all verdicts rest on it."""
    try:
        found = page.api().connections().value
    except ApiError:  # the rest of the page says so
        return
    if found.problems:
        mount("notice", amiss(found), key="connections")


def amiss(found: Connections) -> dict[str, Any]:
    """Describe the first few things that may be wrong, and which command has all of them."""
    title = f"{words.count(len(found.problems), 'thing')} may be wrong with what services send."
    lines: list[list[words.Part]] = [
        [{"text": f"{problem.sentence} {problem.fix}"}] for problem in found.problems[:PROBLEMS]
    ]
    flows = words.count(found.flows, "flow")
    lines.append(
        [{"text": f"As far as {flows} of the last hour tell. All of it, and who sends what to whom:"}]
    )
    return {
        "title": [{"text": title}],
        "lines": lines,
        "commands": [{"label": "in a terminal", "text": page.command("doctor")}],
    }


@st.fragment(run_every="3s")
def shop() -> None:
    """Offer to break the demo shop, if one answers."""
    control = page.shop_control()
    found = control.shop()
    if found is None:
        return
    with st.popover("Break something", icon=":material/construction:"):
        services = [
            {
                "key": service.service,
                "service": service.service,
                "colour": page.stripes()(service.service),
                "fault": service.fault.kind if service.fault else None,
                "status": f"broken: {service.fault.kind}" if service.fault else "works",
            }
            for service in found.services
        ]
        done = mount("faults", {"services": services, "kinds": KINDS}, key="faults")
        act = done["act"]
        if isinstance(act, dict) and act.get("service") in {service.service for service in found.services}:
            try:
                if act.get("what") == "mend":
                    control.mend(act["service"])
                else:
                    control.break_(act["service"], str(act.get("how", "stopped")))
            except ApiError as problem:
                mount("notice", {"tone": "amber", "lines": [[{"text": str(problem)}]]}, key="refused")
            else:
                st.rerun(scope="fragment")


never_mind.forget_question("stuck")
with st.container(key="shop"):
    shop()
never_mind.form()
news()
connected()
