"""Did the handling begin and never end?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import habit, on, reactor, sender
from collector.model.wording import duration


def not_acknowledged(case: Case, life: Life) -> Proof | None:
    """The handling began and has not ended: it hangs, or its process died."""
    word = case.witness
    if case.debt is not Debt.REACTION or word is None:
        return None
    handled, ago = case.stopped_at.event_type, duration((case.now - case.since) / 1e9)
    which = f"{word.service} ({word.instance})" if word.instance else word.service
    sentence = (
        f"{which} took {handled}{sender(case)} {ago} ago and has not finished: "
        "its handler hangs, or its process died."
    )
    return Proof(
        sentence,
        (
            Evidence("span", word.ref, f"{which} began to handle it {ago} ago"),
            Evidence("span", case.stopped_at.ref, f"{case.stopped_at.service} published {handled}{on(case)}"),
            Evidence(
                "absence",
                None,
                f"no end of that handling, and none by another of {reactor(case)}; {habit(case)}",
            ),
        ),
    )
