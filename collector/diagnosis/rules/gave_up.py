"""Was the message given up?"""

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence, Life, Proof
from collector.diagnosis.rules.clauses import next_event, quoted
from collector.model.wording import counted


def gave_up(case: Case, life: Life) -> Proof | None:
    """The broker will not redeliver the message: its consumer said so, and the handling led to nothing."""
    if not case.terminated or case.debt not in {Debt.SUCCESS, Debt.MESSAGE}:
        return None
    handled = case.stopped_at.event_type
    why = f": {quoted(case.stopped_at.error)}" if case.stopped_at.error else ""
    sentence = (
        f"{case.service} terminated {handled}{why}. The broker will not deliver it again, "
        f"and {next_event(case)} was not published."
    )
    tries = counted(case.attempts, "attempt")
    told = f"{case.service} told the broker never to deliver {handled} again, after {tries}"
    return Proof(sentence, (Evidence("span", case.stopped_at.ref, told),))
