"""Why did a flow stop? One rule per cause, tried in the order of `RULES`; the first with proof answers."""

from collections.abc import Callable, Iterator

from collector.diagnosis.findings import Case, Cause, Evidence, Finding, Life
from collector.diagnosis.owed import Debt
from collector.model.wording import counted, duration

Rule = Callable[[Case, Life], Finding | None]


def gave_up(case: Case, life: Life) -> Finding | None:
    """The broker will not redeliver the message: its consumer said so, and the handling led to nothing."""
    if not case.terminated or case.debt not in {Debt.SUCCESS, Debt.MESSAGE}:
        return None
    handled = case.stopped_at.event_type
    why = f": {_quoted(case.stopped_at.error)}" if case.stopped_at.error else ""
    sentence = (
        f"{case.service} terminated {handled}{why}. The broker will not deliver it again, "
        f"and {_next(case)} was not published."
    )
    tries = counted(case.attempts, "attempt")
    told = f"{case.service} told the broker never to deliver {handled} again, after {tries}"
    return Finding(Cause.GAVE_UP, sentence, (Evidence("span", case.stopped_at.ref, told),))


def handler_failed(case: Case, life: Life) -> Finding | None:
    """The handling ended in an error. It may be retried, unless the failure is final."""
    if case.debt is not Debt.SUCCESS:
        return None
    tries = "once" if case.attempts == 1 else f"{case.attempts} times"
    why = f": {_quoted(case.stopped_at.error)}" if case.stopped_at.error else ""
    waiting = case.next_event_type or "What follows"
    after = "Nobody will try it again." if case.final else f"{waiting} waits for it to go well."
    sentence = f"{case.service} tried {case.stopped_at.event_type} {tries} and failed{why}. {after}"
    evidence = Evidence(
        "span", case.stopped_at.ref, f"the last attempt of {case.service} ended in an error{why}"
    )
    return Finding(Cause.HANDLER_FAILED, sentence, (evidence, *_unanswered(case)))


def handler_silent(case: Case, life: Life) -> Finding | None:
    """The handling ended well, but the event that normally follows was not published."""
    if case.debt not in {Debt.MESSAGE, Debt.JOIN}:
        return None
    handled = case.stopped_at.event_type
    if case.debt is Debt.JOIN and case.expectation:
        handled = " and ".join(case.expectation.triggers)
    sentence = (
        f"{case.service} handled {handled} without an error and published nothing: "
        f"{_next(case)} was due {duration(case.overdue_s)} ago."
    )
    return Finding(
        Cause.HANDLER_SILENT,
        sentence,
        (
            Evidence(
                "span",
                case.stopped_at.ref,
                f"{case.service} handled {case.stopped_at.event_type}, and it went well",
            ),
            *_unanswered(case),
            Evidence(
                "absence", None, f"no {_next(case)} from {case.service} in this flow since; {_habit(case)}"
            ),
        ),
    )


def not_acknowledged(case: Case, life: Life) -> Finding | None:
    """The handling began and has not ended: it hangs, or its process died."""
    word = case.witness
    if case.debt is not Debt.REACTION or word is None:
        return None
    handled, ago = case.stopped_at.event_type, duration((case.now - case.since) / 1e9)
    which = f"{word.service} ({word.instance})" if word.instance else word.service
    sentence = (
        f"{which} took {handled}{_from(case)} {ago} ago and has not finished: "
        "its handler hangs, or its process died."
    )
    return Finding(
        Cause.NOT_ACKNOWLEDGED,
        sentence,
        (
            Evidence("span", word.ref, f"{which} began to handle it {ago} ago"),
            Evidence(
                "span", case.stopped_at.ref, f"{case.stopped_at.service} published {handled}{_on(case)}"
            ),
            Evidence(
                "absence",
                None,
                f"no end of that handling, and none by another of {_who(case)}; {_habit(case)}",
            ),
        ),
    )


