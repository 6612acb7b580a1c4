"""Does a join wait for an event that nobody else owes?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.model.wording import counted, duration


def waiting_for_other(case: Case, life: Life) -> Proof | None:
    """The service has one event that it needs, and another one was not published in this flow."""
    if case.debt is not Debt.OTHER or case.expectation is None:
        return None
    missing, handled = case.next_event_type, case.stopped_at.event_type
    who = f"{case.publisher} normally publishes it" if case.publisher else "it comes from outside"
    next_event = case.expectation.next_event_type or "the next event"
    sentence = (
        f"{case.service} has handled {handled} and waits for {missing} to publish {next_event}. "
        f"{missing} was not seen in this flow: {who}, within {duration(case.due_ms / 1e3)}."
    )
    gathered = case.pace.n if case.pace else 0
    return Proof(
        sentence,
        (
            Evidence("span", case.stopped_at.ref, f"{case.service} handled {handled}, and it went well"),
            Evidence(
                "absence",
                None,
                f"no {missing} in this flow; normally both come ({counted(gathered, 'example')})",
            ),
        ),
    )
