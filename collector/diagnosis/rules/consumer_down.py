"""Is the group gone, or was it when the message was published?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof, Silence
from collector.diagnosis.rules.clauses import habit, published, reactor, sender
from collector.model.wording import counted, duration, moment


def consumer_down(case: Case, life: Life) -> Proof | None:
    """The group has taken none of this event type for longer than it usually takes none."""
    if case.debt is not Debt.REACTION:
        return None
    if life.served is not None and life.served > case.published:
        silence = life.silence(case.published)
        return _was_down(case, life, silence) if silence is not None else None
    # The last handling before it stopped may have begun shortly after this message was published.
    silent = case.now - max(life.last or 0, case.since)
    if silent < case.deadline_ms * 1e6 / 2 or case.now - (life.last or 0) < life.usual:
        return None
    return _is_down(case, life)


def _is_down(case: Case, life: Life) -> Proof:
    handled = case.stopped_at.event_type
    since = f"since {moment(life.last, case.now)}" if life.last else "was ever seen"
    sentence = (
        f"{case.service} has not taken {handled}{sender(case)}: it was due within "
        f"{duration(case.due_ms / 1e3)}. No span of {reactor(case)} for {handled} {since}: "
        "it is down, or its telemetry is."
    )
    seen = f"last seen {moment(life.last, case.now)}" if life.last else "never seen"
    if life.unfinished:
        seen += f", with {counted(life.unfinished, 'handling')} that began and did not end"
    usual = f"; usually it takes one at least every {duration(life.usual / 1e9)}" if life.usual else ""
    return Proof(
        sentence,
        (
            published(case),
            Evidence("absence", None, f"no reaction of {reactor(case)} to any {handled}: {seen}{usual}"),
            Evidence("absence", None, f"{counted(life.waiting, 'flow')} wait for it; {habit(case)}"),
        ),
    )


def _was_down(case: Case, life: Life, silence: Silence) -> Proof:
    handled = case.stopped_at.event_type
    begin, end = (moment(at, case.now) for at in (silence.begin, silence.end))
    sentence = (
        f"{case.service} took no {handled}{sender(case)} from {begin} to {end}, when this one was published. "
        "It takes others now: this one was not delivered to it again, or its span was lost."
    )
    return Proof(
        sentence,
        (
            published(case),
            Evidence(
                "absence",
                None,
                f"no reaction of {reactor(case)} to any {handled} published in these "
                f"{duration((silence.end - silence.begin) / 1e9)}; usually it takes one at least every "
                f"{duration(life.usual / 1e9)}",
            ),
            Evidence("absence", None, f"{counted(life.waiting, 'flow')} wait for it; {habit(case)}"),
        ),
    )