def consumer_down(case: Case, life: Life) -> Finding | None:
    """The group that normally reacts has shown no sign of life since."""
    if case.debt is not Debt.REACTION:
        return None
    # The last handling before it stopped may have begun shortly after this message was published.
    silence = case.now - max(life.last or 0, case.since)
    if silence < case.deadline_ms * 1e6 / 2:
        return None
    sentence = (
        f"{case.service} has not taken {case.stopped_at.event_type}{_from(case)}: it was due within "
        f"{duration(case.due_ms / 1e3)}, and {_who(case)} shows no sign of life since."
    )
    seen = f"last seen {duration((case.now - life.last) / 1e9)} ago" if life.last else "never seen"
    if life.unfinished:
        seen += f", with {counted(life.unfinished, 'handling')} that began and did not end"
    return Finding(
        Cause.CONSUMER_DOWN,
        sentence,
        (
            _published(case),
            Evidence(
                "absence", None, f"no reaction of {_who(case)} to any {case.stopped_at.event_type}: {seen}"
            ),
            Evidence("absence", None, f"{counted(life.waiting, 'flow')} wait for it; {_habit(case)}"),
        ),
    )


def backlog(case: Case, life: Life) -> Finding | None:
    """The group is alive but behind: the message waits in its queue."""
    if case.debt is not Debt.REACTION or life.served is None or life.served >= case.since:
        return None
    behind = duration((case.now - life.served) / 1e9)
    sentence = (
        f"{case.service} works but is behind: it now handles the {case.stopped_at.event_type} of {behind} "
        "ago, and this one waits for its turn."
    )
    evidence = Evidence(
        "absence",
        None,
        f"the newest {case.stopped_at.event_type} that {_who(case)} took was published {behind} ago",
    )
    return Finding(Cause.BACKLOG, sentence, (_published(case), evidence))


def unknown(case: Case, life: Life) -> Finding | None:
    """No other cause can be proved."""
    sentence = (
        f"{case.service} has not taken {case.stopped_at.event_type}{_from(case)}, which was due within "
        f"{duration(case.due_ms / 1e3)}. It takes others, so why not this one can not be told from spans."
    )
    evidence = Evidence("absence", None, f"no reaction of {_who(case)} to this message; {_habit(case)}")
    return Finding(Cause.UNKNOWN, sentence, (_published(case), evidence))


RULES: tuple[Rule, ...] = (
    gave_up,
    handler_failed,
    handler_silent,
    not_acknowledged,
    consumer_down,
    backlog,
    unknown,
)


def diagnose(case: Case, life: Life) -> Finding:
    """The answer of the first rule that has one."""
    return next(finding for rule in RULES if (finding := rule(case, life)) is not None)


def _published(case: Case) -> Evidence:
    place = case.stopped_at
    ago = duration((case.now - case.since) / 1e9)
    return Evidence("span", place.ref, f"{place.service} published {place.event_type}{_on(case)} {ago} ago")


def _on(case: Case) -> str:
    return f" on {case.stopped_at.destination}" if case.stopped_at.destination else ""


def _unanswered(case: Case) -> Iterator[Evidence]:
    """The request of the handling that got no reply, if there is one."""
    if (request := case.witness) is not None:
        why = f": {_quoted(request.error)}" if request.error else ""
        asked = f"{request.service} asked {request.event_type} meanwhile and got no answer{why}"
        yield Evidence("span", request.ref, asked)


def _habit(case: Case) -> str:
    expectation = case.expectation
    if expectation is None:
        return "nothing is known yet of what normally happens here"
    pace = expectation.publish if case.debt is Debt.MESSAGE else expectation.react
    if case.debt in {Debt.MESSAGE, Debt.JOIN}:
        return f"normally {expectation.share:.0%} are followed by it ({counted(pace.n, 'example')})"
    return (
        f"normally {expectation.share:.0%} get their reaction, 99 of 100 within "
        f"{duration(pace.p99_ms / 1e3)} ({counted(pace.n, 'example')})"
    )


def _next(case: Case) -> str:
    return case.next_event_type or "the next event"


def _from(case: Case) -> str:
    return f" from {case.stopped_at.service}" if case.stopped_at.service != case.service else ""


def _who(case: Case) -> str:
    return case.service if case.group == case.service else f"{case.service} ({case.group})"


def _quoted(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= 160 else text[:159] + "…"
