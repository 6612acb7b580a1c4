"""Did the handling fail?"""

from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.owed import Debt
from collector.diagnosis.rules.clauses import quoted, unanswered


def handler_failed(case: Case, life: Life) -> Proof | None:
    """The handling ended in an error. It may be retried, unless the failure is final."""
    if case.debt is not Debt.SUCCESS:
        return None
    tries = "once" if case.attempts == 1 else f"{case.attempts} times"
    why = f": {quoted(case.stopped_at.error)}" if case.stopped_at.error else ""
    waiting = case.next_event_type or "What follows"
    after = "Nobody will try it again." if case.final else f"{waiting} waits for it to go well."
    sentence = f"{case.service} tried {case.stopped_at.event_type} {tries} and failed{why}. {after}"
    evidence = Evidence(
        "span", case.stopped_at.ref, f"the last attempt of {case.service} ended in an error{why}"
    )
    return Proof(sentence, (evidence, *unanswered(case)))
