"""Is the group gone?"""

from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.owed import Debt
from collector.diagnosis.rules.clauses import habit, published, reactor, sender
from collector.model.wording import counted, duration


def consumer_down(case: Case, life: Life) -> Proof | None:
    """The group that normally reacts has shown no sign of life since."""
    if case.debt is not Debt.REACTION:
        return None
    # The last handling before it stopped may have begun shortly after this message was published.
    silence = case.now - max(life.last or 0, case.since)
    if silence < case.deadline_ms * 1e6 / 2:
        return None
    sentence = (
        f"{case.service} has not taken {case.stopped_at.event_type}{sender(case)}: it was due within "
        f"{duration(case.due_ms / 1e3)}, and {reactor(case)} shows no sign of life since."
    )
    seen = f"last seen {duration((case.now - life.last) / 1e9)} ago" if life.last else "never seen"
    if life.unfinished:
        seen += f", with {counted(life.unfinished, 'handling')} that began and did not end"
    return Proof(
        sentence,
        (
            published(case),
            Evidence(
                "absence", None, f"no reaction of {reactor(case)} to any {case.stopped_at.event_type}: {seen}"
            ),
            Evidence("absence", None, f"{counted(life.waiting, 'flow')} wait for it; {habit(case)}"),
        ),
    )
