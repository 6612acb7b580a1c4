"""Did the handling go well and publish nothing?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import habit, next_event, unanswered
from collector.model.wording import duration


def handler_silent(case: Case, life: Life) -> Proof | None:
    """The handling ended well, but the event that normally follows was not published."""
    if case.debt not in {Debt.MESSAGE, Debt.JOIN}:
        return None
    handled = case.stopped_at.event_type
    if case.debt is Debt.JOIN and case.expectation:
        handled = " and ".join(case.expectation.triggers)
    sentence = (
        f"{case.service} handled {handled} without an error, and no {next_event(case)} of it was seen: "
        f"it was due within {duration(max(case.due_ms, 1.0) / 1e3)}."
    )
    return Proof(
        sentence,
        (
            Evidence(
                "span",
                case.stopped_at.ref,
                f"{case.service} handled {case.stopped_at.event_type}, and it went well",
            ),
            *unanswered(case),
            Evidence(
                "absence",
                None,
                f"no {next_event(case)} from {case.service} in this flow since; {habit(case)}",
            ),
        ),
    )
