"""Did the handling fail?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import quoted, unanswered
from collector.model.wording import duration, moment


def handler_failed(case: Case, life: Life) -> Proof | None:
    """The handling ended in an error. It may be retried, unless the failure is final or no retry comes."""
    if case.debt is not Debt.SUCCESS:
        return None
    tries = "once" if case.attempts == 1 else f"{case.attempts} times"
    why = f": {quoted(case.stopped_at.error)}" if case.stopped_at.error else ""
    sentence = f"{case.service} tried {case.stopped_at.event_type} {tries} and failed{why}. {_after(case)}"
    evidence = Evidence(
        "span", case.stopped_at.ref, f"the last attempt of {case.service} ended in an error{why}"
    )
    return Proof(sentence, (evidence, *unanswered(case)))


def _after(case: Case) -> str:
    """What may still come."""
    if case.final:
        return "Nobody will try it again."
    waiting = case.next_event_type or "What follows"
    if case.overdue_s <= 0 or not case.tried:
        return f"{waiting} waits for another attempt."
    last = moment(case.tried, case.now)
    if case.attempts == 1:
        return f"No other attempt was seen since {last}, and {waiting} has not come."
    return (
        f"The last attempt was at {last}, {duration(case.pause_ms / 1e3)} after the one before, and no other "
        f"was seen: the broker may have given it up. {waiting} has not come."
    )
